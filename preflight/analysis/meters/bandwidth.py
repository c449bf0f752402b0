"""Effective bandwidth: the highest frequency with voice, at any sample rate; and steady tones above 4 kHz.

A recording upsampled from telephone audio (ITU-T G.712: 300 to 3400 Hz) has a high sample rate, and nothing above
3.4 kHz. Screens and switching power supplies whine at up to 20 kHz.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.meters.peak_and_rms import decibels, levels_db

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Chunk, Grid, Spectra

_BAND_HZ: Final = 100.0
# Every second row is measured: the statistics are the same from half of them.
_ROW_STEP: Final = 2
_CLASS_DB: Final = 3.0
_CLASSES: Final = 40
_LOUDEST_SHARE: Final = 0.05
# Below the loud rows. Rows below that are room noise, or silence from a noise gate.
_RANGE_DB: Final = 36.0
# Standard deviation of a band's level over the rows: 1.0 for stationary noise, 4 and more for a voice.
_MIN_DEVIATION_DB: Final = 2.0
_BELOW_VOICE_DB: Final = 65.0
_VOICE_HZ: Final = (200.0, 3000.0)
_MAX_GAP_BANDS: Final = 4
_BANDS_ABOVE: Final = 10
# Noise within 45 dB of the strongest band may cover the upper end of a voice.
_MASKED_DB: Final = 45.0
# Tones below are those of `MusicMeter`.
_WHINE_HZ: Final = 4000.0
# Of the rows within 39 dB of the loudest: there a voice is weakest.
_QUIET_SHARE: Final = 0.25
_QUIET_RANGE_DB: Final = 39.0
_FEWEST_ROWS: Final = 5
# To the median of the bands 200 to 600 Hz away, on either side: noise in a band of 100 Hz differs by less than 3 dB.
_AROUND_BANDS: Final = (2, 6)
_TONE_DB: Final = 10.0
# Standard deviation: a tone in noise 10 dB below it has 1.3 dB at most.
_STEADY_DB: Final = 1.5
# What the Hann window leaves of a line's power in its three bins: (1 + 1/4 + 1/4) / 4, of 1/2.
_HANN_POWER: Final = 0.75


class BandwidthMeter:
    """Find the highest band whose level varies as a voice does.

    A voice varies in all its bands. Above the edge of a telephone line, a resampler or a low bit rate there is nothing,
    or noise at a constant level.

    Args:
        grid: The grid of the chunks.
    """

    def __init__(self, grid: Grid) -> None:
        self._bins = max(1, round(_BAND_HZ / grid.bin_hz))
        self._band_hz = self._bins * grid.bin_hz
        self._bands = (grid.transform // 2 + 1) // self._bins
        # for each class of rows by their level: the number of rows, and in each band the sums of power, level in dB and
        # squared level. Which classes count is known at the end only, and rows are not kept
        self._counts = np.zeros(_CLASSES, np.int64)
        self._sums = np.zeros((_CLASSES, 3, self._bands))

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        whole = chunk.filled // chunk.grid.row
        rows = chunk.mixed_spectra[(-chunk.first_row) % _ROW_STEP : whole : _ROW_STEP]
        if not len(rows):
            return
        hann = hann_spectra(rows)
        powers = np.zeros(rows.shape, np.float32)
        powers[:, 1:-1] = hann.real**2 + hann.imag**2
        bands = powers[:, : self._bands * self._bins].reshape(len(rows), self._bands, self._bins).sum(axis=2)
        levels = levels_db(bands)
        classes = (levels_db(bands.sum(axis=1)) / _CLASS_DB).astype(np.intp) + _CLASSES - 1
        for row, level_class in enumerate(np.clip(classes, 0, _CLASSES - 1)):
            self._counts[level_class] += 1
            self._sums[level_class] += (bands[row], levels[row], levels[row] ** 2)

    def measurements(self) -> dict[str, float]:
        """Return ``bandwidth_hz``, to about 100 Hz; empty where no band varies, or noise covers the upper end."""
        total = int(self._counts.sum())
        if total < 2:  # a deviation needs two rows
            return {}
        loudest = int(np.searchsorted(np.cumsum(self._counts), (1 - _LOUDEST_SHARE) * total))
        used = slice(max(0, loudest - round(_RANGE_DB / _CLASS_DB)), _CLASSES)
        power, level, square = self._sums[used].sum(axis=0) / self._counts[used].sum()
        deviation = np.sqrt(np.maximum(0.0, square - level**2))  # Var(x) = E(x²) - E(x)²
        mean = levels_db(power)
        strongest = self._strongest(mean)
        varying = np.flatnonzero((mean > strongest - _BELOW_VOICE_DB) & (deviation > _MIN_DEVIATION_DB))
        if not len(varying):
            return {}
        # a single band far above all others is a whistle (of a switching power supply, say), not a voice
        gaps = np.flatnonzero(np.diff(varying) > _MAX_GAP_BANDS)
        last = int(varying[gaps[0]] if len(gaps) else varying[-1])
        if mean[last + 2 : last + 2 + _BANDS_ABOVE].max(initial=-120.0) > strongest - _MASKED_DB:
            return {}
        return {"bandwidth_hz": float(round((last + 1) * self._band_hz, -1))}

    def whine(self) -> dict[str, float]:
        """Return ``whine_hz``, to 100 Hz, and ``whine_dbfs`` of the strongest steady tone above 4 kHz, if any."""
        counts = self._counts.copy()
        loudest = int(np.searchsorted(np.cumsum(counts), (1 - _LOUDEST_SHARE) * counts.sum()))
        counts[: max(0, loudest - round(_QUIET_RANGE_DB / _CLASS_DB))] = 0
        quiet = (np.arange(_CLASSES) <= np.searchsorted(np.cumsum(counts), _QUIET_SHARE * counts.sum())) & (counts > 0)
        rows = int(counts[quiet].sum())
        if rows < _FEWEST_ROWS:
            return {}
        power, level, square = self._sums[quiet].sum(axis=0) / rows
        is_steady = np.sqrt(np.maximum(0.0, square - level**2)) < _STEADY_DB
        near, far = _AROUND_BANDS
        bands = np.arange(max(far, round(_WHINE_HZ / self._band_hz)), self._bands - far)
        if not len(bands):
            return {}
        medians = np.median(np.lib.stride_tricks.sliding_window_view(level, far - near + 1), axis=1)
        around = np.maximum(medians[bands - far], medians[bands + near])
        found = (-120.0, 0)
        for band in bands[is_steady[bands] & (level[bands] > around + _TONE_DB)].tolist():
            found = max(found, (decibels(float(power[band - 1 : band + 2].sum()) / _HANN_POWER), band))
        return {"whine_hz": round((found[1] + 0.5) * self._band_hz, -2), "whine_dbfs": found[0]} if found[1] else {}

    def _strongest(self, spectrum: NDArray[np.float32]) -> float:
        """Return the level of the strongest band of the voice, between 200 and 3000 Hz: below there may be hum."""
        centres = (np.arange(self._bands) + 0.5) * self._band_hz
        within = spectrum[(centres >= _VOICE_HZ[0]) & (centres <= _VOICE_HZ[1])]
        return float((within if len(within) else spectrum).max())


def hann_spectra(spectra: Spectra) -> Spectra:
    """Return `spectra` as if the samples had been multiplied with a Hann window before the transform.

    The window 1 - cos(2πn/N) is a sum of three exponentials, so that in the spectrum it is the convolution with
    (-1/2, 1, -1/2) (Harris, "On the use of windows for harmonic analysis with the discrete Fourier transform", Proc.
    IEEE 66(1), 1978). Without it the low end of a voice would leak over the high end.

    Args:
        spectra: Shape (rows, bins), of real samples under a rectangular window.

    Returns:
        Shape (rows, bins - 2): the first and the last bin are left out.
    """
    return np.asarray(spectra[:, 1:-1] - np.complex64(0.5) * (spectra[:, :-2] + spectra[:, 2:]), np.complex64)
