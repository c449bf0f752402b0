"""Loudness by ITU-R BS.1770-5 and EBU R 128: integrated, range, and the loudest moments."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.columns import Columns
from preflight.analysis.pictures import LoudnessTrack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.framing import Chunk, Grid

    Powers = NDArray[np.float64]

_FRAMES_PER_STEP: Final = 10
"""100 ms: by so much the blocks of the gates move."""
_MOMENTARY_FRAMES: Final = 40
"""400 ms: the gating block of BS.1770-5, annex 1."""
_SHORT_TERM_FRAMES: Final = 300
"""3 s (EBU Tech 3341)."""
_QUIETEST_LUFS: Final = -120.0
_OFFSET_LU: Final = -0.691
_ABSOLUTE_GATE_LUFS: Final = -70.0
_RELATIVE_GATE_LU: Final = -10.0
_RANGE_GATE_LU: Final = -20.0
_RANGE_PERCENTILES: Final = (10, 95)
"""EBU Tech 3342."""
_MOST_COLUMNS: Final = 600
_HIGHEST_SHELF: Final = 0.45
"""Of the sample rate: below 3.7 kHz the shelf filter's corner would lie outside the spectrum."""


class LoudnessMeter:
    """Integrated loudness, loudness range, momentary and short-term maxima.

    Args:
        grid: Of the chunks.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        # the spectra are divided by the transform's length, and so is what the inverse transform gives
        self._response = np.asarray(k_weighting(grid) * grid.transform, np.complex64)
        self._steps: list[Powers] = []
        self._momentary = _Maximum(_MOMENTARY_FRAMES)
        self._short_term = _Maximum(_SHORT_TERM_FRAMES)

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        grid = self._grid
        weighted = np.fft.irfft(chunk.spectra * self._response, n=grid.transform)[..., grid.lead :]
        framed = weighted.reshape(chunk.distinct, -1, grid.frame)
        powers = np.einsum("cfi,cfi->f", framed, framed).astype(np.float64)[: chunk.whole_frames]
        powers *= grid.channels / chunk.distinct / grid.frame
        self._momentary.add(powers)
        self._short_term.add(powers)
        whole = len(powers) // _FRAMES_PER_STEP * _FRAMES_PER_STEP
        self._steps.append(powers[:whole].reshape(-1, _FRAMES_PER_STEP).mean(axis=1))

    def measurements(self) -> dict[str, float]:
        """``integrated_loudness_lufs``, ``loudness_range_lu``, ``momentary_max_lufs``, ``short_term_max_lufs``.

        What the recording is too short or too quiet for is left out.
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
        """Loudness in windows of 400 ms, not below -120 LUFS; None where the recording is shorter."""
        return self._track(_MOMENTARY_FRAMES)

    def short_term(self) -> LoudnessTrack | None:
        """Loudness in windows of 3 s, not below -120 LUFS; None where the recording is shorter."""
        return self._track(_SHORT_TERM_FRAMES)

    def _track(self, frames: int) -> LoudnessTrack | None:
        steps = np.concatenate(self._steps) if self._steps else np.empty(0)
        columns = Columns(_MOST_COLUMNS)
        columns.add(_moving_mean(steps, frames // _FRAMES_PER_STEP))
        powers = np.maximum(columns.highest(), _power(_QUIETEST_LUFS))
        if not len(powers):
            return None
        return LoudnessTrack(
            first_s=frames / 2 * self._grid.frame_s,
            column_s=columns.width * _FRAMES_PER_STEP * self._grid.frame_s,
            lufs=tuple(round(_lufs(power), 1) for power in powers.tolist()),
        )


class _Maximum:
    """The loudest stretch of so many frames; it is moved by one frame, so that no burst falls between two."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._recent = np.empty(0)
        self._power = 0.0

    def add(self, powers: Powers) -> None:
        sums = np.cumsum(np.concatenate(([0.0], self._recent, powers)))
        if len(sums) > self._frames:
            self._power = max(self._power, float((sums[self._frames :] - sums[: -self._frames]).max()) / self._frames)
        self._recent = np.concatenate((self._recent, powers))[1 - self._frames :]

    def loudness(self) -> float | None:
        return _lufs(self._power) if self._power > _power(_QUIETEST_LUFS) else None


def k_weighting(grid: Grid) -> NDArray[np.complex128]:
    """The K-weighting's response at the bins of `grid`.

    A high shelf and a high-pass, derived for any sample rate from the analogue filters of which the coefficients in
    BS.1770-5, tables 1 and 2, are the bilinear transform at 48 kHz.
    """
    rate = grid.sample_rate_hz
    z = np.exp(-2j * np.pi * grid.frequencies_hz() / rate)
    corner = min(1681.974450955533, _HIGHEST_SHELF * rate)
    k, q, gain = math.tan(math.pi * corner / rate), 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    middle = gain**0.4996667741545416
    shelf_b = (gain + middle * k / q + k * k, 2 * (k * k - gain), gain - middle * k / q + k * k)
    shelf = _biquad(z, shelf_b, (1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k))
    k, q = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    norm = 1 + k / q + k * k
    high_pass = _biquad(z, (norm, -2 * norm, norm), (norm, 2 * (k * k - 1), 1 - k / q + k * k))
    return shelf * high_pass


def _biquad(
    z: NDArray[np.complex128], b: tuple[float, float, float], a: tuple[float, float, float]
) -> NDArray[np.complex128]:
    return np.asarray((b[0] + b[1] * z + b[2] * z * z) / (a[0] + a[1] * z + a[2] * z * z))


def integrated(blocks: Powers) -> float | None:
    """Gated loudness in LUFS of the powers of 400 ms blocks; None when all are gated (BS.1770-5, annex 1)."""
    loud = blocks[blocks > _power(_ABSOLUTE_GATE_LUFS)]
    if not len(loud):
        return None
    louder = loud[loud > loud.mean() * 10 ** (_RELATIVE_GATE_LU / 10)]
    return _lufs(float(louder.mean()))


def loudness_range(blocks: Powers) -> float | None:
    """Loudness range in LU of the powers of 3 s blocks; None when all are gated (EBU Tech 3342)."""
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
