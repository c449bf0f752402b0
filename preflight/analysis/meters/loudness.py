"""Loudness according to ITU-R BS.1770-5 and EBU R 128: integrated, range, momentary and short-term maxima.

Annex 1 of BS.1770-5 filters each channel (K-weighting), takes the mean square z of blocks of 400 ms, adds the channels
with a weight of 1 for left and right, and defines the loudness as -0.691 + 10 log10(z) LKFS. Here the filter is applied
by overlap-save (see `frames_and_spectra`), and powers are kept per frame of 10 ms, then per 100 ms, from which blocks
are made.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.frames_and_spectra import FRAMES_PER_ROW
from preflight.analysis.meters.pictures import Columns
from preflight.analysis.pictures import LoudnessTrack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Chunk, Grid, Spectra

    Powers = NDArray[np.float64]

# 100 ms: gating blocks overlap by 75 % (BS.1770-5, annex 1).
_FRAMES_PER_STEP: Final = 10
# 400 ms: the gating block (BS.1770-5, annex 1), and the window of momentary loudness (EBU Tech 3341, 2.2).
_MOMENTARY_FRAMES: Final = 40
# 3 s (EBU Tech 3341, 2.2).
_SHORT_TERM_FRAMES: Final = 300
_LOWEST_LUFS: Final = -120.0
# Makes up for the K-weighting's gain at 997 Hz: a full-scale sine of 997 Hz in one channel has -3.01 LKFS.
_OFFSET_LU: Final = -0.691
# Both in BS.1770-5, annex 1.
_ABSOLUTE_GATE_LUFS: Final = -70.0
_RELATIVE_GATE_LU: Final = -10.0
# EBU Tech 3342: relative gate, and the percentiles whose difference is the loudness range.
_RANGE_GATE_LU: Final = -20.0
_RANGE_PERCENTILES: Final = (10, 95)
_MAX_COLUMNS: Final = 600
# Of the sample rate. Below 3.7 kHz the shelf's corner would be close to the Nyquist frequency or above it.
_HIGHEST_SHELF: Final = 0.45
# Below it there is little power to leave out.
_LEAST_HALVED_HZ: Final = 32_000
# The share of the lower half of the band, at its upper end, over which the response falls to zero.
_FADE: Final = 0.1
# Power above the lower half of the band, by the power of a row: 0.004 dB. Where there is more, all of it is filtered.
_MAX_ABOVE: Final = 1e-3
# Of the K-weighting above 2 kHz: +4.05 dB.
_SHELF_POWER: Final = 2.54


class LoudnessMeter:
    """Measure integrated loudness, loudness range, and the momentary and short-term maxima.

    Args:
        grid: The grid of the chunks; one or two channels.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._full = _Filter(grid, grid.frame)
        self._half = _Filter(grid, grid.frame // 2) if grid.sample_rate_hz >= _LEAST_HALVED_HZ else None
        self._steps: list[Powers] = []
        self._momentary = _Maximum(_MOMENTARY_FRAMES)
        self._short_term = _Maximum(_SHORT_TERM_FRAMES)

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        powers = self._frame_powers(chunk)[: chunk.whole_frames]
        self._momentary.add(powers)
        self._short_term.add(powers)
        whole = len(powers) // _FRAMES_PER_STEP * _FRAMES_PER_STEP
        self._steps.append(powers[:whole].reshape(-1, _FRAMES_PER_STEP).mean(axis=1))

    def _frame_powers(self, chunk: Chunk) -> Powers:
        """Return the K-weighted power of each frame, summed over the channels."""
        grid, spectra = self._grid, chunk.spectra
        # BS.1770-5 adds the channels' powers: two identical ones, of which one was transformed, count twice
        scale = grid.channels / chunk.distinct / grid.frame
        if self._half is None:
            return scale * self._full.powers(spectra).ravel()
        # Parseval's theorem: the power above the half band is the sum of the squares of its bins, of either sign
        above = spectra[..., self._half.fade_from :].view(np.float32)
        high = 2 * _SHELF_POWER * np.einsum("cri,cri->r", above, above) * grid.frame
        powers = self._half.powers(spectra)
        is_full = np.flatnonzero(high > _MAX_ABOVE * powers.mean(axis=1))
        if len(is_full):
            powers[is_full] = self._full.powers(spectra[:, is_full])
        return scale * powers.ravel()

    def measurements(self) -> dict[str, float]:
        """Return ``integrated_loudness_lufs``, ``loudness_range_lu``, ``momentary_max_lufs``, ``short_term_max_lufs``.

        Values are left out where the recording is shorter than a block, or all blocks are gated.
        """
        steps = np.concatenate(self._steps) if self._steps else np.empty(0)
        named = {
            "integrated_loudness_lufs": integrated(_moving_mean(steps, _MOMENTARY_FRAMES // _FRAMES_PER_STEP)),
            "loudness_range_lu": loudness_range(_moving_mean(steps, _SHORT_TERM_FRAMES // _FRAMES_PER_STEP)),
            "momentary_max_lufs": self._momentary.loudness(),
            "short_term_max_lufs": self._short_term.loudness(),
        }
        return {name: round(value, 2) + 0.0 for name, value in named.items() if value is not None}

    def momentary(self) -> LoudnessTrack | None:
        """Return the loudness in windows of 400 ms, not below -120 LUFS; None for a shorter recording."""
        return self._track(_MOMENTARY_FRAMES)

    def short_term(self) -> LoudnessTrack | None:
        """Return the loudness in windows of 3 s, not below -120 LUFS; None for a shorter recording."""
        return self._track(_SHORT_TERM_FRAMES)

    def _track(self, frames: int) -> LoudnessTrack | None:
        steps = np.concatenate(self._steps) if self._steps else np.empty(0)
        columns = Columns(_MAX_COLUMNS)
        columns.add(_moving_mean(steps, frames // _FRAMES_PER_STEP))
        powers = np.maximum(columns.highest(), _power(_LOWEST_LUFS))
        if not len(powers):
            return None
        return LoudnessTrack(
            first_s=frames / 2 * self._grid.frame_s,
            column_s=columns.width * _FRAMES_PER_STEP * self._grid.frame_s,
            lufs=tuple(round(_lufs(power), 1) for power in powers.tolist()),
        )


class _Filter:
    """The K-weighting, at the sample rate or below: an inverse transform of fewer bins resamples (see `resample`).

    Attributes:
        fade_from: The first bin that is not kept in full.
    """

    def __init__(self, grid: Grid, samples_per_frame: int) -> None:
        self._frame = samples_per_frame
        self._length = grid.transform * samples_per_frame // grid.frame
        lead = grid.lead // grid.frame * samples_per_frame
        self._row = slice(lead, lead + FRAMES_PER_ROW * samples_per_frame)
        bins = self._length // 2 + 1
        # times the transform's length, since both the spectra and numpy's inverse transform divide by it
        response = k_weighting(grid)[:bins] * self._length
        is_lower = samples_per_frame < grid.frame
        self.fade_from = round((1 - _FADE) * bins) if is_lower else bins
        if is_lower:
            response[self.fade_from :] *= np.cos(np.linspace(0, np.pi / 2, bins - self.fade_from))
        self._response = np.asarray(response * np.sqrt(grid.frame / samples_per_frame), np.complex64)

    def powers(self, spectra: Spectra) -> Powers:
        """Return the sum of the squares of each frame, over the channels, of shape (rows, frames)."""
        weighted = np.fft.irfft(spectra[..., : len(self._response)] * self._response, n=self._length)
        framed = weighted[..., self._row].reshape(*spectra.shape[:2], FRAMES_PER_ROW, self._frame)
        return np.asarray(np.einsum("crfi,crfi->rf", framed, framed), np.float64)


class _Maximum:
    """The loudest window of a number of frames.

    EBU Tech 3341 asks for at least 10 values a second. Here the window moves by one frame, 100 values a second: in
    steps of 100 ms a burst as long as the window would be 50 ms off at worst, and read 0.6 dB low (case 13 there).
    """

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._recent = np.empty(0)
        self._power = 0.0

    def add(self, powers: Powers) -> None:
        # a moving sum is the difference of two cumulative sums
        sums = np.cumsum(np.concatenate(([0.0], self._recent, powers)))
        if len(sums) > self._frames:
            self._power = max(self._power, float((sums[self._frames :] - sums[: -self._frames]).max()) / self._frames)
        self._recent = np.concatenate((self._recent, powers))[1 - self._frames :]

    def loudness(self) -> float | None:
        return _lufs(self._power) if self._power > _power(_LOWEST_LUFS) else None


def k_weighting(grid: Grid) -> NDArray[np.complex128]:
    """Return the frequency response of the K-weighting at the bins of `grid`: a high shelf, then a high-pass.

    BS.1770-5 gives coefficients for 48 kHz only (annex 1, tables 1 and 2), and asks for the same response at other
    rates. These are the analog prototypes whose bilinear transform at 48 kHz gives those coefficients; corner, quality
    and gain are those of libebur128, which solved the tables for them.

    >>> from preflight.analysis.frames_and_spectra import Grid
    >>> grid = Grid.at(48_000, channels=1)
    >>> gains = np.abs(k_weighting(grid))[[10, 250, 2500]]  # bins of 4 Hz: 40 Hz, 1 kHz, 10 kHz
    >>> np.round(20 * np.log10(gains), 2).tolist()
    [-5.57, 0.7, 4.04]
    """
    rate = grid.sample_rate_hz
    z = np.exp(-2j * np.pi * grid.frequencies_hz() / rate)  # z to the power -1, on the unit circle
    # stage 1, the effect of the head: +4 dB above 1.7 kHz (table 1)
    corner = min(1681.974450955533, _HIGHEST_SHELF * rate)
    k, q, gain = math.tan(math.pi * corner / rate), 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    middle = gain**0.4996667741545416
    shelf_b = (gain + middle * k / q + k * k, 2 * (k * k - gain), gain - middle * k / q + k * k)
    shelf = _biquad(z, shelf_b, (1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k))
    # stage 2, the revised low-frequency B curve: a high-pass at 38 Hz (table 2), with b = 1, -2, 1 although its a are
    # normalized: the gain at high frequencies is 1.005, not 1
    k, q = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    norm = 1 + k / q + k * k
    high_pass = _biquad(z, (norm, -2 * norm, norm), (norm, 2 * (k * k - 1), 1 - k / q + k * k))
    return shelf * high_pass


def _biquad(
    z: NDArray[np.complex128], b: tuple[float, float, float], a: tuple[float, float, float]
) -> NDArray[np.complex128]:
    return np.asarray((b[0] + b[1] * z + b[2] * z * z) / (a[0] + a[1] * z + a[2] * z * z))


def integrated(blocks: Powers) -> float | None:
    """Return the gated loudness in LUFS (BS.1770-5, annex 1); None when all blocks are gated.

    Args:
        blocks: The power of each block of 400 ms, K-weighted, summed over the channels; shape (blocks,).

    >>> quiet, loud = (10 ** ((lufs + 0.691) / 10) for lufs in (-40, -20))
    >>> round(integrated(np.array([loud, quiet])), 2)  # the quiet block is below the relative gate
    -20.0
    >>> integrated(np.array([1e-9])) is None  # below the absolute gate
    True
    """
    # the absolute gate at -70 LUFS, then the relative gate 10 LU below the mean of what passed the first
    loud = blocks[blocks > _power(_ABSOLUTE_GATE_LUFS)]
    if not len(loud):
        return None
    louder = loud[loud > loud.mean() * 10 ** (_RELATIVE_GATE_LU / 10)]
    return _lufs(float(louder.mean()))


def loudness_range(blocks: Powers) -> float | None:
    """Return the loudness range in LU (EBU Tech 3342); None when all blocks are gated.

    Args:
        blocks: The power of each block of 3 s, K-weighted, summed over the channels; shape (blocks,).

    >>> round(loudness_range(np.repeat([1e-3, 1e-2], 50)), 2)  # 10 dB apart
    10.0
    """
    # the absolute gate at -70 LUFS, then the relative gate 20 LU below the mean of what passed the first
    loud = blocks[blocks > _power(_ABSOLUTE_GATE_LUFS)]
    if not len(loud):
        return None
    louder = loud[loud > loud.mean() * 10 ** (_RANGE_GATE_LU / 10)]
    low, high = np.percentile(louder, _RANGE_PERCENTILES)
    return 10 * math.log10(high / low)


def _moving_mean(steps: Powers, count: int) -> Powers:
    if len(steps) < count:
        return np.empty(0)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(steps, count).mean(axis=1), np.float64)


def _lufs(power: float) -> float:
    return _OFFSET_LU + 10 * math.log10(power)


def _power(lufs: float) -> float:
    return float(10 ** ((lufs - _OFFSET_LU) / 10))
