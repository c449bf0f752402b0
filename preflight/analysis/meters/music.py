"""Music: tones that hold their pitch, and change, in the quieter parts of a recording.

The harmonics of a voice glide: above 500 Hz hardly any stays within 4 Hz for as long as 0.2 s. The partials of a note
do, and so do hum and whine, but these never change. In a room partials go on after a voice, too, but they decay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.meters.bandwidth import hann_spectra
from preflight.analysis.meters.peak_and_rms import levels_db

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Chunk, Grid, Samples, Spectra

    Flags = NDArray[np.bool_]

# Below, even a gliding voice moves by less than a bin of 4 Hz in 0.2 s; above, music has little.
_RANGE_HZ: Final = (500.0, 4000.0)
# A line is 12 dB above the mean level, in dB, of the 60 Hz to either side: 1 of 400 bins of noise is, by chance.
_AROUND_HZ: Final = 60.0
_ABOVE_DB: Final = 12.0
# From one row to the next, 0.2 s later. In a room with a reverberation time of 1 s it falls by 12 dB.
_MAX_FALL_DB: Final = 3.0
# A plucked note of a short instrument.
_MAX_FADE_DB: Final = 9.0
# Of the rows within 40 dB of the loudest: there a voice is weakest.
_QUIET_SHARE: Final = 0.25
_RANGE_DB: Final = 40.0
_LOUD_SHARE: Final = 0.05
# A line in more than half of these rows is hum or whine.
_STEADY: Final = 0.5
# A line in more than four fifths of them: no note is held that long.
_WHINE: Final = 0.8
_MAINS_WIDTH_HZ: Final = 6.0
_MIN_ROWS: Final = 10
# numpy's calls cost more than their work on the four rows of a chunk.
_BATCH: Final = 32
_CLASS_DB: Final = 1.5
_CLASSES: Final = 80
_FEWEST_BINS: Final = 200


class MusicMeter:
    """Count the lines that are held from one row to the next, by the level of the row.

    Args:
        grid: The grid of the chunks.
    """

    def __init__(self, grid: Grid) -> None:
        self._bin_hz = grid.bin_hz
        self._around = max(1, round(_AROUND_HZ / grid.bin_hz))
        low = round(_RANGE_HZ[0] / grid.bin_hz)
        high = min(round(_RANGE_HZ[1] / grid.bin_hz), grid.transform // 2 - 2 - self._around)
        self._first, self._size = low, max(0, high - low)
        # what is examined, its neighborhood, and the bin on either side that the Hann window takes
        self._slice = slice(low - self._around - 1, low + self._size + self._around + 1)
        self._waiting: list[Spectra] = []
        self._count = 0
        # for each class of rows by level: their number, and how many have a line, a held and a fading one, in each bin
        self._rows = np.zeros(_CLASSES, np.int64)
        self._lines = np.zeros((_CLASSES, self._size), np.int32)
        self._held = np.zeros((_CLASSES, self._size), np.int32)
        self._fading = np.zeros((_CLASSES, self._size), np.int32)
        self._levels = np.zeros((_CLASSES, self._size))

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        rows = chunk.mixed_spectra[: chunk.filled // chunk.grid.row, self._slice]
        if self._size < _FEWEST_BINS or not len(rows):
            return
        if not self._waiting:  # nothing before the first row
            self._waiting, self._count = [np.zeros_like(rows[:1])], 1
        self._waiting.append(rows.copy())
        self._count += len(rows)
        if self._count >= _BATCH:
            self._measure()

    def end(self) -> None:
        """Measure the rows that are waiting; nothing follows the last one."""
        if self._waiting:
            self._waiting.append(np.zeros_like(self._waiting[0][:1]))
            self._measure()

    def _measure(self) -> None:
        """Examine all waiting rows but the first and the last, which are compared only."""
        spectra = np.concatenate(self._waiting)
        self._waiting, self._count = [spectra[-2:]], 2
        if len(spectra) < 3:
            return
        hann = hann_spectra(spectra)
        powers = hann.real**2 + hann.imag**2
        levels = levels_db(powers)
        near = slice(self._around, self._around + self._size)
        lines = _peaks(levels, self._around)
        wide = _widened(lines)
        reach = np.maximum(
            np.maximum(levels[:, near.start - 1 : near.stop - 1], levels[:, near]),
            levels[:, near.start + 1 : near.stop + 1],
        )
        levels = levels[:, near]
        ahead = np.where(wide[2:], reach[2:] - levels[1:-1], -np.inf)
        behind = np.where(wide[:-2], levels[1:-1] - reach[:-2], -np.inf)
        change = np.maximum(ahead, behind)
        held, fading = (lines[1:-1] & (change > -fall) for fall in (_MAX_FALL_DB, _MAX_FADE_DB))
        loudness = levels_db(powers[1:-1, near].sum(axis=1))
        classes = np.clip(loudness / _CLASS_DB + _CLASSES, 0, _CLASSES - 1).astype(np.intp)
        for at, level_class in enumerate(classes.tolist()):
            self._rows[level_class] += 1
            self._lines[level_class] += wide[at + 1]
            self._held[level_class] += held[at]
            self._fading[level_class] += fading[at]
            self._levels[level_class] += levels[at + 1]

    def measurements(self, mains_hz: float | None) -> dict[str, float]:
        """Return ``held_tones`` and ``fading_tones``, and of the strongest whine ``whine_hz`` and ``whine_dbfs``.

        ``held_tones`` is the mean number of tones held in a quiet row, without those that never change, which are
        whines. ``fading_tones`` also counts those that fall by up to 9 dB in 0.2 s. Empty for fewer than ten quiet rows
        (2 s).

        Args:
            mains_hz: The frequency of mains hum, whose harmonics do not count; None without hum.
        """
        quiet = self._quiet()
        count = int(self._rows[quiet].sum())
        if count < _MIN_ROWS:
            return {}
        hz = (self._first + np.arange(self._size)) * self._bin_hz
        wanted = np.ones(self._size, bool)
        if mains_hz is not None:
            wanted = np.abs(hz - mains_hz * np.rint(hz / mains_hz)) > _MAINS_WIDTH_HZ
        lines = self._lines[quiet].sum(axis=0) / count
        changes = wanted & (lines <= _STEADY)
        found = {
            name: round(float(counts[quiet].sum(axis=0)[changes].sum() / count), 2)
            for name, counts in (("held_tones", self._held), ("fading_tones", self._fading))
        }
        whines = np.flatnonzero(wanted & (lines > _WHINE))
        if len(whines):
            levels = self._levels[quiet].sum(axis=0)[whines] / count
            # a sine of amplitude 1, power 1/2, has the power 1/4 at the positive frequency
            level = float(levels.max()) + 10 * np.log10(2)
            found |= {"whine_hz": round(float(hz[whines[levels.argmax()]]), -1), "whine_dbfs": round(float(level), 1)}
        return found

    def _quiet(self) -> Flags:
        """Return which classes are the quiet ones; none without rows."""
        total = int(self._rows.sum())
        loudest = int(np.searchsorted(np.cumsum(self._rows), (1 - _LOUD_SHARE) * total))
        rows = self._rows.copy()
        rows[: max(0, loudest - round(_RANGE_DB / _CLASS_DB))] = 0
        quiet = np.arange(_CLASSES) <= np.searchsorted(np.cumsum(rows), _QUIET_SHARE * rows.sum())
        return np.asarray(quiet & (rows > 0))


def _peaks(levels: Samples, around: int) -> Flags:
    """Return where a bin is a local maximum and stands out; `around` bins fewer at either end."""
    size = levels.shape[1] - 2 * around
    sums = np.cumsum(np.pad(levels, ((0, 0), (1, 0))), axis=1, dtype=np.float32)
    mean = (sums[:, 2 * around + 1 :] - sums[:, : -2 * around - 1]) / np.float32(2 * around + 1)
    here = levels[:, around : around + size]
    is_top = (here >= levels[:, around - 1 : around - 1 + size]) & (here >= levels[:, around + 1 : around + 1 + size])
    return np.asarray(is_top & (here > mean + np.float32(_ABOVE_DB)))


def _widened(flags: Flags) -> Flags:
    """Return true next to a true flag, too."""
    wide = flags.copy()
    wide[:, 1:] |= flags[:, :-1]
    wide[:, :-1] |= flags[:, 1:]
    return wide
