"""Encode decoded audio as WAV, M4A or MP3, block by block."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final, Literal

import numpy as np

from preflight.fixes.encoding_target import WAV_HEADER_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from numpy.typing import NDArray

    from preflight.fixes.encoding_target import Target
    from preflight.fixes.options import Container
    from preflight.media.decoder import Block

_DITHER_SEED: Final = 1
"""Constant, so that the same recording always becomes the same file."""
_LAME_SCALES: Final = {192: 0.97, 224: 0.98, 256: 1.0, 320: 1.0}
"""LAME 3.100 multiplies its input by these factors, by bit rate in kbit/s; below, by 0.95. Measured."""
_LAME_SCALE: Final = 0.95
_FLOAT_SUBTYPES: Final = {32: "FLOAT", 64: "DOUBLE"}
_CODECS: Final[dict[str, Literal["aac", "libmp3lame"]]] = {"m4a": "aac", "mp3": "libmp3lame"}
_MUXERS: Final = {"m4a": "ipod", "mp3": "mp3"}


def encode(blocks: Iterator[Block], sample_rate_hz: int, file: IO[bytes], container: Container, target: Target) -> None:
    """Write `blocks` to `file`.

    Args:
        blocks: Float32 arrays of shape (frames, channels of the target), full scale at ±1.
        sample_rate_hz: Sample rate of the blocks; lossy encoders resample to that of the target.
        file: Open for writing and seeking.
        container: Container to write.
        target: Encoding to use.

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
            subtype=_FLOAT_SUBTYPES[target.bits] if target.is_float else f"PCM_{target.bits}",
            format="WAV",
            closefd=False,
        ) as wav:
            for block in blocks:
                wav.write(_stored(block, target, dither))
        if target.is_float:
            _remove_peak_time(file)
    except (soundfile.LibsndfileError, AssertionError) as error:
        # libsndfile does not report why a write was short; the system does when more is written
        os.lseek(file.fileno(), 0, os.SEEK_END)
        os.write(file.fileno(), bytes(1 << 20))
        raise OSError(f"the WAV could not be written ({error})".replace(" ()", "")) from error


def _stored(block: Block, target: Target, dither: np.random.Generator | None) -> NDArray[Any]:
    if target.is_float:
        return np.asarray(block, np.float64 if target.bits == 64 else np.float32)
    # 32-bit integers are copied: float32 does not hold them
    return block if block.dtype == np.int32 else to_integers(block, target.bits, dither)


def _remove_peak_time(file: IO[bytes]) -> None:
    """Clear the time in the PEAK chunk, which libsndfile adds to floats: the same audio always gives the same file."""
    file.seek(0)
    at = file.read(WAV_HEADER_BYTES).find(b"PEAK")
    if at >= 0:
        file.seek(at + 12)  # after name, size and version
        file.write(bytes(4))
        file.flush()


def to_integers(block: Block, bits: int, dither: np.random.Generator | None) -> NDArray[np.signedinteger[Any]]:
    """Round float samples to integers of 16 bits, or of up to 32 in the upper bits of 32.

    libsndfile's own conversion scales by 2**(bits-1) - 1, so a decoded integer would not come back as itself.
    """
    top = 2 ** (bits - 1)
    scaled = block.astype(np.float64) * top
    if dither is not None:
        # triangular probability density, ±1 step: the error's mean and power do not depend on the signal
        # (Lipshitz, Wannamaker and Vanderkooy, "Quantization and Dither", JAES 40(5), 1992)
        scaled += dither.random(block.shape) - dither.random(block.shape)
    integers = np.clip(np.rint(scaled), -top, top - 1)
    # libsndfile takes the upper bits of an int32
    return np.asarray(integers, np.int16) if bits == 16 else np.asarray(integers * 2 ** (32 - bits), np.int32)


def _write_lossy(
    blocks: Iterator[Block], sample_rate_hz: int, file: IO[bytes], container: Container, target: Target
) -> None:
    import av

    layout = "mono" if target.channels == 1 else "stereo"
    with open_muxer(file, container) as output:
        stream: AudioStream = output.add_stream(_CODECS[container], rate=target.sample_rate_hz, layout=layout)
        stream.bit_rate = target.bit_rate_bps
        gain = 1 / _lame_scale(target) if container == "mp3" else 1.0
        for block in blocks:
            planes = np.ascontiguousarray(np.clip(block.T, -1.0, 1.0) * gain, np.float32)
            frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
            frame.sample_rate = sample_rate_hz
            frame.pts = None  # with timestamps of its own the resampler in front of the encoder would fill "gaps"
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _lame_scale(target: Target) -> float:
    if target.sample_rate_hz < 32_000:
        return _LAME_SCALE  # MPEG-2 layer III ends at 160 kbit/s (ISO/IEC 13818-3, 2.4.2.3)
    nearest = min((160, *_LAME_SCALES), key=lambda kbps: abs(kbps * 1000 - target.bit_rate_bps))
    return _LAME_SCALES.get(nearest, _LAME_SCALE)


class _Output:
    """The file that FFmpeg writes to. After an error nothing more is written.

    FFmpeg itself goes on after an error, and PyAV prints every exception but the first.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.tell = file.tell
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        if self.error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self.error = error
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        if self.error is None:
            try:
                return self._file.seek(offset, whence)
            except OSError as error:  # seeking writes what is still buffered
                self.error = error
        return 0


@contextmanager
def open_muxer(file: IO[bytes], container: str) -> Iterator[OutputContainer]:
    """Open a new `container`, ``m4a`` or ``mp3``, which is completed when the context ends.

    Raises:
        OSError: The disk is full or the file cannot be written.
    """
    import av

    output_file = _Output(file)
    with av.open(output_file, "w", format=_MUXERS[container]) as output:
        yield output
    if output_file.error is not None:
        raise output_file.error
