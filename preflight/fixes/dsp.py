"""Process audio between decoder and encoder: polarity, pauses, DC offset, rumble, hum, loudness.

Filters, resampler and limiter are FFmpeg's. Loudness is normalized in two passes over the original, one that measures
and one that applies the gain, so the result is encoded only once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.analyze import one_thread
from preflight.analysis.frames_and_spectra import ChunkCutter, Grid
from preflight.analysis.meters.loudness import LoudnessMeter
from preflight.analysis.meters.true_peak import TruePeakMeter
from preflight.errors import CannotFix
from preflight.fixes.edit_buffer import amplify, remove_spans
from preflight.fixes.edit_descriptions import MAX_GAIN_DBTP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from av.filter import Graph

    from preflight.analysis.frames_and_spectra import Chunk
    from preflight.fixes.edit_descriptions import DspSettings
    from preflight.media.decoder import Block

    Blocks = Callable[[], Iterator[Block]]
    Filter = tuple[str, str]

_HUM_HARMONICS: Final = 6
_NOTCH_WIDTH_HZ: Final = 10.0
"""Narrower notches ring in the pauses: with a voice at -20 LUFS, 2 Hz leave -48 dBFS there, 10 Hz leave -63 dBFS."""
_MAX_NOTCH_OF_RATE: Final = 0.45
"""Notches close to the Nyquist frequency (0.5) are warped by the bilinear transform."""
_TARGET_TOLERANCE_LU: Final = 0.05
_ACCEPTED_LU: Final = 0.2
_ACCEPTED_DB: Final = 0.1
"""Accepted after `_MAX_LIMITER_RUNS`."""
_MAX_LIMITER_RUNS: Final = 12
_MAX_STEP_DB: Final = 6.0
_MIN_SLOPE: Final = 0.1
_LIMITER_OVERSAMPLING: Final = 4
"""As ITU-R BS.1770-5, annex 2, asks of a true-peak meter at 48 kHz."""
_FLOOR_DB: Final = -120.0


@dataclass(frozen=True)
class Loudness:
    """Integrated loudness in LUFS, None if the audio is too quiet or too short for it, and true peak in dBTP."""

    lufs: float | None
    dbtp: float


@dataclass(frozen=True)
class Peak:
    """The highest peak.

    Attributes:
        sample: The highest absolute sample, linear; 1 is full scale.
        dbtp: The true peak (of the waveform between the samples), in dBTP.
    """

    sample: float
    dbtp: float


def process(blocks: Blocks, sample_rate_hz: int, settings: DspSettings, *, peak: float) -> Iterator[Block]:
    """Return the processed blocks.

    Args:
        blocks: Starts a new pass over the part to keep: float32 arrays of shape (frames, channels).
        sample_rate_hz: Sample rate in hertz.
        settings: What to do; its pauses are relative to the start of the part to keep.
        peak: The highest sample of the blocks, as a linear level.

    Raises:
        CannotFix: The loudness cannot be measured, or its target cannot be reached.
    """

    def edited() -> Iterator[Block]:
        kept = blocks()
        if settings.pauses:
            kept = remove_spans(kept, sample_rate_hz, settings.pauses, peak=peak)
        if settings.invert:
            kept = (block * np.array([1, -1], np.float32) for block in kept)
        return kept

    # a pass of its own: the mean is known only at the end
    offset = _means(edited()) if settings.remove_dc else None
    filters = [*_high_pass(settings), *_notches(settings, sample_rate_hz)]

    def cleaned() -> Iterator[Block]:
        kept = edited()
        if offset is not None:
            kept = (block - offset for block in kept)
        return apply_filters(kept, sample_rate_hz, filters) if filters else kept

    if settings.loudness_lufs is None:
        result = cleaned()
    else:
        result = _normalize(cleaned, sample_rate_hz, settings.loudness_lufs, limit=settings.limit)
    return amplify(result, settings.gain_db) if settings.gain_db else result


def _means(blocks: Iterator[Block]) -> Block:
    """Return the mean of each channel."""
    total, count = np.zeros(1), 0
    for block in blocks:
        # float64, because millions of samples are added up
        total = total + block.sum(axis=0, dtype=np.float64)
        count += len(block)
    return np.asarray(total / max(1, count), np.float32)


def _high_pass(settings: DspSettings) -> list[Filter]:
    # two second-order Butterworth sections: 24 dB per octave, -6 dB at the corner
    return [] if settings.high_pass_hz is None else [("highpass", f"f={settings.high_pass_hz:g}:p=2")] * 2


def _notches(settings: DspSettings, sample_rate_hz: int) -> list[Filter]:
    if settings.hum_hz is None:
        return []
    harmonics = (number * settings.hum_hz for number in range(1, _HUM_HARMONICS + 1))
    highest = _MAX_NOTCH_OF_RATE * sample_rate_hz
    # t=h: the width is in hertz, not in Q, so that all notches ring equally long
    return [("bandreject", f"f={hz:g}:t=h:w={_NOTCH_WIDTH_HZ:g}") for hz in harmonics if hz < highest]


def _normalize(blocks: Blocks, sample_rate_hz: int, lufs: float, *, limit: bool) -> Iterator[Block]:
    """Normalize the integrated loudness (ITU-R BS.1770-5, annex 1) with one constant gain.

    Unlike with dynamic normalization, the level differences inside the recording stay as they are.
    """
    measured = measure_loudness(blocks(), sample_rate_hz)
    if measured.lufs is None:
        # BS.1770-5: no 400 ms block above the absolute gate of -70 LUFS
        raise CannotFix("its loudness cannot be measured: it is too quiet or too short", "leave its loudness as it is")
    # BS.1770-5 is linear below the gates: a gain of x dB changes the loudness by x LU
    gain_db = lufs - measured.lufs
    if measured.dbtp + gain_db <= MAX_GAIN_DBTP:
        return amplify(blocks(), gain_db)
    if not limit:
        return amplify(blocks(), MAX_GAIN_DBTP - measured.dbtp)
    gain_db, ceiling_db = _find_limiter_settings(blocks, sample_rate_hz, lufs, gain_db)
    return _limit(blocks(), sample_rate_hz, gain_db, ceiling_db)


def _find_limiter_settings(blocks: Blocks, sample_rate_hz: int, lufs: float, gain_db: float) -> tuple[float, float]:
    """Return the gain and the ceiling in dB with which the limited audio reaches `lufs` and `MAX_GAIN_DBTP`.

    Limiting lowers the loudness, so more gain is needed than without. Both values are found by iteration: the gain by
    the secant method, the ceiling by subtracting the overshoot.

    Raises:
        CannotFix: The target cannot be reached.
    """
    ceiling_db, slope, previous = MAX_GAIN_DBTP, 1.0, (0.0, 0.0)
    reached, over_db, used = lufs, 0.0, (gain_db, ceiling_db)
    for run in range(_MAX_LIMITER_RUNS):
        # without a file in between: the recording is decoded again for each run, and never held in memory
        result = measure_loudness(_limit(blocks(), sample_rate_hz, gain_db, ceiling_db), sample_rate_hz)
        reached = _FLOOR_DB if result.lufs is None else result.lufs
        over_db = result.dbtp - MAX_GAIN_DBTP
        if abs(lufs - reached) <= _TARGET_TOLERANCE_LU and abs(over_db) <= _TARGET_TOLERANCE_LU:
            return gain_db, ceiling_db
        if run and gain_db != previous[0]:  # the more is limited, the less loudness a decibel of gain adds
            slope = min(1.0, max(_MIN_SLOPE, (reached - previous[1]) / (gain_db - previous[0])))
        used, previous = (gain_db, ceiling_db), (gain_db, reached)
        gain_db += max(-_MAX_STEP_DB, min(_MAX_STEP_DB, (lufs - reached) / slope))
        ceiling_db -= over_db
    if abs(lufs - reached) <= _ACCEPTED_LU and over_db <= _ACCEPTED_DB:
        return used
    raise CannotFix(
        f"even with limiting it reaches only {reached:.1f} LUFS, not {lufs:g} LUFS", "choose a lower loudness"
    )


def _limit(blocks: Iterator[Block], sample_rate_hz: int, gain_db: float, ceiling_db: float) -> Iterator[Block]:
    """Amplify, and limit at four times the sample rate, so that peaks between the samples are limited, too."""
    # latency=true: the look-ahead is removed again, and the result has the length of the input;
    # level=false: without it alimiter amplifies the result to full scale
    # attack and release are in milliseconds
    limiter = f"limit={10 ** (ceiling_db / 20):.6f}:level=false:attack=5:release=50:latency=true"
    oversampled = str(_LIMITER_OVERSAMPLING * sample_rate_hz)
    filters = [("aresample", oversampled), ("alimiter", limiter), ("aresample", str(sample_rate_hz))]
    return apply_filters(amplify(blocks, gain_db), sample_rate_hz, filters)


def measure_loudness(blocks: Iterator[Block], sample_rate_hz: int) -> Loudness:
    """Measure float32 blocks of shape (frames, channels)."""
    meters: tuple[LoudnessMeter, TruePeakMeter] | None = None
    with one_thread():
        for chunk in _chunks(blocks, sample_rate_hz):
            meters = meters or (LoudnessMeter(chunk.grid), TruePeakMeter(chunk.grid))
            for meter in meters:
                meter.add(chunk)
    if meters is None:
        return Loudness(None, _FLOOR_DB)
    loudness, peak = (meter.measurements() for meter in meters)
    return Loudness(loudness.get("integrated_loudness_lufs"), peak["true_peak_dbtp"])


def measure_peak(blocks: Iterator[Block], sample_rate_hz: int) -> Peak:
    """Measure float32 blocks of shape (frames, channels)."""
    meter, sample = None, 0.0
    with one_thread():
        for chunk in _chunks(blocks, sample_rate_hz):
            meter = meter or TruePeakMeter(chunk.grid)
            meter.add(chunk)
            sample = max(sample, float(chunk.frame_peaks.max()))
    return Peak(sample, meter.measurements()["true_peak_dbtp"] if meter else _FLOOR_DB)


def _chunks(blocks: Iterator[Block], sample_rate_hz: int) -> Iterator[Chunk]:
    rows = None
    for block in blocks:
        rows = rows or ChunkCutter(Grid.at(sample_rate_hz, block.shape[1]))
        yield from rows.add(block)
    if rows is not None:
        yield from rows.end()


def resample(blocks: Iterator[Block], from_hz: int, to_hz: int) -> Iterator[Block]:
    """Resample with FFmpeg's swresample; not with pydub, whose `set_frame_rate` has no anti-aliasing filter."""
    return blocks if from_hz == to_hz else apply_filters(blocks, from_hz, [("aresample", str(to_hz))])


