"""Find prompt clips: clean sentences of a recording that are short enough for `clone_prompt`."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from preflight.checks import analyze
from preflight.errors import CannotFix, NotExamined
from preflight.fixes.options import FixOptions
from preflight.fixes.part_to_keep import SpanIndex
from preflight.input.recording import PathLike, Recording
from preflight.input.spool import as_path
from preflight.profile import DEFAULT, Profile
from preflight.prompt.excerpts import excerpts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Analysis
    from preflight.analysis.analyze import Progress
    from preflight.fixes.fix import Fixed
    from preflight.report import Span

MIN_S: Final = 3.0
MAX_S: Final = 7.5
"""Below the 8 s of the contract by more than the padding of a lossy encoder."""
_MARGIN_S: Final = 0.25
"""Silence before the clip and after it; at most half of a pause."""
_MIN_PAUSE_S: Final = 0.16
"""A clip that ends in a pause, and one that starts in it, both keep 80 ms away from detected speech."""
_MIN_EDGE_SILENCE_S: Final = 0.08
_MAX_CANDIDATES: Final = 24
_MAX_USEFUL_SNR_DB: Final = 45.0
"""A higher SNR is not audible."""
_QUIET_PERCENTILE: Final = 3
_LOUD_PERCENTILE: Final = 75
_BEST_LUFS: Final = -20.0
_LOUDNESS_TOLERANCE_LU: Final = 6.0
"""About the middle of ACX's range for speech (-23 to -18 dBFS RMS); each LU beyond the tolerance costs one decibel."""
_COSTS_DB: Final = {"clipped_percent": 10.0, "dropouts": 15.0, "clicks": 15.0, "splices": 15.0, "longest_pause_s": 3.0}
"""Decibels of SNR per unit. Rough listening estimates: they only order the clips."""
_BEST_LENGTHS_S: Final = (4.5, 7.0)
_COST_PER_S_DB: Final = 3.0
"""For each second outside `_BEST_LENGTHS_S`."""


