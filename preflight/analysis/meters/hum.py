"""Mains hum: spectral lines at 50 or 60 Hz and their multiples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.meters.peak_and_rms import decibels, levels_db

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Grid, Samples

SAMPLES_PER_FRAME: Final = 20
"""2 kHz."""
# 0.5 s: the lines of the two mains frequencies are 10 Hz apart, a Hann window resolves 4 bins of 2 Hz; and few pauses
# are longer.
_WINDOW: Final = 1000
_HOP: Final = 500
_BATCH: Final = 16
_MAINS_HZ: Final = (50.0, 60.0)
# Up to 300 and 360 Hz. Transformers and rectifiers hum at the even ones, ground loops at all of them.
_HARMONICS: Final = 6
_CLASS_DB: Final = 3.0
_CLASSES: Final = 40
# A tenth, because pauses are a small share of fluent speech; but not so few windows that noise has lines by chance.
_QUIET_SHARE: Final = 0.1
_FEWEST_WINDOWS: Final = 6
_LARGEST_SHARE: Final = 0.25
# The neighborhood of a line: outside its main lobe, and short of the next line of the same mains frequency.
_AROUND_HZ: Final = (6.0, 24.0)
_LINE_HZ: Final = 2.0
_STRONGEST: Final = 3
# Dimmers and rectifiers buzz: all harmonics stand out, though none of the first six by much. Up to 900 and 960 Hz.
_BUZZ_HARMONICS: Final = (18, 16)
# Below the lowest mains frequency; its power in the same width is compared with that of the rest of the spectrum.
_RUMBLE_HZ: Final = (10.0, 45.0)
_ABOVE_RUMBLE_HZ: Final = 90.0
# Speech without hum has up to 11 dB.
_SURE_DB: Final = 12.0
# Speech without buzz has up to 3 dB, with hum up to 4.
_SURE_BUZZ_DB: Final = 5.0


def mains_hz(measurements: dict[str, float]) -> float | None:
    """Return the mains frequency if a `HumMeter` measured hum, else None."""
    is_sure = measurements.get("hum_db", 0.0) > _SURE_DB or measurements.get("buzz_db", 0.0) > _SURE_BUZZ_DB
    return measurements["hum_hz"] if is_sure else None


class HumMeter:
    """Measure hum in the quietest tenth of the windows: a voice has lines of its own.

    Args:
        grid: The grid of the recording.
    """

    def __init__(self, grid: Grid) -> None:
        self._bin_hz = SAMPLES_PER_FRAME / grid.frame_s / _WINDOW
        self._waiting: list[Samples] = []
        self._count = 0
        self._window = np.asarray(np.hanning(_WINDOW), np.float32)
        # the mean spectrum of each level class: which classes are the quietest is known at the end only
        self._logs = np.zeros((_CLASSES, _WINDOW // 2 + 1))
        self._counts = np.zeros(_CLASSES, np.int64)

    def add(self, samples: Samples) -> None:
        """Add the next samples of the downmix, shape (samples,), at `SAMPLES_PER_FRAME`."""
        self._waiting.append(samples)
        self._count += len(samples)
        if self._count >= _BATCH * _HOP:
            self.end()

    def end(self) -> None:
        """Measure the complete windows that are waiting."""
        wave = np.concatenate(self._waiting) if self._waiting else np.empty(0, np.float32)
        count = max(0, (len(wave) - _WINDOW) // _HOP + 1)
        self._waiting = [wave[count * _HOP :]]
        self._count = len(self._waiting[0])
        if count:
            self._measure(np.lib.stride_tricks.sliding_window_view(wave, _WINDOW)[: count * _HOP : _HOP])

    def _measure(self, windows: Samples) -> None:
        spectra = np.fft.rfft(windows * self._window, norm="forward")
        powers = spectra.real**2 + spectra.imag**2
        # 2 / mean² makes the peak of a line with amplitude 1 its power, 1/2: half of the amplitude is at the negative
        # frequency, and the window's mean is its coherent gain
        logs = levels_db(powers * np.float32(2 / self._window.mean() ** 2))
        levels = levels_db(powers.sum(axis=1))
        classes = np.clip((levels + _CLASS_DB * _CLASSES) / _CLASS_DB, 0, _CLASSES - 1).astype(np.intp)
        for level_class, row in zip(classes, logs, strict=True):
            self._logs[level_class] += row
            self._counts[level_class] += 1

    def measurements(self) -> dict[str, float]:
        """Return ``hum_hz`` (50 or 60), ``hum_db``, ``buzz_db``, ``hum_dbfs``, ``rumble_db``; empty below 0.5 s.

        ``hum_db`` is the mean height of the three of the first six harmonics that stand out most, ``buzz_db`` the
        median of all up to 900 Hz; ``hum_dbfs`` is the level of the first six together. ``rumble_db`` is the power
        between 10 and 45 Hz relative to that between 90 and 1000 Hz.
        """
        total = int(self._counts.sum())
        if not total:
            return {}
        wanted = max(_QUIET_SHARE * total, min(_FEWEST_WINDOWS, _LARGEST_SHARE * total))
        quietest = int(np.searchsorted(np.cumsum(self._counts), wanted)) + 1
        spectrum = self._logs[:quietest].sum(axis=0) / self._counts[:quietest].sum()
        lines = [self._lines(spectrum, mains) for mains in _MAINS_HZ]
        above, buzz, level, mains = max(lines, key=lambda found: max(found[:2]))
        found = {"hum_hz": mains, "hum_db": round(above, 1) + 0.0, "buzz_db": round(buzz, 1) + 0.0, "hum_dbfs": level}
        return found | {"rumble_db": round(self._rumble_db(spectrum), 1) + 0.0}

    def _rumble_db(self, spectrum: NDArray[np.float64]) -> float:
        hz, powers = np.arange(len(spectrum)) * self._bin_hz, 10 ** (spectrum / 10)
        low = powers[(hz >= _RUMBLE_HZ[0]) & (hz <= _RUMBLE_HZ[1])].sum()
        return float(10 * np.log10(max(low, 1e-12) / max(powers[hz >= _ABOVE_RUMBLE_HZ].sum(), 1e-12)))

    def _lines(self, spectrum: NDArray[np.float64], mains: float) -> tuple[float, float, float, float]:
        """Return dB above the neighborhood of the strongest and of the median line, dBFS, and the mains frequency."""
        harmonics = mains * np.arange(1, _BUZZ_HARMONICS[mains == _MAINS_HZ[1]] + 1)
        distances = np.abs(np.arange(len(spectrum)) * self._bin_hz - harmonics[:, np.newaxis])
        lines = np.where(distances <= _LINE_HZ, spectrum, -np.inf).max(axis=1)
        # the median, because a line of the other mains frequency may be in the neighborhood
        is_around = (distances >= _AROUND_HZ[0]) & (distances <= _AROUND_HZ[1])
        above = np.maximum(0.0, lines - _medians(spectrum, is_around))
        strongest = float(np.sort(above[:_HARMONICS])[-_STRONGEST:].mean())
        level = decibels(float((10 ** (lines[:_HARMONICS] / 10)).sum()))
        return strongest, float(np.median(above)), level, mains


def _medians(values: NDArray[np.float64], wanted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the median of the values that each row of `wanted` selects; a call of np.median for each is slow."""
    ordered = np.sort(np.where(wanted, values, np.inf), axis=1)
    counts, rows = wanted.sum(axis=1), np.arange(len(wanted))
    return np.asarray((ordered[rows, (counts - 1) // 2] + ordered[rows, counts // 2]) / 2)