def apply_filters(blocks: Iterator[Block], sample_rate_hz: int, filters: Sequence[Filter]) -> Iterator[Block]:
    """Run blocks through FFmpeg filters.

    Args:
        blocks: Float32 arrays of shape (frames, 1 or 2 channels).
        sample_rate_hz: Their sample rate in hertz.
        filters: The FFmpeg name and the arguments of each filter.
    """
    import av
    import av.filter

    graph: Graph | None = None
    for block in blocks:
        if not len(block):
            continue
        layout = "mono" if block.shape[1] == 1 else "stereo"
        if graph is None:
            graph = av.filter.Graph()
            source = graph.add_abuffer(format="fltp", sample_rate=sample_rate_hz, layout=layout)
            steps = [graph.add(name, arguments) for name, arguments in filters]
            # without it FFmpeg would pick the sample format that the last filter likes best, such as float64
            steps.append(graph.add("aformat", f"sample_fmts=fltp:channel_layouts={layout}"))
            graph.link_nodes(source, *steps, graph.add("abuffersink")).configure()
        # planar (fltp): a row per channel; PyAV copies the rows, which have to be contiguous
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T), format="fltp", layout=layout)
        frame.sample_rate = sample_rate_hz
        graph.push(frame)
        # pull after each push: otherwise the graph buffers the whole recording
        yield from _pull(graph)
    if graph is not None:
        graph.push(None)  # flush: filters with look-ahead still hold the last samples
        yield from _pull(graph)


def _pull(graph: Graph) -> Iterator[Block]:
    from av.audio.frame import AudioFrame
    from av.error import BlockingIOError, EOFError

    from preflight.media.frames import samples_of

    while True:
        try:
            frame = graph.pull()
        except (BlockingIOError, EOFError):
            return  # needs more input, or is drained
        if isinstance(frame, AudioFrame):
            yield np.ascontiguousarray(samples_of(frame).T)
