"""Choose the part of a recording to keep: between pauses, undamaged, with as much clean speech as fits.

A recording that is too long is judged by that part.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from preflight import limits
from preflight.display.text import clock
from preflight.errors import CannotFix
from preflight.fixes.cut_points import CutPoints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from preflight.analysis.analysis import Analysis
    from preflight.analysis.analyze import Progress
    from preflight.analysis.speakers.windows import Encoder
    from preflight.fixes.options import FixOptions, Keep
    from preflight.input.source import Source
    from preflight.report import Role, Span

_LONG_PAUSE_S: Final = 2.0
"""A run of speech ends at a longer pause."""
_PROMPT_LENGTHS_S: Final = (0.5, limits.PROMPT_BELOW_S - limits.LOSSY_MARGIN_S)
_NEAR_S: Final = 0.05
_MIN_TRIM_S: Final = 0.25
_MARGIN_S: Final = 0.5
"""Silence that trimming leaves: for breaths, and for words that the speech detector detects late."""
_EARLIER_BONUS_S: Final = 10.0
"""An earlier window is kept if its score is at most this much lower: recordings usually begin with an introduction."""
_FLAW_COST: Final = 10.0
"""One second of clipping, or one dropout or click, costs as much as this many seconds of clean speech."""


def choose_window(analysis: Analysis, max_s: float, keep: Keep, *, is_damaged: bool) -> Span | None:
    """Choose the part of a recording to keep.

    Args:
        analysis: Of the whole recording.
        max_s: Longest result in seconds.
        keep: ``best`` for the part with the most clean speech, ``start`` for the first part, ``longest-run`` for the
            part with the longest speech without a pause of 2 s.
        is_damaged: Whether damage has to be cut out.

    Returns:
        (start, end) in seconds of the decoded audio; None to keep all of it.

    Raises:
        CannotFix: No part between two pauses is long enough.
    """
    seconds = analysis.duration_s or 0.0
    # a window never spans damage, so each stretch between damaged parts is searched alone
    stretches: tuple[Span, ...] = analysis.whole_stretches if is_damaged else ((0.0, seconds),)
    if stretches == ((0.0, seconds),) and seconds <= max_s:
        return None
    cuts = CutPoints(list(analysis.pauses), seconds)
    windows = [window for stretch in stretches for window in _windows(stretch, cuts, keep)]
    if is_damaged and not any(_is_long_enough(window) for window in windows):
        # damage is audible anyway, so a cut beside it does no further harm
        windows += [(begin, min(end, begin + limits.WRITE_BELOW_S)) for begin, end in stretches]
    if not windows:
        raise CannotFix("it has no pause where it could be cut", "cut it by hand at a quiet place")
    candidates = [window for window in windows if _is_long_enough(window)]
    if not candidates:
        raise CannotFix(
            f"the longest undamaged part between two pauses is {clock(max(end - start for start, end in windows))} "
            f"long, below the {clock(limits.MIN_DURATION_S)} minimum",
            "record or export it again",
        )
    score = _score(analysis, keep)
    best = max(score(window) for window in candidates)
    return next(window for window in candidates if score(window) >= best - _EARLIER_BONUS_S)


def _is_long_enough(window: Span) -> bool:
    return window[1] - window[0] >= limits.WRITE_ABOVE_S


def _windows(stretch: Span, cuts: CutPoints, keep: Keep) -> list[Span]:
    """Return the longest window from each cut in `stretch`."""
    begin, end = stretch
    # a cut at any later moment would only lose speech
    starts = [begin, *(start for start, stop in cuts.pauses if begin < start and stop < end)]
    if keep == "start":
        starts = starts[:1]
    found = (cuts.longest_window(start, end) for start in starts)
    return [window for window in found if window is not None]


def _score(analysis: Analysis, keep: Keep) -> Callable[[Span], float]:
    """Return the function that scores a window, in seconds: its clean speech, its longest run, or its length."""
    if not analysis.is_measured or keep == "start":
        return lambda window: window[1] - window[0]
    speech, clipped = SpanIndex(analysis.speech), SpanIndex(analysis.clipped)
    # a dropout, click or splice lasts milliseconds; as one second it costs as much as one second of clipping
    places = sorted((*analysis.dropouts, *analysis.clicks, *analysis.splices))
    flaws = SpanIndex([(start, start + 1) for start, _ in places])
    runs = _runs_of_speech(analysis.speech)

    def longest_run(window: Span) -> float:
        return max((min(window[1], end) - max(window[0], start) for start, end in runs), default=0.0)

    def clean_speech(window: Span) -> float:
        return speech.seconds_in(window) - _FLAW_COST * (clipped.seconds_in(window) + flaws.seconds_in(window))

    return longest_run if keep == "longest-run" else clean_speech


def _runs_of_speech(speech: Iterable[Span]) -> list[Span]:
    """Return the spans of `speech`, which are in order, joined across short pauses."""
    runs: list[Span] = []
    for start, end in speech:
        if runs and start - runs[-1][1] <= _LONG_PAUSE_S:
            runs[-1] = (runs[-1][0], max(end, runs[-1][1]))
        else:
            runs.append((start, end))
    return runs


def requested_window(options: FixOptions, seconds: float, role: Role, max_s: float) -> Span:
    """Return the window that the options give, shortened at its end to `max_s`.

    Args:
        options: With `start_s` or `end_s`.
        seconds: Length of the recording.
        role: Decides which lengths are accepted.
        max_s: Longest result in seconds; less than the limit by the padding of a lossy encoder.

    Raises:
        CannotFix: It is too short or too long for its role.
    """
    begin = options.start_s or 0.0
    end = min(seconds, seconds if options.end_s is None else options.end_s)
    shortest, longest = (limits.MIN_DURATION_S, limits.MAX_DURATION_S) if role == "recording" else _PROMPT_LENGTHS_S
    part = f"{clock(begin)} to {clock(end)} of {clock(seconds)}"
    if begin >= seconds:
        raise CannotFix(
            f"the part starts at {clock(begin)}, after the end of the recording at {clock(seconds)}",
            "choose an earlier start",
        )
    if end - begin < shortest:
        raise CannotFix(f"{part} is below the {clock(shortest)} minimum", "keep more of it")
    if end - begin > longest:
        raise CannotFix(f"{part} is above the {clock(longest)} maximum", "keep less of it")
    return begin, min(end, begin + max_s)


def trim_silence(
    pauses: Sequence[Span],
    window: Span | None,
    seconds: float,
    *,
    margin_s: float = _MARGIN_S,
    min_s: float = limits.WRITE_ABOVE_S,
) -> Span | None:
    """Return `window` without silence at its ends; silence is quiet by its level, and no speech is detected in it.

    Args:
        pauses: Pauses of the recording.
        window: The part to keep; None for all of it.
        seconds: Length of the recording.
        margin_s: Silence to leave at each end.
        min_s: The window is returned unchanged if the result would be shorter.
    """
    begin, end = window or (0.0, seconds)
    # the pause that the window starts in, and the one that it ends in
    first = next((pause for pause in pauses if pause[0] <= begin + _NEAR_S < pause[1]), None)
    last = next((pause for pause in pauses if pause[0] < end - _NEAR_S <= pause[1]), None)
    start = first[1] - margin_s if first else begin
    stop = last[0] + margin_s if last else end
    # a quarter of a second is not worth a new file
    start = start if start >= begin + _MIN_TRIM_S else begin
    stop = stop if stop <= end - _MIN_TRIM_S else end
    return (start, stop) if stop - start >= min_s and (start, stop) != (0.0, seconds) else window


def analyze_kept_part(
    source: Source,
    *,
    pictures: bool = False,
    speakers: bool = False,
    encoder: Encoder | None = None,
    on_progress: Progress | None = None,
) -> Analysis:
    """Measure a recording; one that is too long for a clone is decoded again, and only the part to keep measured.

    Levels, pauses, channels, damage and pictures are those of the whole recording, everything else is that of the part.

    Args:
        source: The open recording.
        pictures: As in `analyze_source`.
        speakers: As in `analyze_source`; of a recording that is too long, for the part only.
        encoder: As in `analyze_source`.
        on_progress: As in `analyze_source`.

    Raises:
        NotARecording: It is not recognized as audio, or cannot be decoded.
        CannotOpen: Reading failed.
    """
    # imported here: planning a fix does not load the decoder and the meters
    from preflight.analysis.analyze import analyze_source
    from preflight.media.probe import probe

    # once only: for a short take, the embeddings take more CPU time than everything else
    is_long = speakers and (probe(source).estimated_duration_s or 0.0) > limits.MAX_DURATION_S
    whole = analyze_source(
        source, pictures=pictures, speakers=speakers and not is_long, encoder=encoder, on_progress=on_progress
    )
    part = kept_part(whole)
    if part is None:
        return whole
    found = analyze_source(source, part=part, speakers=speakers, encoder=encoder, on_progress=on_progress)
    return replace(
        whole,
        judged=part,
        measured_s=found.measured_s,
        measurements=found.measurements,
        voices=found.voices.moved(part[0]) if found.voices is not None else None,
        **{
            name: _moved(getattr(found, name), part[0])
            for name in ("speech", "clipped", "dropouts", "clicks", "splices", "plosives")
        },
    )


def kept_part(analysis: Analysis) -> Span | None:
    """Return the part that `fix` keeps of a recording that is too long, in seconds; None where it keeps all or none."""
    seconds = analysis.duration_s or 0.0
    if seconds <= limits.MAX_DURATION_S or analysis.stopped or not analysis.is_measured:
        return None
    try:
        window = choose_window(analysis, limits.WRITE_BELOW_S, "best", is_damaged=bool(analysis.damage))
    except CannotFix:
        return None
    return trim_silence(analysis.pauses, window, seconds)


def _moved(spans: tuple[Span, ...], by_s: float) -> tuple[Span, ...]:
    return tuple((start + by_s, end + by_s) for start, end in spans)


class SpanIndex:
    """Finds in logarithmic time how much of a window is covered by spans.

    Args:
        spans: (start, end) in seconds, in order.

    >>> SpanIndex([(1.0, 2.0), (4.0, 6.0)]).seconds_in((1.5, 5.0))
    1.5
    """

    def __init__(self, spans: Iterable[Span]) -> None:
        listed = list(spans)
        self._starts, self._ends = [start for start, _ in listed], [end for _, end in listed]
        self._before = [0.0, *accumulate(end - start for start, end in listed)]

    def seconds_in(self, window: Span) -> float:
        """Return the length of the spans within `window`."""
        return self._seconds_before(window[1]) - self._seconds_before(window[0])

    def _seconds_before(self, moment: float) -> float:
        ended = bisect_right(self._ends, moment)
        running = moment - self._starts[ended] if ended < len(self._starts) and self._starts[ended] < moment else 0.0
        return self._before[ended] + running
