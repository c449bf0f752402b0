"""Fix, join, and cut prompt clips: each action makes a new take with the function that its command calls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from onetake.errors import UsageError
from onetake.speech_model import chosen_model
from preflight import CannotFix, FixOptions, cut_prompt, fix, join, plan, prompt_clips, transcribe
from preflight.fixes.options import DEFAULT_LUFS, EDIT_KINDS
from preflight.prompt.clips import MAX_S, MIN_S
from preflight.rules.prompt_text import problem_of_text

if TYPE_CHECKING:
    from onetake.config.settings import Settings
    from onetake.studio.take import Span, Take
    from onetake.studio.take_report import Examined, Examiner
    from onetake.studio.takes import Takes
    from preflight import Fixed

_MARGIN_S: Final = 0.25
"""Silence before the marked sentence and after it, as in the clips of `prompt_clips`."""
_SLACK_S: Final = 0.3
"""A reader turns the page a little before the last word ends, or after the first one has begun."""
_MOST_CLIPS: Final = 5


class FixForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the page asks for.

    Attributes:
        edits: Names of `EDIT_KINDS`.
        loudness: Whether to bring the loudness to the middle of the accepted range.
        start_s: Start of the part to keep; None for the proposed one.
        end_s: Its end.
    """

    edits: tuple[str, ...] = ()
    loudness: bool = False
    start_s: float | None = None
    end_s: float | None = None

    def options(self) -> FixOptions:
        """Return the options of `preflight.fix`; raises `preflight.InvalidFixOptions`."""
        lufs = DEFAULT_LUFS if self.loudness else None
        return FixOptions(edits=frozenset(self.edits), loudness_lufs=lufs, start_s=self.start_s, end_s=self.end_s)


class ClipForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A prompt clip to cut.

    Attributes:
        number: Number of the clip in `clips_view`; 0 is the script's marked sentence.
        text: The words that are spoken in it.
    """

    number: int
    text: str


def plan_view(take: Take, examined: Examined, form: FixForm) -> dict[str, Any]:
    """Return the plan of a fix, and the edits that can be chosen; ``error`` where it cannot be fixed like this."""
    found = {finding.rule for finding in examined.report.findings}
    choices = [
        {"name": name, "what": kind.description, "safe": kind.is_safe, "rules": sorted(found & set(kind.rules))}
        for name, kind in EDIT_KINDS.items()
        if found & set(kind.rules)
    ]
    if found & {"too-quiet", "too-loud"}:
        rules = sorted(found & {"too-quiet", "too-loud"})
        what = f"normalize the loudness to {DEFAULT_LUFS:g} LUFS"
        choices.append({"name": "loudness", "what": what, "safe": False, "rules": rules})
    seconds = examined.report.file.duration_s
    view = {"choices": choices, "seconds": seconds, "edits": [], "action": None, "window": None, "error": None}
    try:
        planned = plan(take.file, options=form.options())
    except CannotFix as error:
        return view | {"error": {"message": error.message, "hint": error.hint}}
    return view | {"edits": planned.edits, "action": planned.action, "window": _window(examined, form)}


def _window(examined: Examined, form: FixForm) -> Span | None:
    """Return the part that the plan keeps; None for all of it."""
    from preflight.fixes.plan import make_plan

    return make_plan(examined.analysis, examined.report, form.options()).window


def fixed_take(takes: Takes, take: Take, form: FixForm) -> Take:
    """Fix a take; the result is a new one, in the format that needs the fewest changes."""
    written: list[Fixed] = []

    def write(folder: Path) -> Path:
        written.append(fix(take.file, folder, options=form.options()))
        return Path(written[0].path or "")

    made = takes.new(origin="fixed", name=f"{take.name}, fixed", write=write, parent=take.id, language=take.language)
    return takes.annotate(made, changes=tuple(edit.what for edit in written[0].edits))


def joined_take(takes: Takes, wanted: list[Take]) -> Take:
    """Join takes, in order; the result is a new one."""
    name = " + ".join(take.name for take in wanted)
    write = lambda folder: Path(join([take.file for take in wanted], folder / "joined.wav").path)  # noqa: E731
    parent, language = (wanted[0].id, wanted[0].language) if wanted else (None, None)
    return takes.new(origin="joined", name=name, write=write, parent=parent, language=language)


def clips_view(take: Take, examiner: Examiner, settings: Settings | None) -> list[dict[str, Any]]:
    """Return the candidates for a prompt clip, each with its text if that is known; the marked sentence comes first."""
    clips: list[dict[str, Any]] = []
    if (span := marked_span(take, examiner.examine(take))) is not None:
        start_s, end_s = span
        text = _marked_text(take)
        clips.append({"number": 0, "start_s": start_s, "end_s": end_s, "text": text, "source": "script"})
    try:
        found = prompt_clips(take.file, count=_MOST_CLIPS)
    except CannotFix:
        if clips:
            return clips
        raise
    model = chosen_model(settings) if settings is not None else None
    texts = transcribe(take.file, [(clip.start_s, clip.end_s) for clip in found], model) if model else ()
    for number, clip in enumerate(found, 1):
        text = texts[number - 1] if texts else ""
        facts = {"start_s": clip.start_s, "end_s": clip.end_s, "snr_db": clip.snr_db}
        clips.append({"number": number, **facts, "text": text, "source": "speech model" if texts else ""})
    return clips


def marked_span(take: Take, examined: Examined) -> Span | None:
    """Return where the script's marked sentence is in a take, in seconds; None if it is not usable as a clip."""
    if take.marked is None or take.language is None:
        return None
    first, last = take.marked[0] - _SLACK_S, take.marked[1] + _SLACK_S
    inside = [span for span in examined.report.speech if first <= span[0] and span[1] <= last]
    if not inside:
        return None
    start_s = max(0.0, inside[0][0] - _MARGIN_S)
    end_s = min(examined.report.file.duration_s or 0.0, inside[-1][1] + _MARGIN_S)
    return (round(start_s, 3), round(end_s, 3)) if MIN_S <= end_s - start_s <= MAX_S else None


def _marked_text(take: Take) -> str:
    from onetake.studio.scripts import script

    return script(take.language or "").marked


def cut_clip(takes: Takes, take: Take, examined: Examined, form: ClipForm) -> Take:
    """Cut a prompt clip; the result is a new take with its text."""
    require_prompt_text(form.text)

    def write(folder: Path) -> Path:
        if form.number > 0:
            fixed = cut_prompt(take.file, folder, number=form.number, prompt_text=form.text)[1]
        elif (span := marked_span(take, examined)) is not None:
            options = FixOptions(start_s=span[0], end_s=span[1])
            fixed = fix(take.file, folder, role="prompt", prompt_text=form.text, options=options)
        else:
            raise UsageError("the script's marked sentence is not in this take", "choose another clip")
        return Path(fixed.path or "")

    name = f"Prompt clip of {take.name}"
    return takes.new(origin="prompt", name=name, write=write, parent=take.id, text=form.text)


def require_prompt_text(text: str) -> None:
    """Refuse a text that the endpoint would refuse; raises `UsageError`."""
    if not text.strip():
        raise UsageError("the text is empty", "write exactly what is said in the clip")
    if (problem := problem_of_text(text)) is not None:
        raise UsageError(f"the text {problem}", "write exactly what is said in the clip")
