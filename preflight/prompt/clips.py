"""Find the prompt clip: one clean utterance of a recording, short enough for `clone_prompt`."""

from __future__ import annotations

import dataclasses
import os
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from preflight.checks import examine, for_role
from preflight.errors import CannotFix, NotExamined
from preflight.fixes.options import FixOptions
from preflight.fixes.window import Lengths
from preflight.input.as_path import as_path
from preflight.input.types import PathLike, Recording
from preflight.profile import DEFAULT, Profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Decoded
    from preflight.analysis.analyze import Progress
    from preflight.analysis.meters.levels import LevelMeter
    from preflight.checks import Examination
    from preflight.fixes.fix import Fixed
    from preflight.input.source import Source
    from preflight.media.decoder import Block
    from preflight.media.probe import Probe
    from preflight.report import Span

SHORTEST_S: Final = 3.0
LONGEST_S: Final = 7.5
"""What a coder adds at the ends must not carry it to 8 s."""
_MARGIN_S: Final = 0.25
"""Of silence in front and behind, where the pause has it: half of a pause at most."""
_LEAST_PAUSE_S: Final = 0.16
"""Both the clip before a cut and the one behind it keep 80 ms clear of what the speech detector hears."""
_LEAST_AT_ENDS_S: Final = 0.08
_MOST_MEASURED: Final = 24
_BEST_SNR_DB: Final = 45.0
"""More is not heard."""
_QUIETEST_PERCENT: Final = 3
_LOUD_PERCENT: Final = 75
_BEST_LUFS: Final = -20.0
_FREE_LU: Final = 6.0
_COSTS: Final = {"clipped_percent": 10.0, "dropouts": 15.0, "clicks": 15.0, "longest_pause_s": 3.0}
"""In dB of SNR for each unit; measured or guessed by ear, they only order the clips."""
_IDEAL_S: Final = (4.5, 7.0)
_COST_PER_S_AWAY: Final = 3.0


