"""Choose the encoding of a result: container, sample rate, channels, bits or bit rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from preflight import limits
from preflight.display.text import megabytes
from preflight.errors import CannotFix

if TYPE_CHECKING:
    from preflight.analysis.analysis import ChannelFacts
    from preflight.fixes.options import Container
    from preflight.media.probe import Probe

WAV_HEADER_BYTES: Final = 1024
"""The most that libsndfile writes in front of the samples."""
_AUDIO_SHARE: Final = 0.97
"""The share of the size limit that encoded audio may use; the rest is for the container."""
_MAX_BIT_RATE_BPS: Final = {"m4a": {1: 192_000, 2: 384_000}, "mp3": {1: 192_000, 2: 320_000}}
_RATES_HZ: Final = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Sample rates that both AAC (ISO/IEC 14496-3, table 1.18) and MP3 (ISO/IEC 11172-3 and 13818-3, MPEG-2.5) have."""
_CHANNEL_RANGE_DB: Final = 20.0
"""A channel this far below the other adds only noise to the mix, and halves the voice."""
_MIN_CORRELATION: Final = 0.5
"""From here on the mean of two channels has a better SNR than either of them."""


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
        size = WAV_HEADER_BYTES + seconds * facts.sample_rate_hz * channels * bits / 8
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
