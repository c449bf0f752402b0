"""Mains hum: lines at 50 or 60 Hz and their multiples that stand out of what is around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.decibels import decibels, levels_db

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.framing import Grid, Samples

SAMPLES_PER_FRAME: Final = 20
"""2 kHz."""
_WINDOW: Final = 1000
"""Half a second: the lines of the mains stand 10 Hz apart, and few pauses are longer."""
_HOP: Final = 500
_BATCH: Final = 16
_MAINS_HZ: Final = (50.0, 60.0)
_HARMONICS: Final = 6
_CLASS_DB: Final = 3.0
_CLASSES: Final = 40
_QUIET_SHARE: Final = 0.25
_NEAR_HZ: Final = (6.0, 24.0)
_LINE_HZ: Final = 2.0
_STRONGEST: Final = 3


class HumMeter:
    """Looks at the quietest quarter of the seconds: a voice has lines of its own.

    Args:
        grid: Of the recording.
    """

    def __init__(self, grid: Grid) -> None:
        self._bin_hz = SAMPLES_PER_FRAME / grid.frame_s / _WINDOW
        self._waiting: list[Samples] = []
        self._count = 0
        self._window = np.asarray(np.hanning(_WINDOW), np.float32)
        self._logs = np.zeros((_CLASSES, _WINDOW // 2 + 1))
        self._counts = np.zeros(_CLASSES, np.int64)

    def add(self, samples: Samples) -> None:
        """Take the next samples of the downmix at `SAMPLES_PER_FRAME`."""
        self._waiting.append(samples)
        self._count += len(samples)
        if self._count >= _BATCH * _HOP:
            self.end()

    def end(self) -> None:
        """Take the whole windows that are waiting."""
        wave = np.concatenate(self._waiting) if self._waiting else np.empty(0, np.float32)
        count = max(0, (len(wave) - _WINDOW) // _HOP + 1)
        self._waiting = [wave[count * _HOP :]]
        self._count = len(self._waiting[0])
        if count:
            self._take(np.lib.stride_tricks.sliding_window_view(wave, _WINDOW)[: count * _HOP : _HOP])

    def _take(self, windows: Samples) -> None:
        spectra = np.fft.rfft(windows * self._window, norm="forward")
        powers = spectra.real**2 + spectra.imag**2
        # a line of amplitude 1 has the power 1/2, as it has in the wave
        logs = levels_db(powers * np.float32(2 / self._window.mean() ** 2))
        levels = levels_db(powers.sum(axis=1))
        classes = np.clip((levels + _CLASS_DB * _CLASSES) / _CLASS_DB, 0, _CLASSES - 1).astype(np.intp)
        for level_class, row in zip(classes, logs, strict=True):
            self._logs[level_class] += row
            self._counts[level_class] += 1

    def measurements(self) -> dict[str, float]:
        """``hum_hz`` (50 or 60), ``hum_db`` over the neighbourhood and ``hum_dbfs``; empty below a second of sound.

        The first is the mean of the three lines that stand out most, the fundamental's six multiples considered.
        """
        total = int(self._counts.sum())
        if not total:
            return {}
        quietest = int(np.searchsorted(np.cumsum(self._counts), _QUIET_SHARE * total)) + 1
        spectrum = self._logs[:quietest].sum(axis=0) / self._counts[:quietest].sum()
        above, level, mains = max(self._lines(spectrum, mains) for mains in _MAINS_HZ)
        return {"hum_hz": mains, "hum_db": round(above, 1) + 0.0, "hum_dbfs": level}

    def _lines(self, spectrum: NDArray[np.float64], mains: float) -> tuple[float, float, float]:
        frequencies = np.arange(len(spectrum)) * self._bin_hz
        above, powers = [], []
        for number in range(1, _HARMONICS + 1):
            away = np.abs(frequencies - number * mains)
            line = float(spectrum[away <= _LINE_HZ].max())
            around = float(np.median(spectrum[(away >= _NEAR_HZ[0]) & (away <= _NEAR_HZ[1])]))
            above.append(max(0.0, line - around))
            powers.append(10 ** (line / 10))
        return float(np.sort(above)[-_STRONGEST:].mean()), decibels(sum(powers)), mains
