"""Dropouts: gaps of digital silence in sound, buffers that were written twice, and single-sample clicks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from preflight.analysis.meters.clicks import ClickDetector
from preflight.analysis.spans import merged, true_runs

if TYPE_CHECKING:
    from preflight.analysis.frames_and_spectra import Chunk, Grid, Samples
    from preflight.report import Span


# -80 dBFS: the pauses of even a quiet recording have samples above it within a few milliseconds.
_SILENT: Final = np.float32(1e-4)
_SHORTEST_S: Final = 0.004
_LONGEST_S: Final = 1.0
_EDGE_S: Final = 0.003
# Samples of a gap that are looked at first: eight in a row are not silent by chance, as single zero crossings are.
_COVERED: Final = 8
_DOUBLED: Final = (1, 2, 4)
# -48 dBFS within 3 ms before and after a gap: neither a voice nor a room falls and rises by 30 dB so fast.
_LOUD: Final = np.float32(0.004)
# With 8 bits the last bit alone has -42 dBFS, and everything below it is silence.
_LOUD_WHEN_COARSE: Final = np.float32(0.06)
# -30 dB relative to the channel's peak: what a noise gate passes before it closes is weaker.
_OF_PEAK: Final = 0.03
_OF_PEAK_WHEN_GATED: Final = 0.25
# Other digital silences of at least 4 ms, which no dropout explains. They are the work of a noise gate or a speech
# synthesizer, and then only a gap in loud sound counts as a dropout.
_GATED_FROM: Final = 2
# 12 dB above the peaks of the quietest tenth of the sound: a gate or a low bit depth silences what is weaker than all
# that it leaves, so that its silence has quiet neighbors.
_ABOVE_QUIETEST: Final = 4.0
_QUIETEST: Final = 0.1
# Of the highest peak: sound that is always this loud is not a voice, and gives no evidence of a gate.
_EVEN: Final = 0.5
_CLASS_DB: Final = 1.5
# From -80 dBFS (`_SILENT`) to 0 dBFS.
_CLASSES: Final = 54
# Of the highest sample, and of the steepest step, within 3 ms. A waveform cut at any phase has one of the two at the
# cut; one that fades out, or ends at a zero crossing, has neither.
_ABRUPT: Final = 0.1
_STEEP: Final = 0.2
# Times the smallest step around: at a low bit depth, everything below the last bit is silence.
_STEPS: Final = 3


class _Edge(NamedTuple):
    """The sound next to a gap: its highest sample, and whether it ends abruptly there."""

    peak: float
    is_abrupt: bool


class GapDetector:
    """Find silence of 4 ms to 1 s in one channel, between sounds of which at least one is cut off.

    Args:
        grid: The grid of the chunks.
        channel: The index of the channel.
        coarse: Whether the samples have 8 bits, or are companded (G.711).
    """

    def __init__(self, grid: Grid, channel: int = 0, *, coarse: bool = False) -> None:
        self._channel = channel
        self._loud = _LOUD_WHEN_COARSE if coarse else _LOUD
        self._rate = grid.sample_rate_hz
        self._edge = max(3, round(_EDGE_S * self._rate))
        self._shortest = max(4, round(_SHORTEST_S * self._rate))
        # the start of a silence that reaches into the next chunk, and the sound before it
        self._open: tuple[int, _Edge | None] | None = None
        self._peak = 0.0
        # how many frames have which peak, without silent ones
        self._peaks = np.zeros(_CLASSES, np.int64)
        self._others = 0
        self._gaps: list[tuple[int, int, float]] = []

    @property
    def found(self) -> list[tuple[int, int]]:
        """Start and end (exclusive) of each gap, as sample indexes in the recording."""
        least = (_OF_PEAK_WHEN_GATED if self._others >= _GATED_FROM else _OF_PEAK) * self._peak
        quietest = int(np.searchsorted(np.cumsum(self._peaks), _QUIETEST * self._peaks.sum()))
        weakest = 10 ** ((quietest - _CLASSES) * _CLASS_DB / 20)
        # one or two silences are no gate
        if weakest < _EVEN * self._peak and len(self._gaps) + self._others > _GATED_FROM:
            # not more than that: a voice without pauses has no quiet tenth
            least = max(least, min(_ABOVE_QUIETEST * weakest, _OF_PEAK_WHEN_GATED * self._peak))
        return [(start, end) for start, end, peak in self._gaps if peak >= least]

    def limit(self, most: int) -> None:
        """Drop all but the first `most`."""
        del self._gaps[most:]

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        lead = chunk.grid.lead
        peaks = chunk.frame_peaks[self._channel, : chunk.whole_frames]
        self._peak = max(self._peak, float(chunk.frame_peaks[self._channel].max(initial=0)))
        classes = 20 / _CLASS_DB * np.log10(peaks[peaks > _SILENT]) + _CLASSES
        self._peaks += np.bincount(np.clip(classes, 0, _CLASSES - 1).astype(np.intp), minlength=_CLASSES)
        is_last = chunk.filled < chunk.rows * chunk.grid.row
        wave = chunk.wave[self._channel]
        window = wave if is_last else wave[: lead + chunk.filled]
        if self._open is None and not self._may_have_gap(window):
            return
        runs = true_runs(np.asarray(np.abs(window) <= _SILENT))
        size, opened, self._open = len(window), self._open, None
        at_edge = (runs[:, 0] == 0) | (runs[:, 1] > size - self._edge)
        for begin, end in runs[at_edge | (runs[:, 1] - runs[:, 0] >= self._shortest)].tolist():
            if begin == 0:
                start, before = opened or (0, None)
            else:
                start = chunk.start - lead + begin
                before = self._edge_of(window[max(0, begin - self._edge) : begin][::-1])
            if end > size - self._edge:
                self._open = start, before  # the sound after it is in the next chunk
            elif end > lead - self._edge:  # else it was complete in the chunk before
                self._note(start, chunk.start - lead + end, before, self._edge_of(window[end : end + self._edge]))

    def _may_have_gap(self, window: Samples) -> bool:
        """Return whether several samples in a row, of those that a gap covers, are silent: most chunks have none."""
        # a gap of `_shortest` samples covers at least `_COVERED` of these
        step = self._shortest // (_COVERED + 1)
        if not step:
            return True
        silent = np.abs(window[::step]) <= _SILENT
        for ahead in _DOUBLED:  # after each round, true where so many more in a row are silent
            silent = silent[:-ahead] & silent[ahead:]
        return bool(silent.any())

    def _edge_of(self, sound: Samples) -> _Edge | None:
        """Return the edge of the sound next to a gap, given from the gap outwards; None where it is too quiet."""
        sizes = np.abs(sound)
        if len(sound) < 3 or sizes[: self._edge].max() < self._loud:
            return None
        peak = float(sizes.max())
        steps = np.abs(np.diff(sound))
        smallest = float(steps[steps > 0].min(initial=peak))
        is_fine = sizes[0] > _STEPS * smallest or smallest < _SILENT
        is_abrupt = sizes[0] >= _ABRUPT * peak or steps[0] >= _STEEP * float(steps.max())
        return _Edge(peak, bool(is_fine and is_abrupt))

    def _note(self, start: int, end: int, before: _Edge | None, after: _Edge | None) -> None:
        if end - start < self._shortest:
            return
        # one abrupt edge is enough: the other may be cut at a zero crossing by chance
        if before and after and (before.is_abrupt or after.is_abrupt) and end - start <= _LONGEST_S * self._rate:
            self._gaps.append((start, end, min(before.peak, after.peak)))
        else:
            self._others += 1


# The buffer sizes of sound cards, drivers and codecs: powers of two, the 1152 samples of an MP3 frame, 10 and 20 ms
# (the frames of WebRTC and Opus).
_BUFFERS: Final = (256, 512, 1024, 1152, 2048, 4096)
_BUFFERS_S: Final = (0.01, 0.02)
_STRIDE: Final = 8
# In buffers. A repeated buffer is equal for its own length; sound that is equal for much longer is periodic.
_MIN_LENGTH: Final = 0.9
_MAX_LENGTH: Final = 3.0
# -50 dBFS: in the last bits of a quiet room, equality is chance.
_LOUD_WAVE: Final = np.float32(0.003)


class RepeatDetector:
    """Find stretches that equal, sample for sample, the sound one buffer earlier.

    Lossy coding leaves no two stretches equal, so that repeats are found only in recordings that were never coded
    afterwards.

    Args:
        grid: The grid of the chunks.
        channel: The index of the channel.

    Attributes:
        found: Start and end (exclusive) of each repeated buffer, as sample indexes in the recording.
    """

    def __init__(self, grid: Grid, channel: int = 0) -> None:
        self._channel = channel
        self._lags = sorted({*_BUFFERS, *(round(seconds * grid.sample_rate_hz) for seconds in _BUFFERS_S)})
        # the lead is too short here: a repeat may begin three buffers before it is complete, and its original earlier
        self._kept = int((_MAX_LENGTH + 1) * self._lags[-1]) + 2 * _STRIDE
        self._tail = np.zeros(self._kept, np.float32)
        self.found: list[tuple[int, int]] = []

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        wave = np.concatenate((self._tail, chunk.samples[self._channel]))
        origin = chunk.start - self._kept
        for lag in self._lags:
            self._search(wave, lag, origin)
        self._tail = wave[len(wave) - self._kept :]

    def _search(self, wave: Samples, lag: int, origin: int) -> None:
        first = self._kept - int(_MAX_LENGTH * lag)  # a repeat that began in the chunk before may end in this one
        if not _is_suspect(wave, first, lag):
            return
        # compare every 8th sample, then all samples of the few candidates; zeros equal zeros, and are no repeat
        now, before = wave[first::_STRIDE], wave[first - lag : len(wave) - lag : _STRIDE]
        same = (now == before) & (now != 0)
        runs = true_runs(same) * _STRIDE + first
        lengths = runs[:, 1] - runs[:, 0]
        for begin, end in runs[(lengths >= _MIN_LENGTH * lag) & (lengths <= _MAX_LENGTH * lag)].tolist():
            start, stop = _exact(wave, begin, end - _STRIDE + 1, lag)
            # found by the chunk in which it ends: one that touches the end may go on in the next
            is_complete = self._kept <= stop < len(wave)
            fits = _MIN_LENGTH * lag <= stop - start <= _MAX_LENGTH * lag
            if is_complete and fits and np.ptp(wave[start:stop]) > 2 * _LOUD_WAVE:
                self.found.append((origin + start, origin + stop))


def _is_suspect(wave: Samples, first: int, lag: int) -> bool:
    """Return whether three samples in a row, a quarter of a buffer apart, equal those one buffer earlier.

    A repeated buffer covers at least three of them. This looks at four samples per buffer, and almost always says no.
    """
    step = lag // 4
    now = wave[first::step]
    same = (now == wave[first - lag : len(wave) - lag : step]) & (now != 0)
    return bool((same[:-2] & same[1:-1] & same[2:]).any())


def _exact(wave: Samples, begin: int, end: int, lag: int) -> tuple[int, int]:
    """Return the run of equal samples around `begin` to the sample; an empty one where not all are equal."""
    if not np.array_equal(wave[begin:end], wave[begin - lag : end - lag]):
        return begin, begin
    reach = _STRIDE
    back = wave[begin - reach : begin] != wave[begin - lag - reach : begin - lag]
    ahead = wave[end : end + reach] != wave[end - lag : end - lag + len(wave[end : end + reach])]
    start = begin - int(np.argmax(back[::-1])) if back.any() else begin - reach
    return start, end + (int(np.argmax(ahead)) if ahead.any() else len(ahead))


_JOIN_S: Final = 0.002
# Of each kind and channel. A recording with more is judged no differently, and must not fill the memory.
_MAX_KEPT: Final = 10_000


class DropoutMeter:
    """Find what was lost or doubled between the microphone and the file.

    Args:
        grid: The grid of the chunks.
        coarse: Whether the samples have 8 bits, or are companded (G.711).
    """

    def __init__(self, grid: Grid, *, coarse: bool = False) -> None:
        self._rate = grid.sample_rate_hz
        self._gaps = [GapDetector(grid, channel, coarse=coarse) for channel in range(grid.channels)]
        self._repeats = [RepeatDetector(grid, channel) for channel in range(grid.channels)]
        self._clicks = ClickDetector(grid)

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        for gaps in self._gaps:
            gaps.add(chunk)
            gaps.limit(_MAX_KEPT)
        for repeats in self._repeats:
            repeats.add(chunk)
            del repeats.found[_MAX_KEPT:]
        self._clicks.add(chunk)
        del self._clicks.found[_MAX_KEPT:]
        for splices in self._clicks.splices:
            splices.limit(_MAX_KEPT)

    def measurements(self) -> dict[str, float]:
        """Return ``dropouts`` (gaps and repeated buffers), ``dropouts_s`` in total, ``clicks``, ``splices``."""
        spans = self.spans()
        lost = sum(end - start for start, end in spans)
        counts = {"clicks": float(len(self.clicks())), "splices": float(len(self.splices()))}
        return {"dropouts": float(len(spans)), "dropouts_s": round(lost, 4), **counts}

    def spans(self) -> tuple[Span, ...]:
        """Return the gaps and repeated buffers of all channels, in seconds; those within 2 ms are joined."""
        gaps = [span for detector in self._gaps for span in detector.found]
        repeats = [span for detector in self._repeats for span in detector.found]
        found = np.array([*gaps, *repeats], np.float64).reshape(-1, 2) / self._rate
        return merged(found[:, 0], found[:, 1], _JOIN_S)

    def clicks(self) -> tuple[Span, ...]:
        """Return the clicks, each one sample long, without those at the edges of dropouts: the cut itself clicks."""
        return self._away_from_edges(self.spans(), self._clicks.found)

    def splices(self) -> tuple[Span, ...]:
        """Return the splices, each one sample long, without those at the edges of dropouts, and without clicks."""
        found = [place for splices in self._clicks.splices for place in splices.found]
        return self._away_from_edges((*self.spans(), *self.clicks()), found)

    def _away_from_edges(self, spans: tuple[Span, ...], places: list[int]) -> tuple[Span, ...]:
        """Return `places` in order as spans of a sample, those within 2 ms joined, without those beside an edge."""
        edges = np.array([-np.inf, *sorted(edge for span in spans for edge in span), np.inf])
        moments = np.array(sorted(set(places)), np.float64) / self._rate
        following = np.searchsorted(edges, moments)
        moments = moments[np.minimum(edges[following] - moments, moments - edges[following - 1]) > _JOIN_S]
        return merged(moments, moments + 1 / self._rate, _JOIN_S)
