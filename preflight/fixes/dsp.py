"""Compute what a user asked for on the way from decoder to encoder: offset, rumble, hum, pauses, loudness.

The filters are FFmpeg's. Loudness takes two passes over the original: one to measure what the gain will be applied to,
and one to apply it; what is written is coded once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.framing import ChunkCutter, Grid
from preflight.analysis.meters.loudness import LoudnessMeter
from preflight.analysis.meters.true_peak import TruePeakMeter
from preflight.analysis.numpy_runtime import one_thread
from preflight.errors import CannotFix
from preflight.fixes.edits import HIGHEST_DBTP
from preflight.fixes.filters import filtered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from preflight.analysis.framing import Chunk
    from preflight.fixes.edits import SoundEdits
    from preflight.media.decoder import Block
    from preflight.report import Span

    Blocks = Callable[[], Iterator[Block]]

_HUM_LINES: Final = 6
_HUM_WIDTH_HZ: Final = 10.0
"""Narrower notches ring on into the pauses: 2 Hz wide, a voice at -20 LUFS leaves -48 dBFS there; 10 Hz, -63 dBFS."""
_NEAR_LU: Final = 0.05
_NEAR_ENOUGH_LU: Final = 0.2
_NEAR_ENOUGH_DB: Final = 0.1
"""What is accepted where it does not come nearer."""
_MOST_TRIES: Final = 12
_MOST_STEP_DB: Final = 6.0
_LEAST_SLOPE: Final = 0.1
_FADE_S: Final = 0.01


@dataclass(frozen=True)
class Loud:
    """Integrated loudness, None where it is too quiet or too short, and true peak."""

    lufs: float | None
    dbtp: float


@dataclass(frozen=True)
class Peak:
    """The highest peak of some sound.

    Attributes:
        sample: Of the samples themselves, linear; 1 is full scale.
        dbtp: Of the wave between them.
    """

    sample: float
    dbtp: float


def processed(blocks: Blocks, sample_rate_hz: int, sound: SoundEdits) -> Iterator[Block]:
    """The blocks with what `sound` asks for.

    Args:
        blocks: Begins a new pass over the part that is kept; float32 arrays of shape (frames, channels).
        sample_rate_hz: Frames a second.
        sound: What is asked for; its pauses count from the beginning of that part.

    Raises:
        CannotFix: It has no loudness that could be changed.
    """
    offset = (
        _means(blocks()) * (np.array([1, -1], np.float32) if sound.invert else np.float32(1))
        if sound.remove_dc
        else None
    )

    def cleaned() -> Iterator[Block]:
        some = _without(blocks(), sample_rate_hz, sound.pauses)
        if sound.invert:
            some = (block * np.array([1, -1], np.float32) for block in some)
        if offset is not None:
            some = (block - offset for block in some)
        filters = [*_high_pass(sound), *_notches(sound, sample_rate_hz)]
        return filtered(some, sample_rate_hz, filters) if filters else some

    if sound.loudness_lufs is not None:
        result = _levelled(cleaned, sample_rate_hz, sound.loudness_lufs, limit=sound.limit)
    else:
        result = cleaned()
    return _amplified(result, sound.gain_db) if sound.gain_db else result


def _means(blocks: Iterator[Block]) -> Block:
    total, count = np.zeros(1), 0
    for block in blocks:
        total = total + block.sum(axis=0, dtype=np.float64)
        count += len(block)
    return np.asarray(total / max(1, count), np.float32)


def _high_pass(sound: SoundEdits) -> list[tuple[str, str]]:
    return [] if sound.high_pass_hz is None else [("highpass", f"f={sound.high_pass_hz:g}:p=2")] * 2


def _notches(sound: SoundEdits, sample_rate_hz: int) -> list[tuple[str, str]]:
    if sound.hum_hz is None:
        return []
    lines = (number * sound.hum_hz for number in range(1, _HUM_LINES + 1))
    return [("bandreject", f"f={line:g}:t=h:w={_HUM_WIDTH_HZ:g}") for line in lines if line < 0.45 * sample_rate_hz]


def _levelled(blocks: Blocks, sample_rate_hz: int, lufs: float, *, limit: bool) -> Iterator[Block]:
    now = loudness_of(blocks(), sample_rate_hz)
    if now.lufs is None:
        raise CannotFix("it is too quiet or too short to have a loudness", "leave its loudness as it is")
    gain_db = lufs - now.lufs
    if now.dbtp + gain_db <= HIGHEST_DBTP:
        return _amplified(blocks(), gain_db)
    if not limit:
        return _amplified(blocks(), HIGHEST_DBTP - now.dbtp)
    settings = _limiting(blocks, sample_rate_hz, lufs, gain_db)
    return _limited(blocks(), sample_rate_hz, *settings)


def _limiting(blocks: Blocks, sample_rate_hz: int, lufs: float, gain_db: float) -> tuple[float, float]:
    """Gain and ceiling with which it comes to `lufs`: what is limited is quieter, and takes more than `gain_db`.

    Raises:
        CannotFix: However much it is limited, it does not get so loud.
    """
    ceiling_db, slope, before = HIGHEST_DBTP, 1.0, (0.0, 0.0)
    reached, over_db, settings = lufs, 0.0, (gain_db, ceiling_db)
    for number in range(_MOST_TRIES):
        result = loudness_of(_limited(blocks(), sample_rate_hz, gain_db, ceiling_db), sample_rate_hz)
        reached = -120.0 if result.lufs is None else result.lufs
        over_db = result.dbtp - HIGHEST_DBTP
        if abs(lufs - reached) <= _NEAR_LU and abs(over_db) <= _NEAR_LU:
            return gain_db, ceiling_db
        if number and gain_db != before[0]:  # the secant: beyond some point a decibel more adds only a part of one
            slope = min(1.0, max(_LEAST_SLOPE, (reached - before[1]) / (gain_db - before[0])))
        settings, before = (gain_db, ceiling_db), (gain_db, reached)
        gain_db += max(-_MOST_STEP_DB, min(_MOST_STEP_DB, (lufs - reached) / slope))
        ceiling_db -= over_db
    if abs(lufs - reached) <= _NEAR_ENOUGH_LU and over_db <= _NEAR_ENOUGH_DB:
        return settings
    raise CannotFix(f"limited as it has to be, it comes to {reached:.1f} LUFS, not {lufs:g}", "ask for less")


def _amplified(blocks: Iterator[Block], gain_db: float) -> Iterator[Block]:
    factor = np.float32(10 ** (gain_db / 20))
    return (block * factor for block in blocks)


def _limited(blocks: Iterator[Block], sample_rate_hz: int, gain_db: float, ceiling_db: float) -> Iterator[Block]:
    """With four times the samples, so that the peaks between them are limited, too."""
    limiter = f"limit={10 ** (ceiling_db / 20):.6f}:level=false:attack=5:release=50:latency=true"
    fine = 4 * sample_rate_hz
    steps = [("aresample", str(fine)), ("alimiter", limiter), ("aresample", str(sample_rate_hz))]
    return filtered(_amplified(blocks, gain_db), sample_rate_hz, steps)


def loudness_of(blocks: Iterator[Block], sample_rate_hz: int) -> Loud:
    """How loud the blocks are: float32 of shape (frames, channels)."""
    meters: tuple[LoudnessMeter, TruePeakMeter] | None = None
    with one_thread():
        for chunk in _chunks(blocks, sample_rate_hz):
            meters = meters or (LoudnessMeter(chunk.grid), TruePeakMeter(chunk.grid))
            for meter in meters:
                meter.add(chunk)
    if meters is None:
        return Loud(None, -120.0)
    loudness, peak = (meter.measurements() for meter in meters)
    return Loud(loudness.get("integrated_loudness_lufs"), peak["true_peak_dbtp"])


def peak_of(blocks: Iterator[Block], sample_rate_hz: int) -> Peak:
    """The highest peak of the blocks: float32 of shape (frames, channels)."""
    meter, sample = None, 0.0
    with one_thread():
        for chunk in _chunks(blocks, sample_rate_hz):
            meter = meter or TruePeakMeter(chunk.grid)
            meter.add(chunk)
            sample = max(sample, float(chunk.frame_peaks.max()))
    return Peak(sample, meter.measurements()["true_peak_dbtp"] if meter else -120.0)


def _chunks(blocks: Iterator[Block], sample_rate_hz: int) -> Iterator[Chunk]:
    rows = None
    for block in blocks:
        rows = rows or ChunkCutter(Grid.at(sample_rate_hz, block.shape[1]))
        yield from rows.add(block)
    if rows is not None:
        yield from rows.end()


def _without(blocks: Iterator[Block], sample_rate_hz: int, spans: tuple[Span, ...]) -> Iterator[Block]:
    """The blocks without `spans`, in order; where two ends meet, one fades into the other."""
    sound, position, fade = _Tape(blocks), 0, round(_FADE_S * sample_rate_hz)
    for start, end in ((round(start * sample_rate_hz), round(end * sample_rate_hz)) for start, end in spans):
        yield from sound.take(start - position)
        before = np.concatenate([*sound.take(fade)])
        for _ in sound.take(end - start - fade):
            pass
        after = np.concatenate([*sound.take(fade)])
        ramp = np.linspace(0, 1, fade, dtype=np.float32)[:, np.newaxis]
        yield np.asarray(before * (1 - ramp) + after * ramp, np.float32)
        position = end + fade
    yield from sound.take(None)


class _Tape:
    """Blocks as one tape, from which any length can be taken."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self._rest: Block | None = None

    def take(self, count: int | None) -> Iterator[Block]:
        """Yield the next `count` frames, None for all that are left."""
        while count is None or count > 0:
            block = next(self._blocks, None) if self._rest is None else self._rest
            if block is None:
                return
            part = block[:count]
            self._rest = block[len(part) :] if len(part) < len(block) else None
            count = None if count is None else count - len(part)
            yield part
