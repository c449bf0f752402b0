"""DC offset and relation of the channels, and what each contains: the voice, its inverse, or another speaker."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.analysis import ChannelFacts
from preflight.analysis.meters.peak_and_rms import decibels, levels_db
from preflight.analysis.spans import merged, true_runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Chunk, Grid
    from preflight.report import Span


_NAMES: Final = {1: ("",), 2: ("left_", "right_")}
# -120 dB: keeps the logarithms finite.
_LOWEST_POWER: Final = 1e-12


class ChannelMeter:
    """Measure the DC offset; for two channels also their difference, correlation, and the loss of their mono mix.

    Args:
        grid: The grid of the chunks; one or two channels.
    """

    def __init__(self, grid: Grid) -> None:
        self._sums = np.zeros(grid.channels)
        self._energies = np.zeros(grid.channels)
        self._product = 0.0
        self._count = 0
        self._frame = grid.frame
        self._identical = True

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        # sums of float32 over hours would lose their last digits: each frame in float32, their sum in float64
        self._sums += chunk.frame_means.sum(axis=1, dtype=np.float64) * self._frame
        self._energies += chunk.frame_powers.sum(axis=1, dtype=np.float64) * self._frame
        self._count += chunk.filled
        if len(chunk.wave) == 2:
            self._identical = self._identical and chunk.distinct == 1
            self._product += float(chunk.frame_products.sum(dtype=np.float64))

    def measurements(self) -> dict[str, float]:
        """Return the DC offset and, for two channels, their relation.

        ``dc_offset_percent``: of full scale, the largest of all channels. For two channels also
        ``left_dc_offset_percent`` and ``right_dc_offset_percent``; ``channel_difference_db``, the level of the louder
        channel relative to the other; ``channel_correlation``, Pearson's r, -1 to 1; ``fold_down_loss_db``, how much
        weaker the mean of both channels is than the channels; ``side_level_db``, the level of side (L - R) relative to
        mid (L + R), -120 for identical channels. All but the offsets ignore the offsets.
        """
        count = max(1, self._count)
        offsets = self._sums / count
        percents = [round(100 * float(offset), 3) + 0.0 for offset in offsets]
        found = {"dc_offset_percent": max(percents, key=abs)}
        if len(percents) == 2:
            found |= {f"{side}dc_offset_percent": percent for side, percent in zip(_NAMES[2], percents, strict=True)}
            found |= self._relation(offsets, count)
        return found

    def _relation(self, offsets: np.ndarray[tuple[int], np.dtype[np.float64]], count: int) -> dict[str, float]:
        # variances and covariance: E(x²) - E(x)², E(xy) - E(x)·E(y)
        left, right = (max(_LOWEST_POWER, float(power)) for power in self._energies / count - offsets**2)
        product = self._product / count - float(offsets.prod())
        # the powers of (L + R) / 2 and (L - R) / 2
        mid = max(_LOWEST_POWER, (left + right + 2 * product) / 4)
        side = 0.0 if self._identical else max(0.0, (left + right - 2 * product) / 4)
        return {
            "channel_difference_db": round(abs(10 * math.log10(left / right)), 2),
            "channel_correlation": round(max(-1.0, min(1.0, product / math.sqrt(left * right))), 4) + 0.0,
            "fold_down_loss_db": round(max(0.0, 10 * math.log10((left + right) / 2 / mid)), 2),
            "side_level_db": decibels(side / mid),
        }


_CLASS_DB: Final = 3.0
# From -120 to 0 dBFS.
_CLASSES: Final = 41
# Correlation below which the sum of two channels is weaker than either: its power is 2 (1 + r) times one channel's.
_OPPOSITE: Final = -0.5
# Correlation of two channels with one voice, and the share of rows that has it: wide stereo wavers around 0.
_SAME: Final = 0.8
_SAME_SHARE: Final = 0.5
# -60 dBFS: below it, correlation is chance.
_AUDIBLE: Final = 1e-6
# A channel this far below the loudest contains crosstalk or noise only.
_ACTIVE_DB: Final = 40.0
_LOUD_DB: Final = 30.0
# A channel 10 dB above all others is alone: a voice differs by as much between microphones a meter apart.
_ALONE: Final = 10.0
_CONTRAST_DB: Final = 10.0
_MIN_FLIP_S: Final = 1.0
_MAX_GAP_S: Final = 1.0


class LayoutMeter:
    """Measure levels, correlations and turns of all channels.

    Args:
        grid: The grid of the chunks; any number of channels.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        count = grid.channels
        self._products = np.zeros((count, count))
        self._samples = 0
        # histograms of the frames' levels, for each channel: of all frames, and of those in which it is alone
        self._levels = np.zeros((count, _CLASSES), np.int64)
        self._alone = np.zeros((count, _CLASSES), np.int64)
        self._correlations: list[NDArray[np.float64]] = []

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        self._samples += chunk.filled
        products = self._row_products(chunk)
        self._products += products.sum(axis=0)
        if self._grid.channels == 2:
            left, right = products[:, 0, 0], products[:, 1, 1]
            audible = np.minimum(left, right) > _AUDIBLE * self._grid.row
            scale = np.sqrt(np.maximum(left * right, 1e-30))
            self._correlations.append(np.where(audible, products[:, 0, 1] / scale, np.nan))
        self._count(chunk.frame_powers[:, : chunk.whole_frames])

    def _row_products(self, chunk: Chunk) -> NDArray[np.float64]:
        """Return the sums of the products of any two channels in each row, of shape (rows, channels, channels)."""
        count = self._grid.channels
        if count > 2:
            by_row = chunk.wave[:, self._grid.lead :].reshape(count, chunk.rows, self._grid.row).transpose(1, 0, 2)
            # the Gram matrix of each row: all products of two channels in one call
            return np.asarray(by_row @ by_row.transpose(0, 2, 1), np.float64)
        # the sums of the frames, which other meters need, too
        powers = chunk.frame_powers.reshape(count, chunk.rows, -1).sum(axis=2, dtype=np.float64) * self._grid.frame
        products = np.empty((chunk.rows, count, count))
        products[:, range(count), range(count)] = powers.T
        if count == 2:
            products[:, [0, 1], [1, 0]] = chunk.frame_products.reshape(chunk.rows, -1).sum(axis=1)[:, np.newaxis]
        return products

    def _count(self, powers: NDArray[np.float32]) -> None:
        levels = levels_db(powers)
        classes = np.clip((levels + 120) / _CLASS_DB, 0, _CLASSES - 1).astype(np.intp)
        for channel, row in enumerate(classes):
            self._levels[channel] += np.bincount(row, minlength=_CLASSES)
        if len(powers) < 2 or not powers.shape[1]:
            return
        order = np.sort(powers, axis=0)
        top = np.argmax(powers, axis=0)
        alone = order[-1] > _ALONE * order[-2]
        # add.at and not +=, which counts a repeated index once
        np.add.at(self._alone, (top[alone], classes[top[alone], np.flatnonzero(alone)]), 1)

    def facts(self) -> ChannelFacts:
        """Return the facts, after all chunks were added."""
        powers = np.diag(self._products) / max(1, self._samples)
        levels = levels_db(powers)
        return ChannelFacts(
            levels_dbfs=tuple(round(float(level), 2) for level in levels),
            best=self._best(),
            opposite=self._opposite(levels),
            flipped=self._flipped(),
            alone_s=self._alone_s(),
            correlation=self._correlation(0, 1) if len(powers) == 2 else 1.0,
        )

    def _correlation(self, one: int, other: int) -> float:
        scale = float(np.sqrt(self._products[one, one] * self._products[other, other]))
        return float(self._products[one, other]) / scale if scale > 0 else 0.0

    def _best(self) -> int:
        """Return the loudest of the channels whose level varies as a voice's does: steady noise is not a voice."""
        low, high = (_percentiles(self._levels, share) for share in (0.1, 0.95))
        contrast = high - low
        return int(np.argmax(np.where(contrast >= contrast.max() - _CONTRAST_DB, high, -np.inf)))

    def _opposite(self, levels: NDArray[np.float32]) -> tuple[tuple[int, int], ...]:
        active = np.flatnonzero(levels > levels.max() - _ACTIVE_DB)
        pairs = [(int(one), int(other)) for at, one in enumerate(active) for other in active[at + 1 :]]
        return tuple(pair for pair in pairs if self._correlation(*pair) < _OPPOSITE)

    def _flipped(self) -> tuple[Span, ...]:
        """Return where two channels are out of phase that are in phase elsewhere."""
        found = np.concatenate(self._correlations) if self._correlations else np.empty(0)
        row_s = self._grid.row_s
        with np.errstate(invalid="ignore"):  # rows that are too quiet are nan, and compare as false
            opposite, alike = found < -_SAME, found > _SAME
        is_one_source = opposite.sum() + alike.sum() > _SAME_SHARE * np.isfinite(found).sum()
        if not is_one_source or min(opposite.sum(), alike.sum()) * row_s < _MIN_FLIP_S:
            return ()
        # silence between two rows that are out of phase belongs to them
        runs = true_runs(opposite | (~alike & _follows_opposite(opposite, alike)))
        spans = merged(runs[:, 0] * row_s, runs[:, 1] * row_s, _MAX_GAP_S)
        return tuple(span for span in spans if span[1] - span[0] >= _MIN_FLIP_S)

    def _alone_s(self) -> tuple[float, ...]:
        high = float(_percentiles(self._levels, 0.95).max())
        loudest = int((high + 120) / _CLASS_DB)
        counts = self._alone[:, max(0, loudest - round(_LOUD_DB / _CLASS_DB)) :].sum(axis=1)
        return tuple(round(float(count) * self._grid.frame_s, 2) for count in counts)


def _follows_opposite(opposite: NDArray[np.bool_], alike: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where the last decided row, this one included, was out of phase."""
    decided = np.where(opposite, 1, np.where(alike, -1, 0))
    last = np.maximum.accumulate(np.where(decided != 0, np.arange(len(decided)), 0))
    return np.asarray(decided[last] == 1)


def _percentiles(counts: NDArray[np.int64], share: float) -> NDArray[np.float64]:
    """Return, for each channel, the level in dBFS that `share` of its frames do not exceed, in steps of 3 dB."""
    sums = np.cumsum(counts, axis=1)
    wanted = share * sums[:, -1:]
    return np.asarray(np.argmax(sums >= wanted, axis=1) * _CLASS_DB - 120, np.float64)