class PromptClip(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a recording that is suitable as a prompt clip.

    Attributes:
        start_s: Start in seconds, in a pause.
        end_s: End in seconds, in a pause.
        score: The SNR less the cost of each flaw, in dB. The clip with the highest score comes first.
        snr_db: Level of the speech over that of the quiet frames around and between the words.
        loudness_lufs: Integrated loudness.
        true_peak_dbtp: True peak.
        clipped_percent: Share of clipped samples.
        speech_s: Seconds of speech.
    """

    start_s: float
    end_s: float
    score: float
    snr_db: float
    loudness_lufs: float
    true_peak_dbtp: float
    clipped_percent: float
    speech_s: float

    @property
    def seconds(self) -> float:
        """The length of the clip."""
        return self.end_s - self.start_s


def prompt_clips(
    recording: Recording, *, count: int = 5, profile: Profile = DEFAULT, on_progress: Progress | None = None
) -> tuple[PromptClip, ...]:
    """Find the best parts of a recording for a prompt clip, the best first; no two overlap by more than half.

    Each is 3 to 7.5 s long and starts and ends in a pause, at least 80 ms away from detected speech.

    Args:
        recording: As in `fix`.
        count: The most clips to return.
        profile: Severities and thresholds of the rules.
        on_progress: As in `check`.

    Raises:
        TypeError, ValueError: As in `check`.
        CannotFix: The recording cannot be read, or has no sentence that is short enough.
    """
    with as_path(recording) as path:
        return _best(path, analyze(path, to_end=True, profile=profile, on_progress=on_progress), count)


def cut_prompt(
    recording: Recording,
    out: PathLike,
    *,
    number: int = 1,
    prompt_text: str | None,
    force: bool = False,
    profile: Profile = DEFAULT,
    on_progress: Progress | None = None,
) -> tuple[PromptClip, Fixed]:
    """Write one of the clips that `prompt_clips` finds; the recording is analyzed once for both.

    Args:
        recording: As in `fix`.
        out: The file or folder to write to, as in `fix`.
        number: The number of the clip; 1 is the best.
        prompt_text: The text spoken in it; None to listen to the clip first.
        force: Replace `out` if it exists.
        profile: Severities and thresholds of the rules.
        on_progress: As in `fix`.

    Raises:
        TypeError, ValueError: As in `check`.
        BadProfile: The profile changes rules of the service's contract.
        CannotFix: There is no such clip, or it cannot be made ready.
        BadOutput, OutputExists, CannotWrite: As in `fix`.
    """
    from preflight.fixes.write import require_output

    profile.require_contract()
    with as_path(recording) as path:
        require_output(path, Path(os.fsdecode(out)), force=force)
        analysis = analyze(path, to_end=True, profile=profile, on_progress=on_progress)
        return cut_analyzed(
            path,
            out,
            analysis,
            number=number,
            prompt_text=prompt_text,
            force=force,
            profile=profile,
            on_progress=on_progress,
        )


def cut_analyzed(
    path: PathLike,
    out: PathLike,
    analysis: Analysis,
    *,
    number: int = 1,
    prompt_text: str | None,
    force: bool = False,
    profile: Profile = DEFAULT,
    on_progress: Progress | None = None,
) -> tuple[PromptClip, Fixed]:
    """Cut a prompt clip from a recording that was analyzed to its end; otherwise like `cut_prompt`."""
    from preflight.fixes.fix import fix_analyzed

    clips = _best(path, analysis, number)
    if number > len(clips):
        raise CannotFix(f"prompt clip {number} does not exist", f"choose 1 to {len(clips)}")
    clip = clips[number - 1]
    options = FixOptions(start_s=clip.start_s, end_s=clip.end_s)
    if prompt_text is None:
        profile = profile.changed(ignore=["prompt-text-missing"])
    as_prompt = msgspec.structs.replace(analysis, role="prompt", prompt_text=prompt_text)
    fixed = fix_analyzed(path, out, as_prompt, options, force=force, profile=profile, on_progress=on_progress)
    return clip, fixed


def _best(path: PathLike, analysis: Analysis, count: int) -> tuple[PromptClip, ...]:
    if isinstance(analysis.problem, NotExamined):
        raise analysis.problem
    if analysis.problem is not None:
        raise CannotFix(analysis.problem.message, analysis.problem.hint)
    ranked = sorted(_measured(path, analysis, candidates(analysis)), key=lambda clip: -clip.score)
    if not ranked:
        raise CannotFix(
            f"it has no speech of {MIN_S:g} to {MAX_S:g} s between two pauses",
            "record one sentence, with a second of silence before and after it",
        )
    chosen: list[PromptClip] = []
    for clip in ranked:
        if len(chosen) < count and all(_overlap(clip, other) <= 0.5 for other in chosen):
            chosen.append(clip)
    return tuple(chosen)


def _overlap(one: PromptClip, other: PromptClip) -> float:
    """Return the overlap of two clips as a share of the shorter one."""
    common = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    return max(0.0, common) / min(one.seconds, other.seconds)


def candidates(analysis: Analysis) -> list[Span]:
    """Return the parts between two pauses that are worth measuring, those with the most speech first."""
    seconds = analysis.duration_s
    if seconds is None or not analysis.speech:
        return []
    pauses, speech = _pauses(analysis.speech, seconds), SpanIndex(analysis.speech)
    found = []
    for number, (start, end) in enumerate(pauses):
        begin = end - min(_MARGIN_S, end if start == 0 else (end - start) / 2)
        for next_start, next_end in pauses[number + 1 :]:
            stop = next_start + min(_MARGIN_S, (next_end - next_start) / (1 if next_end == seconds else 2))
            if stop - begin > MAX_S:
                break  # later pauses are even farther away
            speech_s = speech.seconds_in((begin, stop))
            if stop - begin >= MIN_S and speech_s > 0.5 * (stop - begin):
                found.append((speech_s, (begin, stop)))
    # rounded, so that clips with nearly the same amount of speech stay in the order of the recording
    found.sort(key=lambda pair: (-round(pair[0], 1), pair[1]))
    return _spread([span for _, span in found])


def _pauses(speech: tuple[Span, ...], seconds: float) -> list[Span]:
    """Return the pauses of the speech detector, including those at the start and the end of the recording."""
    gaps = [(before[1], after[0]) for before, after in pairwise(speech)]
    inner = [(start, end) for start, end in gaps if end - start >= _MIN_PAUSE_S]
    first = [(0.0, speech[0][0])] if speech[0][0] >= _MIN_EDGE_SILENCE_S else []
    last = [(speech[-1][1], seconds)] if seconds - speech[-1][1] >= _MIN_EDGE_SILENCE_S else []
    return [*first, *inner, *last]


def _spread(spans: list[Span]) -> list[Span]:
    """Return the first `_MAX_CANDIDATES`, at most two with the same start: one place may have a flaw."""
    starts: dict[float, int] = {}
    kept = []
    for span in spans:
        starts[span[0]] = starts.get(span[0], 0) + 1
        if starts[span[0]] <= 2:
            kept.append(span)
    return kept[:_MAX_CANDIDATES]


def _measured(path: PathLike, analysis: Analysis, spans: list[Span]) -> Iterator[PromptClip]:
    """Measure each of `spans` alone: clipping and background noise are judged by the clip, not by the recording."""
    from preflight.analysis.analyze import measure
    from preflight.input.source import Source

    facts = analysis.probe
    if facts is None or not spans:
        return
    with Source.open(path) as source:
        for span, block in excerpts(source, facts, spans):
            found = measure(facts, (block,))
            if found.speech:
                yield _clip(span, found)


def _contrast_db(analysis: Analysis) -> float:
    """Return the level of loud frames over that of the quietest ones between the first and the last word.

    Noise that a gate lets through together with the voice fills those, but not the pauses around the clip.
    """
    start, end = analysis.speech[0][0], analysis.speech[-1][1]
    first, last = (round(moment / analysis.frame_s) for moment in (start, end))
    levels = analysis.frame_levels_dbfs()[first:last]
    low, high = np.percentile(levels, (_QUIET_PERCENTILE, _LOUD_PERCENTILE))
    return float(high - low)


def _clip(span: Span, analysis: Analysis) -> PromptClip:
    found = analysis.measurements
    # the lower of the two: one is measured around the speech, the other between the words
    snr = min(found.get("snr_db", 0.0), _contrast_db(analysis))
    loudness = found.get("integrated_loudness_lufs", -70.0)
    seconds = span[1] - span[0]
    cost = sum(per_unit * found.get(name, 0.0) for name, per_unit in _COSTS_DB.items())
    cost += max(0.0, abs(loudness - _BEST_LUFS) - _LOUDNESS_TOLERANCE_LU)
    cost += _COST_PER_S_DB * max(0.0, _BEST_LENGTHS_S[0] - seconds, seconds - _BEST_LENGTHS_S[1])
    return PromptClip(
        start_s=round(span[0], 3),
        end_s=round(span[1], 3),
        score=round(min(snr, _MAX_USEFUL_SNR_DB) - cost, 2),
        snr_db=round(snr, 2),
        loudness_lufs=loudness,
        true_peak_dbtp=found["true_peak_dbtp"],
        clipped_percent=found.get("clipped_percent", 0.0),
        speech_s=found.get("speech_s", 0.0),
    )
