"""Decide what a take needs, and no more. Nothing is read or written here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, cast

from preflight import limits
from preflight.errors import CannotFix, NotExamined
from preflight.fixes.codec_targets import fold_weights, target_for
from preflight.fixes.edits import (
    HIGH_PASS_HZ,
    UNCHANGED,
    Edit,
    SoundEdits,
    cut_edit,
    edits_of_coding,
    edits_of_sound,
    scale_edit,
)
from preflight.fixes.options import KINDS, USUAL_LUFS, Container, FixOptions
from preflight.fixes.window import chosen_window, given_window, pauses_of, trimmed

if TYPE_CHECKING:
    from preflight.checks import Examination
    from preflight.fixes.codec_targets import Target
    from preflight.media.probe import Probe
    from preflight.report import Report, Span

Action = Literal["keep", "rename", "rewrap", "convert"]

_HOMES: Final[dict[str, Container]] = {"aac": "m4a", "mp3": "mp3"}
"""The containers whose coded sound can be copied, by codec."""
_MENDED_BY_COPY: Final = frozenset({"unsupported-format", "extension-mismatch", "header-mismatch", "truncated"})
_MENDED_BY_CUT: Final = frozenset({"too-long", "too-large", "prompt-too-long"})
_ABOUT_TEXT: Final = frozenset({"prompt-text-missing", "prompt-text-unfit"})
_LOSSY_LIMIT_S: Final = limits.WRITE_BELOW_S
"""What a lossy coding adds at the ends, three packets of 0.13 s at most, must not carry it over the limit."""
_PAUSE_LEFT_S: Final = 1.0
_LEAST_CUT_S: Final = 0.2
_CHANGE_SOUND: Final = KINDS.keys() - {"trim-silence"}


@dataclass(frozen=True)
class Plan:
    """What will be done to a take.

    Attributes:
        action: ``keep`` the bytes, ``rename`` (the bytes under another ending), ``rewrap`` (the coded sound, or a part
            of it, in a new file) or ``convert`` (decode and code once).
        container: Of the result.
        window: What is kept, as (start, end) in seconds of the decoded sound; None for all.
        target: How the result is coded; None unless `action` is ``convert``.
        sound: What is computed on the way; nothing unless `action` is ``convert``.
        edits: Each change.
    """

    action: Action
    container: Container
    window: Span | None = None
    target: Target | None = None
    sound: SoundEdits = UNCHANGED
    edits: tuple[Edit, ...] = ()


class _Case:
    """A take, and what is wished of it.

    Args:
        examination: What is known of the take.
        options: What is wished.
        ending: The container to write where something has to be written anyway.

    Raises:
        CannotFix: Its sound is not known.
    """

    def __init__(self, examination: Examination, options: FixOptions, ending: Container | None = None) -> None:
        subject = examination.subject
        channels = subject.decoded.channels if subject.decoded else None
        if subject.probe is None or subject.decoded is None or subject.duration_s is None or channels is None:
            raise CannotFix("only its headers were read", "check it without --quick first")
        self.examination, self.options = examination, options
        self.facts, self.decoded, self.channels = subject.probe, subject.decoded, channels
        self.seconds = subject.duration_s
        self.pauses = pauses_of(examination)
        self.to = options.to or ending
        self.errors = {finding.rule for finding in examination.report.errors}
        self.found = frozenset(finding.rule for finding in examination.report.findings)
        self.is_as_wished = options.to in (None, self.facts.container) and not options.has_window
        is_written = bool(self.errors - {"extension-mismatch"}) or not self.is_as_wished
        wanted = options.wanted(self.found, is_written=is_written)
        if trimmed(self.pauses, None, self.seconds) is None:
            wanted -= {"trim-silence"}
        if self.facts.channels == 1:
            wanted -= {"mono"}
        if self.facts.channels != 2 or not channels.opposite or channels.flipped or "mono" in wanted:
            wanted -= {"fix-polarity"}
        if not _long_pauses(self, None):
            wanted -= {"shorten-pauses"}
        self.wanted = wanted
        self.loudness_lufs = options.loudness_lufs
        if options.loudness_lufs is None and options.unsafe and self.found & {"too-quiet", "too-loud"}:
            self.loudness_lufs = USUAL_LUFS

    @property
    def changes_sound(self) -> bool:
        """Whether samples have to be computed."""
        return self.loudness_lufs is not None or bool(self.wanted & _CHANGE_SOUND)

    def window(self, longest: float = limits.MAX_DURATION_S) -> Span | None:
        """What is kept, None for all of it."""
        if self.options.has_window:
            most = longest if longest == limits.MAX_DURATION_S else limits.WRITE_BELOW_S
            return given_window(self.options, self.seconds, self.examination.subject.role, most)
        if "too-long" in self.errors:  # by its padding alone perhaps
            longest = min(longest, limits.WRITE_BELOW_S)
        window = chosen_window(self.examination, self.pauses, self.seconds, longest, self.options.keep)
        return trimmed(self.pauses, window, self.seconds) if "trim-silence" in self.wanted else window

    def told(self, window: Span | None) -> list[Edit]:
        """What `window` leaves out, as an edit."""
        if window is None:
            return []
        if self.options.has_window:
            return [cut_edit(window, self.seconds, "", "as you said")]
        rules = [rule for rule in ("too-long", "damaged") if rule in self.errors]
        if not rules and "trim-silence" in self.wanted:
            return [cut_edit(window, self.seconds, "edge-silence", "without the silence at the ends", is_safe=True)]
        return [cut_edit(window, self.seconds, rules[0] if rules else "too-long", "cut at pauses")]


def decide(examination: Examination, options: FixOptions, ending: Container | None = None) -> Plan:
    """The smallest change that makes a take ready, and what is wished beyond that.

    Args:
        examination: What is known of it.
        options: What is wished.
        ending: The container to write where something has to be written anyway.

    Raises:
        CannotFix: It cannot be made ready, or not as it is wished.
        NotExamined: A bug of ours came up while it was read.
    """
    problem = examination.subject.problem
    if isinstance(problem, NotExamined):
        raise problem
    if problem is not None:
        raise CannotFix(problem.message, problem.hint or "open it in a player; if that fails too, export it again")
    _refuse_what_cannot_be(examination.report, options)
    case = _Case(examination, options, ending)
    if case.errors <= {"extension-mismatch"} and case.is_as_wished and not case.wanted and not case.changes_sound:
        # a header that is wrong without breaking a limit is worth a copy, not a second encoding
        corrected = _copied(case) if "header-mismatch" in case.found else None
        return corrected or _as_it_is(case.facts, renamed=bool(case.errors))
    return _copied(case) or _converted(case)


def converted(examination: Examination, options: FixOptions, container: Container) -> Plan:
    """The plan to code it anew where it cannot be copied, for `decide` may have said otherwise.

    Raises:
        CannotFix: Nothing long enough is left, or it does not fit in the container.
    """
    return _converted(_Case(examination, options, container))


def _refuse_what_cannot_be(report: Report, options: FixOptions) -> None:
    answered = {"prompt-too-long"} if options.has_window else set()
    hopeless = [finding for finding in report.errors if not finding.fix and finding.rule not in answered]
    if hopeless:
        is_text = all(finding.rule in _ABOUT_TEXT for finding in hopeless)
        hint = "give the text as it is spoken" if is_text else "make or export another recording"
        raise CannotFix("; ".join(finding.message for finding in hopeless), hint)


def _as_it_is(facts: Probe, *, renamed: bool) -> Plan:
    container = cast("Container", facts.container)
    if not renamed:
        return Plan("keep", container)
    what = f"give it the ending {limits.ACCEPTED[container]}; the bytes stay"
    return Plan("rename", container, edits=(Edit(name="rename", rule="extension-mismatch", what=what, safe=True),))


def _copied(case: _Case) -> Plan | None:
    """Copy the coded sound, or a part of it, where that mends everything."""
    if case.changes_sound or case.decoded.changes or case.facts.codec not in _HOMES:
        return None
    container = _HOMES[case.facts.codec]
    if case.to not in (None, container) or not case.errors <= _MENDED_BY_COPY | _MENDED_BY_CUT:
        return None
    window = case.window(_LOSSY_LIMIT_S)
    edits = case.told(window)
    if case.decoded.damage and window is None:
        window = max(case.decoded.whole_stretches, key=lambda stretch: stretch[1] - stretch[0])
        edits = [cut_edit(window, case.seconds, "damaged", "without what cannot be decoded at the edge", is_safe=True)]
    kept_s = window[1] - window[0] if window else case.seconds
    bytes_now = case.examination.report.file.bytes
    kept_bytes = round((case.facts.audio_bytes or bytes_now) * kept_s / case.seconds)
    if kept_bytes > limits.SAFE_BYTES:
        return None
    why = next(
        iter(sorted(case.errors & _MENDED_BY_COPY)), "header-mismatch" if "header-mismatch" in case.found else ""
    )
    what = f"copy the {case.facts.codec.upper()} sound as it is into a new {container.upper()}{_track(case.facts)}"
    edits.append(Edit(name="rewrap", rule=why, what=what, safe=True, bytes=kept_bytes - bytes_now))
    return Plan("rewrap", container, window, edits=tuple(edits))


def _track(facts: Probe) -> str:
    """Which audio track is used, where there are several."""
    return f" (audio track {facts.audio_track + 1} of {facts.audio_tracks})" if facts.audio_tracks > 1 else ""


def _converted(case: _Case) -> Plan:
    """Decode once, cut, fold and compute where needed, code once."""
    window, sound = case.window(), _sound_edits(case)
    fold = None
    channels = case.facts.channels
    if channels > limits.MAX_CHANNELS or (channels == limits.MAX_CHANNELS and "mono" in case.wanted):
        fold = fold_weights(case.channels)
    kept_s = window[1] - window[0] if window else case.seconds
    container, target = target_for(case.facts, kept_s, case.to, fold, is_changed=sound.computes)
    if container != "wav":
        window = case.window(_LOSSY_LIMIT_S)
    if "shorten-pauses" in case.wanted:
        sound = replace(sound, pauses=_long_pauses(case, window))
    scale = case.decoded.ending.float_scale
    scaled = [scale_edit(scale)] if scale != 1.0 else []
    edits = [*case.told(window), *scaled, *edits_of_sound(case.examination, sound)]
    lasts_s = (window[1] - window[0] if window else case.seconds) - sum(end - start for start, end in sound.pauses)
    grows = round(target.bytes_per_s(container) * lasts_s) - case.examination.report.file.bytes
    edits += edits_of_coding(case.facts, container, target, sound, case.found, grows=grows)
    return Plan("convert", container, window, target, sound, tuple(edits))


def _sound_edits(case: _Case) -> SoundEdits:
    hum_hz = case.examination.report.measurements.get("hum_hz", 50.0)
    return SoundEdits(
        invert="fix-polarity" in case.wanted,
        remove_dc="remove-dc" in case.wanted,
        high_pass_hz=HIGH_PASS_HZ if "high-pass" in case.wanted else None,
        hum_hz=hum_hz if "notch-hum" in case.wanted else None,
        loudness_lufs=case.loudness_lufs,
        limit=case.options.limit,
    )


def _long_pauses(case: _Case, window: Span | None) -> tuple[Span, ...]:
    """What to cut out of pauses of more than a second in `window`, in their middle."""
    begin, end = window or (0.0, case.seconds)
    within = ((max(start, begin), min(stop, end)) for start, stop in case.pauses)
    half = _PAUSE_LEFT_S / 2
    inner = [(start, stop) for start, stop in within if start > begin and stop < end]
    return tuple((start + half, stop - half) for start, stop in inner if stop - start > _PAUSE_LEFT_S + _LEAST_CUT_S)
