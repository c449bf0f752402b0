"""Write decoded sound as WAV, M4A or MP3, block by block."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from numpy.typing import NDArray

    from preflight.fixes.codec_targets import Target
    from preflight.fixes.options import Container
    from preflight.media.decoder import Block

_DITHER_SEED = 1
"""Fixed, so that the same take always becomes the same file."""
_LAME_SCALES = {192: 0.97, 224: 0.98, 256: 1.0, 320: 1.0}
"""What LAME 3.100 multiplies everything by at these bit rates, in kbit/s; below, it is 0.95. Measured."""
_LAME_SCALE = 0.95
_CODECS: dict[str, Literal["aac", "libmp3lame"]] = {"m4a": "aac", "mp3": "libmp3lame"}


def encode(blocks: Iterator[Block], sample_rate_hz: int, file: IO[bytes], container: Container, target: Target) -> None:
    """Write `blocks` to `file`.

    Args:
        blocks: Float32 arrays of shape (frames, channels of the target), full scale at ±1.
        sample_rate_hz: Of the blocks.
        file: Open for writing and seeking.
        container: What to write.
        target: How to code it.

    Raises:
        OSError: The disk is full or the file cannot be written.
    """
    if container == "wav":
        _write_wav(blocks, sample_rate_hz, file, target)
    else:
        _write_lossy(blocks, sample_rate_hz, file, container, target)


def _write_wav(blocks: Iterator[Block], sample_rate_hz: int, file: IO[bytes], target: Target) -> None:
    import soundfile

    dither = np.random.default_rng(_DITHER_SEED) if target.dither else None
    try:
        with soundfile.SoundFile(
            file.fileno(),
            "w",
            samplerate=sample_rate_hz,
            channels=target.channels,
            subtype=f"PCM_{target.bits}",
            format="WAV",
            closefd=False,
        ) as wav:
            for block in blocks:
                wav.write(_integers(block, target.bits, dither))
    except (soundfile.LibsndfileError, AssertionError) as error:
        # libsndfile does not tell why it wrote less than it was given; the system does when asked to write more
        os.lseek(file.fileno(), 0, os.SEEK_END)
        os.write(file.fileno(), bytes(1 << 20))
        raise OSError(f"the WAV could not be written ({error})".replace(" ()", "")) from error


def _integers(block: Block, bits: int, dither: np.random.Generator | None) -> NDArray[np.signedinteger[Any]]:
    """Samples as whole numbers: libsndfile's own conversion scales by 32767, and copies would not be exact."""
    top = 2 ** (bits - 1)
    scaled = block.astype(np.float64) * top
    if dither is not None:
        scaled += dither.random(block.shape) - dither.random(block.shape)  # triangular, ±1 of the last bit
    whole = np.clip(np.rint(scaled), -top, top - 1)
    # libsndfile takes the upper bits of what it is given
    return np.asarray(whole, np.int16) if bits == 16 else np.asarray(whole * 2 ** (32 - bits), np.int32)


def _write_lossy(
    blocks: Iterator[Block], sample_rate_hz: int, file: IO[bytes], container: Container, target: Target
) -> None:
    import av

    from preflight.fixes.mux import open_output

    layout = "mono" if target.channels == 1 else "stereo"
    with open_output(file, container) as output:
        stream: AudioStream = output.add_stream(_CODECS[container], rate=target.sample_rate_hz, layout=layout)
        stream.bit_rate = target.bit_rate_bps
        louder = 1 / _lame_scale(target) if container == "mp3" else 1.0
        for block in blocks:
            planes = np.ascontiguousarray(np.clip(block.T, -1.0, 1.0) * louder, np.float32)
            frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
            frame.sample_rate = sample_rate_hz
            frame.pts = None
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _lame_scale(target: Target) -> float:
    if target.sample_rate_hz < 32_000:
        return _LAME_SCALE  # there the highest bit rate is 160
    nearest = min((160, *_LAME_SCALES), key=lambda kbps: abs(kbps * 1000 - target.bit_rate_bps))
    return _LAME_SCALES.get(nearest, _LAME_SCALE)