class PromptClip(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a recording that would do as a prompt clip.

    Attributes:
        start_s: Where it begins.
        end_s: Where it ends; both lie in pauses.
        score: What it is ranked by, in dB: SNR, less what is wrong with it.
        snr_db: Of the speech in it over what is quiet in it, before it, behind it or between its words.
        loudness_lufs: Its integrated loudness.
        true_peak_dbtp: Its true peak.
        clipped_percent: How many of its samples are clipped.
        speech_s: How much of it is speech.
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
        """How long it is."""
        return self.end_s - self.start_s


def prompt_clips(
    recording: Recording, *, count: int = 5, profile: Profile = DEFAULT, on_progress: Progress | None = None
) -> tuple[PromptClip, ...]:
    """The best stretches for a prompt clip, the best one first; no two overlap by more than half.

    Each begins and ends in a pause, where the speech detector is silent for at least 80 ms, and lasts 3 to 7.5 s.

    Args:
        recording: As in `fix`.
        count: How many to return at most.
        profile: By which the recording is examined.
        on_progress: As in `check`.

    Raises:
        TypeError, ValueError: As `check` does.
        CannotFix: It cannot be read, or no utterance in it is short enough.
    """
    with as_path(recording) as path:
        return _best(path, examine(path, to_its_end=True, profile=profile, on_progress=on_progress), count)


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
    """Write one of the clips that `prompt_clips` finds; the recording is decoded once for both.

    Args:
        recording: As in `fix`.
        out: The file or folder to write to, as in `fix`.
        number: Which clip; 1 is the best.
        prompt_text: The text that is spoken in it; None for a clip that is to be listened to first.
        force: Replace `out` when it exists.
        profile: By which the recording is examined and the clip is judged.
        on_progress: As in `fix`.

    Raises:
        TypeError, ValueError: As `check` does.
        BadProfile: The profile overrules what the service itself asks for.
        CannotFix: There is no such clip, or it cannot be made ready.
        BadOutput, OutputExists, CannotWrite: As `fix` does.
    """
    from preflight.fixes.fix import mend
    from preflight.fixes.write import require_output

    profile.require_contract()
    with as_path(recording) as path:
        require_output(path, Path(os.fsdecode(out)), force=force)
        examination = examine(path, to_its_end=True, profile=profile, on_progress=on_progress)
        clips = _best(path, examination, number)
        if number > len(clips):
            raise CannotFix(f"there is no prompt clip {number} in it", f"there are {len(clips)}")
        clip = clips[number - 1]
        options = FixOptions(start_s=clip.start_s, end_s=clip.end_s)
        if prompt_text is None:
            examination = dataclasses.replace(examination, profile=profile.changed(ignore=["prompt-text-missing"]))
        as_prompt = for_role(examination, "prompt", prompt_text)
        return clip, mend(path, out, as_prompt, options, force=force, on_progress=on_progress)


def _best(path: PathLike, examination: Examination, count: int) -> tuple[PromptClip, ...]:
    if isinstance(examination.subject.problem, NotExamined):
        raise examination.subject.problem
    if examination.subject.problem is not None:
        raise CannotFix(examination.subject.problem.message, examination.subject.problem.hint)
    ranked = sorted(_measured(path, examination, _candidates(examination)), key=lambda clip: -clip.score)
    if not ranked:
        raise CannotFix(
            f"nobody says something of {SHORTEST_S:g} to {LONGEST_S:g} s between two pauses in it",
            "record one sentence on its own, with a second of silence before and behind",
        )
    chosen: list[PromptClip] = []
    for clip in ranked:
        if len(chosen) < count and all(_overlap(clip, other) <= 0.5 for other in chosen):
            chosen.append(clip)
    return tuple(chosen)


def _overlap(one: PromptClip, other: PromptClip) -> float:
    common = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    return max(0.0, common) / min(one.seconds, other.seconds)


def _candidates(examination: Examination) -> list[Span]:
    """Stretches from one pause to another, those with the most speech for their length first."""
    heard, seconds = examination.subject.heard, examination.subject.duration_s
    if heard is None or seconds is None or not heard.speech:
        return []
    pauses, speech = _pauses(heard.speech, seconds), Lengths(heard.speech)
    found = []
    for number, (start, end) in enumerate(pauses):
        begin = end - min(_MARGIN_S, end if start == 0 else (end - start) / 2)
        for next_start, next_end in pauses[number + 1 :]:
            stop = next_start + min(_MARGIN_S, (next_end - next_start) / (1 if next_end == seconds else 2))
            if stop - begin > LONGEST_S:
                break
            said = speech.within((begin, stop))
            if stop - begin >= SHORTEST_S and said > 0.5 * (stop - begin):
                found.append((said, (begin, stop)))
    found.sort(key=lambda pair: (-round(pair[0], 1), pair[1]))
    return _spread([span for _, span in found])


def _pauses(speech: tuple[Span, ...], seconds: float) -> list[Span]:
    """Where the detector hears nobody, the ends of the recording among them."""
    gaps = [(before[1], after[0]) for before, after in pairwise(speech)]
    inner = [(start, end) for start, end in gaps if end - start >= _LEAST_PAUSE_S]
    first = [(0.0, speech[0][0])] if speech[0][0] >= _LEAST_AT_ENDS_S else []
    last = [(speech[-1][1], seconds)] if seconds - speech[-1][1] >= _LEAST_AT_ENDS_S else []
    return [*first, *inner, *last]


def _spread(spans: list[Span]) -> list[Span]:
    """As many as are measured, no more than two that begin alike: what has most speech may be spoiled."""
    begun: dict[float, int] = {}
    kept = []
    for span in spans:
        begun[span[0]] = begun.get(span[0], 0) + 1
        if begun[span[0]] <= 2:
            kept.append(span)
    return kept[:_MOST_MEASURED]


def _measured(path: PathLike, examination: Examination, spans: list[Span]) -> Iterator[PromptClip]:
    """Each of `spans`, measured alone: the ceiling of clipping and the floor of noise are its own."""
    from preflight.analysis.analyze import listen
    from preflight.input.source import Source

    facts = examination.subject.probe
    if facts is None or not spans:
        return
    with Source.open(path) as source:
        for span, sound in cut_out(source, facts, spans):
            decoded, levels = listen(_Excerpt(facts, sound))
            if decoded is not None and levels is not None and decoded.heard is not None and decoded.heard.speech:
                yield _clip(span, decoded, _contrast_db(levels, decoded.heard.speech))


def cut_out(source: Source, facts: Probe, spans: list[Span]) -> Iterator[tuple[Span, Block]]:
    """The sound of each of `spans`, in one pass; the last ones of what is needed are held, no more."""
    from preflight.media.decoder import Decoder

    rate = facts.sample_rate_hz
    waiting = sorted(spans)
    held: list[Block] = []
    begin = position = 0
    for block in Decoder(source, facts).blocks():
        held.append(block)
        position += len(block)
        while waiting and position >= round(waiting[0][1] * rate):
            span = waiting.pop(0)
            whole = np.concatenate(held)
            yield span, whole[round(span[0] * rate) - begin : round(span[1] * rate) - begin]
        first = round(waiting[0][0] * rate) if waiting else position
        while held and begin + len(held[0]) <= first:
            begin += len(held.pop(0))
        if not waiting:
            return


class _Excerpt:
    """A pass over sound that is held."""

    def __init__(self, facts: Probe, sound: Block) -> None:
        from preflight.analysis.analysis import Ending
        from preflight.analysis.vad.speech import SpeechMeter

        self.probe = facts
        self.ending = Ending(len(sound) / facts.sample_rate_hz)
        self.ear = SpeechMeter(facts.sample_rate_hz)
        self._sound = sound

    def blocks(self) -> Iterator[Block]:
        return iter((self._sound,))


def _contrast_db(levels: LevelMeter, speech: tuple[Span, ...]) -> float:
    """Of the loud frames over the quietest between the words: noise that comes and goes with a voice fills them."""
    first, last = (round(moment / levels.frame_s) for moment in (speech[0][0], speech[-1][1]))
    low, high = np.percentile(levels.frame_levels_dbfs()[first:last], (_QUIETEST_PERCENT, _LOUD_PERCENT))
    return float(high - low)


def _clip(span: Span, decoded: Decoded, contrast_db: float) -> PromptClip:
    found = decoded.measurements
    snr = min(found.get("snr_db", 0.0), contrast_db)
    loudness = found.get("integrated_loudness_lufs", -70.0)
    seconds = span[1] - span[0]
    cost = sum(weight * found.get(name, 0.0) for name, weight in _COSTS.items())
    cost += max(0.0, abs(loudness - _BEST_LUFS) - _FREE_LU)
    cost += _COST_PER_S_AWAY * max(0.0, _IDEAL_S[0] - seconds, seconds - _IDEAL_S[1])
    return PromptClip(
        start_s=round(span[0], 3),
        end_s=round(span[1], 3),
        score=round(min(snr, _BEST_SNR_DB) - cost, 2),
        snr_db=round(snr, 2),
        loudness_lufs=loudness,
        true_peak_dbtp=found["true_peak_dbtp"],
        clipped_percent=found.get("clipped_percent", 0.0),
        speech_s=found.get("speech_s", 0.0),
    )
