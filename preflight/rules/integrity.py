"""Rules about whether a file holds what it claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight import limits
from preflight.display.text import clock
from preflight.rules.format import format_problem
from preflight.rules.model import Rule, Subject, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Decoded
    from preflight.media.probe import Probe
    from preflight.report import Finding

_SHORTFALL_S = 0.25
"""Encoder delay and padding make up to 0.1 s; what is missing beyond this was cut off."""
_DAMAGED_SHORTFALL_S = 1.0
_EDGE_S = 0.1
"""Loss of at most this much at the very beginning or end is what cutting tools leave behind, and not heard."""


def _missing_s(subject: Subject) -> float:
    """Seconds that the file declares and does not hold."""
    declared = subject.probe.declared_duration_s if subject.probe else None
    if not declared or subject.duration_s is None:
        return 0.0
    if subject.decoded is None and subject.probe and subject.probe.wav is None and not subject.probe.is_size_known:
        return 0.0  # the headers alone do not show what the file holds
    if subject.decoded and subject.decoded.stopped:
        return 0.0
    missing = declared - subject.duration_s - _lost_s(subject)
    return missing if missing > (_DAMAGED_SHORTFALL_S if _has_inner_damage(subject) else _SHORTFALL_S) else 0.0


def _lost_s(subject: Subject) -> float:
    return sum(spot.end_s - spot.start_s for spot in subject.decoded.damage) if subject.decoded else 0.0


def _has_inner_damage(subject: Subject) -> bool:
    """Whether something is lost in the middle: around such a place decoders skip more than they say."""
    decoded = subject.decoded
    return decoded is not None and any(spot.at_s < decoded.duration_s - _EDGE_S for spot in decoded.damage)


def _is_enough(decoded: Decoded) -> bool:
    """Whether a stretch is whole that could be kept."""
    return any(end - start >= limits.WRITE_ABOVE_S for start, end in decoded.whole_stretches)


def _truncated(rule: Rule, subject: Subject) -> Iterator[Finding]:
    missing = _missing_s(subject)
    if not subject.has_sound or not missing or not subject.duration_s:
        return
    held = subject.duration_s
    yield rule.finding(
        f"it stops at {clock(held)} of {clock(held + missing)}: it was not copied or downloaded to the end",
        value=held,
        limit=held + missing,
        spans=((held, held + missing),),
        fix="rewrite-header",
    )


def _damaged(rule: Rule, subject: Subject) -> Iterator[Finding]:
    decoded = subject.decoded
    if decoded is None or not decoded.damage or not decoded.duration_s:
        return
    spans = tuple((spot.start_s, spot.end_s) for spot in decoded.damage)
    lost = sum(end - start for start, end in spans)
    count = len(spans)
    where = f"at {clock(spans[0][0])}" if count == 1 else f"in {count} places, first at {clock(spans[0][0])}"
    inner = [span for span in spans if span[1] > _EDGE_S and span[0] < decoded.duration_s + lost - _EDGE_S]
    if inner or lost > 2 * _EDGE_S:
        yield rule.finding(
            f"it could not be decoded {where} ({lost:.2f} s lost): copy it again from where it came",
            value=lost,
            limit=0.0,
            spans=spans,
            fix="keep-intact" if subject.role == "recording" and _is_enough(decoded) else None,
        )
    elif not _missing_s(subject):
        yield rule.finding(
            f"a few milliseconds could not be decoded {where}, at the very edge of the take",
            severity="warning",
            value=lost,
            limit=0.0,
            spans=spans,
        )


def _header_mismatch(rule: Rule, subject: Subject) -> Iterator[Finding]:
    probe, seconds = subject.probe, subject.duration_s
    if not subject.has_sound or probe is None or not seconds or _missing_s(subject) or format_problem(probe):
        return
    if subject.decoded and (subject.decoded.stopped or subject.decoded.changes):
        return
    if probe.hidden_s:
        yield rule.finding(
            f"its edit list leaves out {probe.hidden_s:.1f} s of the audio in the file, which some decoders play: "
            "copy only what is meant to be heard",
            severity="error",
            value=seconds + probe.hidden_s,
            limit=seconds,
            fix="rewrite-header",
        )
        return
    wrong, tag = _contradicting(subject, probe, seconds), ""
    if probe.inner_tags_s is not None:
        tag = f"a tag lies between its frames at {clock(probe.inner_tags_s)}, where some decoders stop"
    if wrong:
        claims = ", ".join(f"{name} {claimed:.1f} s" for name, claimed in wrong)
        worst = max(wrong, key=lambda claim: (_breaks_limit(subject, claim[1]), abs(claim[1] - seconds)))[1]
        yield rule.finding(
            f"programs may read another duration ({claims}) than the {seconds:.1f} s that it holds"
            f"{f', and {tag}' if tag else ''}: rewrite its header",
            severity="error" if _breaks_limit(subject, worst) else "warning",
            value=worst,
            limit=seconds,
            fix="rewrite-header",
        )
    elif tag:
        yield rule.finding(f"{tag}: copy its frames into a new file", fix="rewrite-header")


def _contradicting(subject: Subject, probe: Probe, seconds: float) -> list[tuple[str, float]]:
    """The declared durations that differ from `seconds`, by name."""
    explained = _DAMAGED_SHORTFALL_S + _lost_s(subject) if _has_inner_damage(subject) else _SHORTFALL_S
    near = max(explained, 0.005 * seconds)
    wrong = [(name, claimed) for name, claimed in probe.declared if abs(claimed - seconds) > near]
    shown = probe.header_duration_s
    if shown is not None and not probe.is_size_known and abs(shown - seconds) > max(explained, 0.02 * seconds):
        wrong.append(("by its bit rate" if probe.container in ("mp3", "adts") else "header", shown))
    return wrong


def _breaks_limit(subject: Subject, claimed: float) -> bool:
    if subject.role == "prompt":
        return not 0 < claimed < limits.PROMPT_BELOW_S
    return not limits.MIN_DURATION_S <= claimed <= limits.MAX_DURATION_S


def _dropouts(rule: Rule, subject: Subject) -> Iterator[Finding]:
    heard = subject.heard
    if heard is None:
        return
    kinds = (("dropout", heard.dropouts, rule["max_dropouts"]), ("click", heard.clicks, rule["max_clicks"]))
    found = [(name, spans) for name, spans, limit in kinds if len(spans) > limit]
    if found:
        spans = sorted(span for _, some in found for span in some)
        counts = " and ".join(f"{len(some)} {name}{'s' if len(some) > 1 else ''}" for name, some in found)
        yield rule.finding(
            f"{counts}, first at {clock(spans[0][0])}: close other programs, use a larger buffer or another cable",
            value=len(spans),
            limit=0.0,
            spans=tuple(spans),
        )


TRUNCATED = Rule(
    "truncated",
    "error",
    what="The file holds less sound than its header declares.",
    why="Words are missing at its end, and the endpoint may refuse a file that breaks off.",
    source="WAV data chunk, Xing/Info frame count, MP4 edit list and FLAC STREAMINFO against what was decoded.",
    mend="Copy or download it again. `onetake fix` gives what is there a header that is true.",
    judge=_truncated,
    is_contract=True,
)
DAMAGED = Rule(
    "damaged",
    "error",
    what="Parts of the file cannot be decoded, or hold samples that are no numbers.",
    why="The gaps are heard, and a voice is cloned with what is heard.",
    source="Packets that the decoder refuses, or whose checksum is wrong; gaps in the chain of MP3 and ADTS frames; "
    "NaN and infinity in float samples.",
    mend="Copy it again. `onetake fix` keeps the longest stretch that is whole.",
    judge=_damaged,
    is_contract=True,
)
HEADER_MISMATCH = Rule(
    "header-mismatch",
    "warning",
    what="The header declares another duration than the file holds, or its edit list leaves out part of the audio.",
    why="A service that believes the header takes a good take for too short or too long; then it is an error.",
    source="Each declared duration against the decoded one: MP4 mvhd, tkhd, mdhd, elst, mehd, sidx and text tracks; "
    "MP3 Xing, Info and VBRI headers and ID3 TLEN; WAV data, fact and ds64 sizes; the guess from the "
    "bit rate of an MP3 without a header. Tags between MP3 frames.",
    mend="`onetake fix` writes a new header and copies the audio.",
    judge=_header_mismatch,
    is_contract=True,
)
DROPOUTS = Rule(
    "dropouts",
    "warning",
    what="Sound is missing, or was written twice, or single samples lie outside the wave.",
    why="The gaps and clicks are heard, and cloned.",
    source="Silence of 4 ms to 1 s between sounds that break off; stretches equal to what stood one buffer before; "
    "samples that no band-limited wave runs through.",
    mend="Close other programs, use a larger buffer or another cable, and record again.",
    judge=_dropouts,
    thresholds=(
        Threshold("max_dropouts", 0.0, "None is normal."),
        Threshold("max_clicks", 0.0, "None is normal."),
    ),
)
