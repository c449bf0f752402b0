"""What one pass over the sound of a recording found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from preflight.analysis.pictures import Pictures
from preflight.report import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAST_TURN_S = 2.0
_TURN_SHARE = 0.15
"""Of all that is heard in one channel alone: less is crosstalk, a laugh or a cough."""


@dataclass(frozen=True)
class Damage:
    """A stretch that could not be decoded.

    Attributes:
        start_s: Where it begins on the recording's own timeline.
        end_s: Where it ends there.
        at_s: Where it stands in the decoded sound.
        until_s: Where the decoded sound is whole again: `at_s`, where the stretch is missing from it; later
            where silence stands in its place.
    """

    start_s: float
    end_s: float
    at_s: float
    until_s: float


_NEAR_S: Final = 0.1
"""Losses no further apart than this are one."""


def merged_damage(missing: Sequence[Damage], undecodable: Sequence[Damage], duration_s: float) -> tuple[Damage, ...]:
    """All damage in order, neighbors joined.

    Args:
        missing: Frames that are not in the file, by their headers.
        undecodable: What the decoder rejected, on a timeline without `missing`.
        duration_s: Seconds decoded.
    """
    shifted = []
    for spot in undecodable:
        lost_s = sum(gap.end_s - gap.start_s for gap in missing if gap.at_s <= spot.at_s)
        shifted.append(Damage(spot.start_s + lost_s, spot.end_s + lost_s, spot.at_s, spot.until_s))
    merged: list[Damage] = []
    for spot in sorted((*missing, *shifted), key=lambda spot: (spot.at_s, spot.start_s)):
        at_s, until_s = min(spot.at_s, duration_s), min(spot.until_s, duration_s)
        last = merged[-1] if merged else None
        if last and spot.start_s <= last.end_s + _NEAR_S:
            merged[-1] = Damage(last.start_s, max(spot.end_s, last.end_s), last.at_s, max(last.until_s, until_s))
        else:
            merged.append(Damage(spot.start_s, spot.end_s, at_s, until_s))
    return tuple(merged)


@dataclass(frozen=True)
class Ending:
    """How decoding went.

    Attributes:
        duration_s: Seconds decoded.
        damage: What could not be decoded.
        changes: Where rate or channels changed: (seconds, rate, channels).
        stopped: Whether decoding was given up at `limits.MAX_DECODED_S` or `limits.MAX_DECODED_SAMPLES`.
        padded_s: Seconds that a decoder finds which keeps what the encoder padded: see `Decoder.padded_s`.
        float_scale: What floating-point samples were divided by, so that full scale is 1.
    """

    duration_s: float
    damage: tuple[Damage, ...] = ()
    changes: tuple[tuple[float, int, int], ...] = ()
    stopped: bool = False
    padded_s: float = 0.0
    float_scale: float = 1.0


@dataclass(frozen=True)
class Heard:
    """What the meters found.

    Attributes:
        seconds: How much of the recording they heard.
        measurements: By name; see each meter.
        speech: Where somebody speaks.
        clipped: Where samples are clipped.
        dropouts: Where sound is missing or doubled.
        clicks: Single samples that lie outside the wave.
    """

    seconds: float
    measurements: dict[str, float]
    speech: tuple[Span, ...]
    clipped: tuple[Span, ...]
    dropouts: tuple[Span, ...]
    clicks: tuple[Span, ...]


@dataclass(frozen=True)
class ChannelFacts:
    """What each channel holds.

    Attributes:
        levels_dbfs: RMS of each.
        best: The number of the one that carries the voice, from 0.
        opposite: Pairs of channels of opposite polarity.
        flipped: Where two channels are opposite that are alike elsewhere, in seconds.
        alone_s: For each, how long it is louder than all others by 10 dB.
        correlation: Of two channels; 1 for any other number.
    """

    levels_dbfs: tuple[float, ...]
    best: int = 0
    opposite: tuple[tuple[int, int], ...] = ()
    flipped: tuple[Span, ...] = ()
    alone_s: tuple[float, ...] = ()
    correlation: float = 1.0

    @property
    def speakers(self) -> tuple[int, ...]:
        """The channels that have turns of their own; empty where it is only one."""
        total = sum(self.alone_s)
        own = tuple(at for at, alone in enumerate(self.alone_s) if alone >= max(_LEAST_TURN_S, _TURN_SHARE * total))
        return own if len(own) > 1 else ()


@dataclass(frozen=True)
class Decoded:
    """Everything that is known of the sound.

    Attributes:
        ending: How decoding went.
        levels: ``rms_dbfs`` and ``sample_peak_dbfs`` of all of it.
        heard: What the other meters found; None where they heard nothing.
        pictures: What can be drawn; None where nobody asked for it.
        channels: What each channel holds, of all of it.
        pauses: Where nobody speaks: both the level and the speech detector say so.
    """

    ending: Ending
    levels: dict[str, float]
    heard: Heard | None = None
    pictures: Pictures | None = None
    channels: ChannelFacts | None = None
    pauses: tuple[Span, ...] = ()

    @property
    def duration_s(self) -> float:
        """Seconds decoded."""
        return self.ending.duration_s

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What could not be decoded."""
        return self.ending.damage

    @property
    def changes(self) -> tuple[tuple[float, int, int], ...]:
        """Where rate or channels changed: (seconds, rate, channels)."""
        return self.ending.changes

    @property
    def stopped(self) -> bool:
        """Whether decoding was given up at `limits.MAX_DECODED_S`."""
        return self.ending.stopped

    @property
    def measurements(self) -> dict[str, float]:
        """Everything that was measured; ``measured_s`` says over how much of the recording."""
        if not self.duration_s:
            return {}
        if self.heard is None:
            return self.levels
        return {"measured_s": round(self.heard.seconds, 3), **self.levels, **self.heard.measurements}

    @property
    def whole_stretches(self) -> tuple[Span, ...]:
        """The stretches without damage, as (start, end) in seconds of the decoded sound."""
        starts = [0.0, *(spot.until_s for spot in self.damage)]
        ends = [*(spot.at_s for spot in self.damage), self.duration_s]
        return tuple(zip(starts, ends, strict=True))
