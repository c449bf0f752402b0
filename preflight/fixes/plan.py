"""Plan the smallest change that makes a recording ready. Nothing is read or written here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, cast

import msgspec

from preflight import limits
from preflight.errors import CannotFix, NotExamined
from preflight.fixes.edit_descriptions import (
    HIGH_PASS_HZ,
    NO_DSP,
    DspSettings,
    Edit,
    cut_edit,
    dsp_edits,
    encoding_edits,
    remux_edit,
    scale_edit,
)
from preflight.fixes.encoding_target import choose_target, downmix_weights
from preflight.fixes.options import DEFAULT_LUFS, EDIT_KINDS, MINIMAL, Container, FixOptions
from preflight.fixes.part_to_keep import choose_window, requested_window, trim_silence
from preflight.report import Report, verdict_of

if TYPE_CHECKING:
    from preflight.analysis.analysis import Analysis
    from preflight.fixes.encoding_target import Target
    from preflight.media.probe import Probe
    from preflight.report import Span

Action = Literal["keep", "rename", "rewrap", "convert"]

_CONTAINER_OF_CODEC: Final[dict[str, Container]] = {"aac": "m4a", "mp3": "mp3"}
"""Codecs whose packets can be copied, and the container for them."""
_FIXED_BY_REMUX: Final = frozenset({"unsupported-format", "extension-mismatch", "header-mismatch", "truncated"})
_FIXED_BY_CUT: Final = frozenset({"too-long", "too-large", "prompt-too-long"})
_LOSSY_MAX_S: Final = limits.WRITE_BELOW_S
"""The padding of a lossy encoder, at most three packets of 0.13 s, must not exceed the limit."""
_PAUSE_LEFT_S: Final = 1.0  # below the limit of `long-pause`, 1.5 s
_MIN_REMOVED_S: Final = 0.2
_CHANGES_SOUND: Final = EDIT_KINDS.keys() - {"trim-silence"}


@dataclass(frozen=True)
class Plan:
    """What will be done to a recording.

    Attributes:
        action: ``keep`` (copy the file), ``rename`` (copy it under another suffix), ``rewrap`` (copy packets into a new
            file) or ``convert`` (decode and encode once).
        container: Of the result.
        window: The part to keep, as (start, end) in seconds of the decoded audio; None for all.
        target: Encoding of the result; None unless `action` is ``convert``.
        dsp: Processing between decoder and encoder; none unless `action` is ``convert``.
        edits: Each change.
    """

    action: Action
    container: Container
    window: Span | None = None
    target: Target | None = None
    dsp: DspSettings = NO_DSP
    edits: tuple[Edit, ...] = ()

    @property
    def is_lossless(self) -> bool:
        """Whether every sample that is kept has the value it had."""
        if self.action != "convert" or self.target is None:
            return True
        is_exact = not (self.target.dither or self.target.downmix or self.dsp.changes_samples)
        return self.container == "wav" and is_exact


def make_plan(
    analysis: Analysis, report: Report, options: FixOptions = MINIMAL, container: Container | None = None
) -> Plan:
    """Return the smallest change that makes a recording ready and does what the options ask for.

    Args:
        analysis: Of the whole recording.
        report: Its report.
        options: What is requested.
        container: Container to write if a new file has to be written anyway.

    Raises:
        CannotFix: It cannot be made ready, or not with these options.
        NotExamined: A bug in onetake stopped the analysis.
    """
    problem = analysis.problem
    if isinstance(problem, NotExamined):
        raise problem
    if problem is not None:
        raise CannotFix(problem.message, problem.hint or "play it; if that fails too, export it again")
    _require_fixable(report, options)
    needs = _Needs(analysis, report, options, container)
    if needs.errors <= {"extension-mismatch"} and needs.is_as_requested and not needs.edits and not needs.changes_sound:
        # a wrong header that breaks no limit justifies a copy without loss, but no second encoding
        remade = "header-mismatch" in needs.found and _new_header_plan(needs)
        return remade or _copy_plan(needs.facts, is_renamed=bool(needs.errors))
    return _remux_plan(needs) or _conversion_plan(needs)


def plan_conversion(analysis: Analysis, report: Report, options: FixOptions, container: Container) -> Plan:
    """Return the plan to re-encode a recording whose packets turned out not to be copyable.

    Raises:
        CannotFix: No part is long enough, or it does not fit into the container.
    """
    return _conversion_plan(_Needs(analysis, report, options, container))


def mark_impossible_fixes(analysis: Analysis, report: Report) -> Report:
    """Return `report` as it is, or with the verdict ``rejected`` and the reason if `fix` would refuse the recording."""
    try:
        make_plan(analysis, report)
    except CannotFix as problem:
        reason = f"onetake fix cannot help ({problem.message}): {problem.hint}"  # in place of the finding's own advice
        findings = tuple(
            msgspec.structs.replace(finding, fix=None, message=f"{finding.message.partition(': ')[0]}; {reason}")
            if finding.severity == "error" and finding.fix
            else finding
            for finding in report.findings
        )
        return msgspec.structs.replace(report, findings=findings, verdict=verdict_of(findings))
    return report


class _Needs:
    """What a recording needs, and what is requested of it.

    Args:
        analysis: Of the whole recording.
        report: Its report.
        options: What is requested.
        container: The container of a new file.

    Raises:
        CannotFix: It was not decoded.
    """

    def __init__(self, analysis: Analysis, report: Report, options: FixOptions, container: Container | None) -> None:
        if analysis.probe is None or analysis.channels is None or not analysis.is_decoded:
            raise CannotFix("only its headers were read", "check it without --quick first")
        self.analysis, self.report, self.options = analysis, report, options
        self.facts, self.channels = analysis.probe, analysis.channels
        self.seconds = analysis.duration_s or 0.0
        self.container = options.to or container
        self.errors = {finding.rule for finding in report.errors}
        self.found = frozenset(finding.rule for finding in report.findings)
        self.is_as_requested = options.to in (None, self.facts.container) and not options.has_window
        self.edits = self._useful_edits()
        self.loudness_lufs = options.loudness_lufs
        if options.loudness_lufs is None and options.unsafe and self.found & {"too-quiet", "too-loud"}:
            self.loudness_lufs = DEFAULT_LUFS

    def _useful_edits(self) -> frozenset[str]:
        """Return the names of the edits to make, without those that would change nothing."""
        # the suffix is corrected without touching the content
        writes_file = bool(self.errors - {"extension-mismatch"}) or not self.is_as_requested
        edits = self.options.edits_for(self.found, writes_file=writes_file)
        if trim_silence(self.analysis.pauses, None, self.seconds) is None:
            edits -= {"trim-silence"}
        if self.facts.channels == 1:
            edits -= {"mono"}
        is_out_of_phase = self.facts.channels == 2 and self.channels.opposite and not self.channels.flipped
        # a downmix inverts the channel by its weights
        if not is_out_of_phase or "mono" in edits:
            edits -= {"fix-polarity"}
        if not self.long_pauses(None):
            edits -= {"shorten-pauses"}
        return edits

    @property
    def changes_sound(self) -> bool:
        """Whether samples have to be computed."""
        return self.loudness_lufs is not None or bool(self.edits & _CHANGES_SOUND)

    def window(self, max_s: float = limits.MAX_DURATION_S) -> Span | None:
        """Return the part to keep; None for all of it."""
        if self.options.has_window:
            longest = max_s if max_s == limits.MAX_DURATION_S else limits.WRITE_BELOW_S
            return requested_window(self.options, self.seconds, self.analysis.role, longest)
        if "too-long" in self.errors:  # perhaps only with the padding of its encoder
            max_s = min(max_s, limits.WRITE_BELOW_S)
        is_damaged = "damaged" in self.errors
        window = choose_window(self.analysis, max_s, self.options.keep, is_damaged=is_damaged)
        # a part that is cut out anyway begins and ends at the voice
        is_trimmed = window is not None or "trim-silence" in self.edits
        return trim_silence(self.analysis.pauses, window, self.seconds) if is_trimmed else window

    def cut_edits(self, window: Span | None) -> list[Edit]:
        """Return the edit that cuts out `window`; none if all is kept."""
        if window is None:
            return []
        if self.options.has_window:
            return [cut_edit(window, self.seconds, "", "as requested")]
        rules = [rule for rule in ("too-long", "damaged") if rule in self.errors]
        if not rules and "trim-silence" in self.edits:
            return [cut_edit(window, self.seconds, "edge-silence", "without silence at the ends", is_safe=True)]
        return [cut_edit(window, self.seconds, rules[0] if rules else "too-long", "cut at pauses")]

    def long_pauses(self, window: Span | None) -> tuple[Span, ...]:
        """Return what to remove from the middle of each pause in `window` that is longer than a second."""
        begin, end = window or (0.0, self.seconds)
        within = ((max(start, begin), min(stop, end)) for start, stop in self.analysis.pauses)
        half = _PAUSE_LEFT_S / 2
        # pauses at the ends are for trim-silence
        inner = [(start, stop) for start, stop in within if start > begin and stop < end]
        return tuple(
            (start + half, stop - half) for start, stop in inner if stop - start > _PAUSE_LEFT_S + _MIN_REMOVED_S
        )


def _require_fixable(report: Report, options: FixOptions) -> None:
    fixed_by_options = {"prompt-too-long"} if options.has_window else set()
    unfixable = [finding for finding in report.errors if not finding.fix and finding.rule not in fixed_by_options]
    if unfixable:
        if len(unfixable) == 1 and ": " in unfixable[0].message:
            raise CannotFix(*unfixable[0].message.rsplit(": ", 1))
        is_text = all(finding.rule.startswith("prompt-text") for finding in unfixable)
        hint = "correct the text" if is_text else "record or export it again"
        raise CannotFix("; ".join(finding.message for finding in unfixable), hint)


def _copy_plan(facts: Probe, *, is_renamed: bool) -> Plan:
    container = cast("Container", facts.container)
    if not is_renamed:
        return Plan("keep", container)
    what = f"change the suffix to {limits.ACCEPTED[container]}, and copy the file unchanged"
    return Plan("rename", container, edits=(Edit(name="rename", rule="extension-mismatch", what=what, safe=True),))


def _new_header_plan(needs: _Needs) -> Plan | None:
    """Return the plan to write a new header without any loss; None if that is impossible."""
    plan = _conversion_plan(needs) if needs.facts.container == "wav" else _remux_plan(needs)
    return plan if plan is not None and plan.is_lossless else None


def _remux_plan(needs: _Needs) -> Plan | None:
    """Return the plan to copy packets into a new file; None if that does not fix everything."""
    analysis, facts = needs.analysis, needs.facts
    # a decoder follows a change of the sample rate inside a stream, but most containers declare only one
    if needs.changes_sound or analysis.changes or facts.is_rearranged or facts.codec not in _CONTAINER_OF_CODEC:
        return None
    container = _CONTAINER_OF_CODEC[facts.codec]
    if needs.container not in (None, container) or not needs.errors <= _FIXED_BY_REMUX | _FIXED_BY_CUT:
        return None
    window = needs.window(_LOSSY_MAX_S)
    edits = needs.cut_edits(window)
    if analysis.damage and window is None:
        window = max(analysis.whole_stretches, key=lambda stretch: stretch[1] - stretch[0])
        edits = [cut_edit(window, needs.seconds, "damaged", "without undecodable packets at the edge", is_safe=True)]
    kept_s = window[1] - window[0] if window else needs.seconds
    size = needs.report.file.bytes
    # estimated: the bit rate may vary; the result is checked for its real size
    kept_bytes = round((facts.audio_bytes or size) * kept_s / needs.seconds)
    if kept_bytes > limits.SAFE_BYTES:
        return None
    fallback = "header-mismatch" if "header-mismatch" in needs.found else ""
    rule = next(iter(sorted(needs.errors & _FIXED_BY_REMUX)), fallback)
    edits.append(remux_edit(facts, container, rule, size_change=kept_bytes - size))
    return Plan("rewrap", container, window, edits=tuple(edits))


def _conversion_plan(needs: _Needs) -> Plan:
    """Return the plan to decode, cut, downmix and process as needed, and encode once."""
    facts, window, dsp, downmix = needs.facts, needs.window(), _dsp_settings(needs), None
    if facts.channels > limits.MAX_CHANNELS or (facts.channels == limits.MAX_CHANNELS and "mono" in needs.edits):
        downmix = downmix_weights(needs.channels)
    kept_s = window[1] - window[0] if window else needs.seconds
    is_whole = window is None and "shorten-pauses" not in needs.edits
    wanted: Container | None = needs.container  # pyright: ignore[reportAssignmentType]
    container, target = choose_target(
        facts, kept_s, wanted, downmix, is_processed=dsp.changes_samples, is_whole=is_whole
    )
    # only now the container is known; a shorter window still fits
    window = window if container == "wav" else needs.window(_LOSSY_MAX_S)
    if "shorten-pauses" in needs.edits:
        dsp = replace(dsp, pauses=needs.long_pauses(window))
    scaled = [scale_edit(scale)] if (scale := needs.analysis.float_scale) != 1.0 else []
    edits = [*needs.cut_edits(window), *scaled, *dsp_edits(dsp, needs.report.measurements)]
    result_s = (window[1] - window[0] if window else needs.seconds) - sum(end - start for start, end in dsp.pauses)
    size_change = round(target.bytes_per_s(container) * result_s) - needs.report.file.bytes
    edits += encoding_edits(facts, container, target, needs.found, size_change=size_change)
    return Plan("convert", container, window, target, dsp, tuple(edits))


def _dsp_settings(needs: _Needs) -> DspSettings:
    hum_hz = needs.report.measurements.get("hum_hz", 50.0)
    return DspSettings(
        invert="fix-polarity" in needs.edits,
        remove_dc="remove-dc" in needs.edits,
        high_pass_hz=HIGH_PASS_HZ if "high-pass" in needs.edits else None,
        hum_hz=hum_hz if "notch-hum" in needs.edits else None,
        loudness_lufs=needs.loudness_lufs,
        limit=needs.options.limit,
    )
