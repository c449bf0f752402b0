"""Decide what a take needs, and no more. Nothing is read or written here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, cast

from preflight import limits
from preflight.errors import CannotFix
from preflight.repair.edits import HIGH_PASS_HZ, UNCHANGED, Edit, SoundEdits, cut_edits, edits_of_coding, edits_of_sound
from preflight.repair.targets import fold_weights, target_for
from preflight.repair.window import chosen_window, given_window, pauses_of, trimmed
from preflight.repair.wishes import USUAL_LUFS, Container, Wishes

if TYPE_CHECKING:
    from preflight.checking import Examination
    from preflight.probe import Probe
    from preflight.repair.targets import Target
    from preflight.report import Report, Span

Action = Literal["keep", "rename", "rewrap", "convert"]

_HOMES: Final[dict[str, Container]] = {"aac": "m4a", "mp3": "mp3"}
"""The containers whose coded sound can be copied, by codec."""
_MENDED_BY_COPY: Final = frozenset({"unsupported-format", "extension-mismatch", "header-mismatch", "truncated"})
_MENDED_BY_CUT: Final = frozenset({"too-long", "too-large", "prompt-too-long"})
_PAUSE_LEFT_S: Final = 1.0
_CHANGE_SOUND: Final = frozenset({"mono", "shorten-pauses", "remove-dc", "notch-hum", "high-pass"})


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


def decide(examination: Examination, wishes: Wishes, ending: Container | None = None) -> Plan:
    """The smallest change that makes a take ready, and what is wished beyond that.

    Args:
        examination: What is known of it.
        wishes: What is wished.
        ending: The container to write where something has to be written anyway.

    Raises:
        CannotFix: It cannot be made ready, or not as it is wished.
    """
    problem = examination.subject.problem
    if problem is not None:
        raise CannotFix(problem.message, problem.hint or "open it in a player; if that fails too, export it again")
    _refuse_what_cannot_be(examination.report, wishes)
    facts = examination.subject.probe
    if facts is None or examination.levels is None:
        raise CannotFix("only its headers were read", "check it without --quick first")
    errors = {finding.rule for finding in examination.report.errors}
    found = frozenset(finding.rule for finding in examination.report.findings)
    is_as_wished = wishes.to in (None, facts.container) and not wishes.has_window
    wanted = wishes.wanted(found, is_written=bool(errors - {"extension-mismatch"}) or not is_as_wished)
    if wanted == {"trim-silence"} and trimmed(examination, None, examination.subject.duration_s or 0.0) is None:
        wanted = frozenset()
    loudness = _loudness(wishes, found)
    if errors <= {"extension-mismatch"} and is_as_wished and not wanted and loudness is None:
        return _as_it_is(facts, renamed=bool(errors))
    wishes = replace(wishes, to=wishes.to or ending)
    if not wanted & _CHANGE_SOUND and loudness is None:
        copied = _copied(examination, wishes, errors, wanted)
        if copied is not None:
            return copied
    return converted(examination, wishes)


def _loudness(wishes: Wishes, found: frozenset[str]) -> float | None:
    if wishes.loudness_lufs is None and wishes.unsafe and found & {"too-quiet", "too-loud"}:
        return USUAL_LUFS
    return wishes.loudness_lufs


def _refuse_what_cannot_be(report: Report, wishes: Wishes) -> None:
    answered = {"prompt-too-long"} if wishes.has_window else set()
    hopeless = [finding for finding in report.errors if not finding.fix and finding.rule not in answered]
    if hopeless:
        raise CannotFix("; ".join(finding.message for finding in hopeless), "make or export another recording")


def _as_it_is(facts: Probe, *, renamed: bool) -> Plan:
    if facts.container not in limits.ACCEPTED:
        raise CannotFix(f"{facts.container} is not accepted", "convert it")
    container = cast("Container", facts.container)
    if not renamed:
        return Plan("keep", container)
    what = f"give it the ending {limits.ACCEPTED[container]}; the bytes stay"
    return Plan("rename", container, edits=(Edit(name="rename", rule="extension-mismatch", what=what, safe=True),))


def _copied(examination: Examination, wishes: Wishes, errors: set[str], wanted: frozenset[str]) -> Plan | None:
    """Copy the coded sound, or a part of it, where that mends everything."""
    facts, decoded = examination.subject.probe, examination.subject.decoded
    seconds = examination.subject.duration_s
    if facts is None or decoded is None or seconds is None or decoded.changes or facts.codec not in _HOMES:
        return None
    container = _HOMES[facts.codec]
    if wishes.to not in (None, container) or not errors <= _MENDED_BY_COPY | _MENDED_BY_CUT:
        return None
    window = _window(examination, wishes, seconds, wanted, is_lossy=False)
    edits = _told_cut(examination, wishes, window, seconds, wanted)
    if decoded.damage and window is None:
        window = max(decoded.whole_stretches, key=lambda stretch: stretch[1] - stretch[0])
        what = "leave out what cannot be decoded at the very edge"
        edits = [Edit(name="cut", rule="damaged", what=what, safe=True, seconds=window[1] - window[0] - seconds)]
    kept_s = window[1] - window[0] if window else seconds
    if examination.report.file.bytes * kept_s / seconds > limits.SAFE_BYTES:
        return None
    why = next(iter(sorted(errors & _MENDED_BY_COPY)), "")
    what = f"copy the {facts.codec.upper()} sound as it is into a new {container.upper()}"
    edits.append(Edit(name="rewrap", rule=why, what=what, safe=True))
    return Plan("rewrap", container, window, edits=tuple(edits))


def converted(examination: Examination, wishes: Wishes) -> Plan:
    """Decode once, cut, fold and compute where needed, code once.

    Raises:
        CannotFix: Nothing long enough is left, or it does not fit in the container asked for.
    """
    facts, levels = examination.subject.probe, examination.levels
    seconds = examination.subject.duration_s
    if facts is None or levels is None or seconds is None:
        raise CannotFix("its sound is not known", "check it first")
    found = frozenset(finding.rule for finding in examination.report.findings)
    wanted = wishes.wanted(found, is_written=True)
    sound = _sound_edits(examination, wishes, found, wanted)
    fold = None
    if facts.channels > limits.MAX_CHANNELS or (facts.channels == limits.MAX_CHANNELS and "mono" in wanted):
        fold = fold_weights(levels, is_opposite="out-of-phase" in found)
    window = _window(examination, wishes, seconds, wanted, is_lossy=False)
    kept_s = window[1] - window[0] if window else seconds
    container, target = target_for(facts, kept_s, wishes.to, fold, is_changed=sound.computes)
    if container != "wav" and window is None:
        # what a lossy coding adds at the ends must not carry it over the limit
        window = _window(examination, wishes, seconds, wanted, is_lossy=True)
    edits = _told_cut(examination, wishes, window, seconds, wanted)
    edits += edits_of_sound(examination, sound)
    edits += edits_of_coding(facts, container, target, sound, found)
    return Plan("convert", container, window, target, sound, tuple(edits))


def _window(
    examination: Examination, wishes: Wishes, seconds: float, wanted: frozenset[str], *, is_lossy: bool
) -> Span | None:
    if wishes.has_window:
        return given_window(wishes, seconds, examination.subject.role)
    longest = limits.MAX_DURATION_S - (limits.LOSSY_MARGIN_S if is_lossy else 0.0)
    window = chosen_window(examination, seconds, longest, wishes.keep)
    return trimmed(examination, window, seconds) if "trim-silence" in wanted else window


def _sound_edits(examination: Examination, wishes: Wishes, found: frozenset[str], wanted: frozenset[str]) -> SoundEdits:
    return SoundEdits(
        remove_dc="remove-dc" in wanted,
        high_pass_hz=HIGH_PASS_HZ if "high-pass" in wanted else None,
        hum_hz=examination.report.measurements.get("hum_hz", 50.0) if "notch-hum" in wanted else None,
        pauses=_long_pauses(examination) if "shorten-pauses" in wanted else (),
        loudness_lufs=_loudness(wishes, found),
        limit=wishes.limit,
    )


def _long_pauses(examination: Examination) -> tuple[Span, ...]:
    """What to cut out of pauses of more than a second, in their middle."""
    half = _PAUSE_LEFT_S / 2
    inner = [(start, end) for start, end in pauses_of(examination) if start > 0 and end - start > _PAUSE_LEFT_S]
    return tuple((start + half, end - half) for start, end in inner)


def _told_cut(
    examination: Examination, wishes: Wishes, window: Span | None, seconds: float, wanted: frozenset[str]
) -> list[Edit]:
    is_trimmed = "trim-silence" in wanted
    return cut_edits(examination, window, seconds, is_given=wishes.has_window, is_trimmed=is_trimmed)
