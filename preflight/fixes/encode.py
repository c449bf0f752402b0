"""Encode decoded audio as WAV, M4A or MP3, block by block, and choose how."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, Literal

import numpy as np

from preflight import limits
from preflight.display.text import megabytes
from preflight.errors import CannotFix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from numpy.typing import NDArray

    from preflight.analysis.analysis import ChannelFacts
    from preflight.fixes.options import Container
    from preflight.media.decoder import Block
    from preflight.media.probe import Probe

_WAV_HEADER_BYTES: Final = 1024
_AUDIO_SHARE: Final = 0.97
"""The share of the size limit that encoded audio may use; the rest is for the container."""
_MAX_BIT_RATE_BPS: Final = {"m4a": {1: 192_000, 2: 384_000}, "mp3": {1: 192_000, 2: 320_000}}
_RATES_HZ: Final = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Sample rates that both AAC (ISO/IEC 14496-3, table 1.18) and MP3 (ISO/IEC 11172-3 and 13818-3, MPEG-2.5) have."""
_CHANNEL_RANGE_DB: Final = 20.0
"""A channel this far below the other adds only noise to the mix, and halves the voice."""
_MIN_CORRELATION: Final = 0.5
"""From here on the mean of two channels has a better SNR than either of them."""

_DITHER_SEED: Final = 1
"""Constant, so that the same recording always becomes the same file."""
_LAME_SCALES: Final = {192: 0.97, 224: 0.98, 256: 1.0, 320: 1.0}
"""LAME 3.100 multiplies its input by these factors, by bit rate in kbit/s; below, by 0.95. Measured."""
_LAME_SCALE: Final = 0.95
_FLOAT_SUBTYPES: Final = {32: "FLOAT", 64: "DOUBLE"}
_CODECS: Final[dict[str, Literal["aac", "libmp3lame"]]] = {"m4a": "aac", "mp3": "libmp3lame"}
_MUXERS: Final = {"m4a": "ipod", "mp3": "mp3"}


@dataclass(frozen=True)
class Target:
    """The encoding of a result.

    Attributes:
        sample_rate_hz: Sample rate in hertz.
        channels: 1 or 2.
        bits: Bits per sample, for WAV.
        is_float: Whether the samples of a WAV are floating point.
        bit_rate_bps: Bits per second, for M4A and MP3.
        dither: Add dither, because the result has fewer bits per sample than its source.
        downmix: The weight of each source channel in the mono result; None to keep the channels.
    """

    sample_rate_hz: int
    channels: int
    bits: int = 16
    is_float: bool = False
    bit_rate_bps: int = 0
    dither: bool = False
    downmix: tuple[float, ...] | None = None

    @property
    def sample_format(self) -> str:
        """The format of the samples of a WAV, such as "24-bit PCM"."""
        return f"{self.bits}-bit {'floating-point ' * self.is_float}PCM"

    def bytes_per_s(self, container: Container) -> float:
        """Return the size of one second of audio."""
        return (self.bit_rate_bps if container != "wav" else self.sample_rate_hz * self.channels * self.bits) / 8


def choose_target(
    facts: Probe,
    seconds: float,
    to: Container | None,
    downmix: tuple[float, ...] | None,
    *,
    is_processed: bool = False,
    is_whole: bool = False,
) -> tuple[Container, Target]:
    """Choose container and encoding: WAV if it fits into 20 MB, else M4A or MP3 at the highest bit rate that fits.

    A WAV has the sample format of the recording if that fits; otherwise it has 24 or 16 bits.

    Args:
        facts: Of the recording.
        seconds: Length of the part to keep.
        to: The requested container; None for WAV if it fits, else M4A.
        downmix: See `Target`.
        is_processed: Whether samples are computed, so that they have more bits than those of the recording.
        is_whole: Whether the whole recording is kept.

    Raises:
        CannotFix: WAV is requested but does not fit.
    """
    channels = 1 if downmix else facts.channels
    # lossy decoders and all processing return floating point
    source_bits = 32 if is_processed else facts.bits or 32
    is_unchanged = not (is_processed or downmix)
    for bits in _wav_bits(facts, is_unchanged=is_unchanged, is_whole=is_whole):
        size = _WAV_HEADER_BYTES + seconds * facts.sample_rate_hz * channels * bits / 8
        if to in (None, "wav") and size <= limits.SAFE_BYTES:
            is_float = bits >= 32 and facts.codec.startswith("pcm_f")
            dither = bits < source_bits
            return "wav", Target(facts.sample_rate_hz, channels, bits, is_float, dither=dither, downmix=downmix)
    if to == "wav":
        raise CannotFix(
            f"a WAV would be {megabytes(int(size))}, above the {megabytes(limits.SAFE_BYTES)} limit",
            "write .m4a or .mp3",
        )
    container: Container = to or "m4a"
    rates = [rate for rate in _RATES_HZ if rate >= facts.sample_rate_hz]
    fitting = int(limits.SAFE_BYTES * _AUDIO_SHARE * 8 / seconds)
    rate = rates[0] if rates else 48_000
    most = min(fitting, _MAX_BIT_RATE_BPS[container][channels])
    bit_rate = (min(most, _most_mp3_bps(rate)) if container == "mp3" else most) // 1000 * 1000
    return container, Target(rate, channels, bit_rate_bps=bit_rate, downmix=downmix)


def _most_mp3_bps(sample_rate_hz: int) -> int:
    """The highest bit rate of LAME: 64 kbit/s for MPEG-2.5; MPEG-2 ends at 160 (ISO/IEC 13818-3, 2.4.2.3)."""
    return 64_000 if sample_rate_hz < 16_000 else 160_000 if sample_rate_hz < 32_000 else 320_000


def _wav_bits(facts: Probe, *, is_unchanged: bool, is_whole: bool) -> tuple[int, ...]:
    """Return the bits per sample that a WAV may have, the most exact first."""
    if not facts.bits or facts.bits <= 16:
        return (16,)
    # cuts are computed with 32-bit floats, see `Decoder.blocks`
    is_exact = is_unchanged and (is_whole or facts.codec.startswith("pcm_f32"))
    return (facts.bits, 24, 16) if is_exact and facts.codec.startswith(("pcm_f", "pcm_s32")) else (24, 16)


def downmix_weights(channels: ChannelFacts) -> tuple[float, ...]:
    """Return the weight of each channel in the mono result.

    Two channels with the same voice are averaged, the second inverted if it has opposite polarity. Otherwise only the
    channel with the voice is kept: others would attenuate it, cancel it, or add another speaker.
    """
    levels = channels.levels_dbfs
    is_pair = len(levels) == 2 and abs(levels[0] - levels[1]) < _CHANNEL_RANGE_DB
    if is_pair and not channels.flipped and not channels.speakers and abs(channels.correlation) >= _MIN_CORRELATION:
        return (0.5, 0.5 if channels.correlation > 0 else -0.5)
    return tuple(float(number == channels.best) for number in range(len(levels)))


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
    at = file.read(_WAV_HEADER_BYTES).find(b"PEAK")
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
