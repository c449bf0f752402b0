"""How sound is coded when it has to be coded anew."""

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

_WAV_HEADER_BYTES: Final = 1024
_CONTAINER_SHARE: Final = 0.97
"""Of the bytes that fit, this part is left for the coded sound; the rest is for the container."""
_HIGHEST_BPS: Final = {"m4a": {1: 192_000, 2: 384_000}, "mp3": {1: 192_000, 2: 320_000}}
_RATES_HZ: Final = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""What both AAC and MP3 know."""
_CHANNEL_RANGE_DB: Final = 20.0
"""A channel this far below the other adds noise to the voice, and halves it."""
_ALIKE: Final = 0.5
"""Correlation from which the mean of two channels is better than either."""


@dataclass(frozen=True)
class Target:
    """What is written when the sound has to be coded anew.

    Attributes:
        sample_rate_hz: Samples a second and channel.
        channels: 1 or 2.
        bits: Bits of a sample, for WAV.
        bit_rate_bps: Bits a second, for M4A and MP3.
        dither: Whether word length falls, so that the error must be made noise.
        fold: The weight of each source channel in the mono result; None when channels stay.
    """

    sample_rate_hz: int
    channels: int
    bits: int = 16
    bit_rate_bps: int = 0
    dither: bool = False
    fold: tuple[float, ...] | None = None

    def bytes_per_s(self, container: Container) -> float:
        """Bytes that a second takes."""
        return (self.bit_rate_bps if container != "wav" else self.sample_rate_hz * self.channels * self.bits) / 8


def target_for(
    facts: Probe, seconds: float, to: Container | None, fold: tuple[float, ...] | None, *, is_changed: bool = False
) -> tuple[Container, Target]:
    """The container, and how to code: WAV if that fits into 20 MB, else M4A or MP3 at the highest bit rate that does.

    Args:
        facts: Of the recording.
        seconds: What is kept of it.
        to: The container that is wanted; None for WAV if it fits, else M4A.
        fold: See `Target`.
        is_changed: Whether samples are computed, so that they no longer have the word length of the recording.

    Raises:
        CannotFix: It does not fit into a WAV, and one is wanted.
    """
    channels = 1 if fold else facts.channels
    # a lossy decoder answers in floating point, and so does what computes
    source_bits = 32 if is_changed else facts.bits or 32
    for bits in (24, 16) if facts.bits and facts.bits > 16 else (16,):
        size = _WAV_HEADER_BYTES + seconds * facts.sample_rate_hz * channels * bits / 8
        if to in (None, "wav") and size <= limits.SAFE_BYTES:
            return "wav", Target(facts.sample_rate_hz, channels, bits, dither=bits < source_bits, fold=fold)
    if to == "wav":
        raise CannotFix(
            f"as WAV it would have {megabytes(int(size))}; at most 20 MB are accepted", "write .m4a or .mp3"
        )
    container: Container = to or "m4a"
    rates = [rate for rate in _RATES_HZ if rate >= facts.sample_rate_hz]
    fitting = int(limits.SAFE_BYTES * _CONTAINER_SHARE * 8 / seconds)
    bit_rate = min(_HIGHEST_BPS[container][channels], fitting)
    return container, Target(rates[0] if rates else 48_000, channels, bit_rate_bps=bit_rate // 1000 * 1000, fold=fold)


def fold_weights(channels: ChannelFacts) -> tuple[float, ...]:
    """The weight of each channel in the mono result.

    Two channels that hold the same voice are averaged, with the second inverted where they are opposite. Else only the
    channel that carries the voice is kept: others would make it weaker, cancel it, or add another speaker.
    """
    levels = channels.levels_dbfs
    is_pair = len(levels) == 2 and abs(levels[0] - levels[1]) < _CHANNEL_RANGE_DB
    if is_pair and not channels.flipped and not channels.speakers and abs(channels.correlation) >= _ALIKE:
        return (0.5, 0.5 if channels.correlation > 0 else -0.5)
    return tuple(float(number == channels.best) for number in range(len(levels)))
