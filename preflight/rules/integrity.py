"""Rules about whether a file is complete, intact, and matches its header."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from preflight import limits
from preflight.display.text import clock
from preflight.rules.format import format_problem
from preflight.rules.model import Rule, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Analysis
    from preflight.media.probe import Probe
    from preflight.report import Finding, Span

_SHORTFALL_S = 0.25
"""Encoder delay and padding are up to 0.1 s; if more is missing, the file is truncated."""
_DAMAGED_SHORTFALL_S = 1.0
_OFTEN = "More than one a minute in the longest accepted recording."
_BESIDE_CLIPPING_S = 0.05
_EDGE_S = 0.1
"""Editors that cut without re-encoding leave up to this much undecodable at the start or end; it is inaudible."""


def _missing_s(analysis: Analysis) -> float:
    """Return the seconds that the header declares and the file does not contain."""
    declared = analysis.probe.declared_duration_s if analysis.probe else None
    if not declared or analysis.duration_s is None:
        return 0.0
    if not analysis.is_decoded and analysis.probe and analysis.probe.wav is None and not analysis.probe.is_size_known:
        return 0.0  # the headers alone do not show how much audio the file contains
    if analysis.stopped or (analysis.probe and analysis.probe.is_whole):
        return 0.0
    missing = declared - analysis.duration_s - _lost_s(analysis)
    return missing if missing > (_DAMAGED_SHORTFALL_S if _has_inner_damage(analysis) else _SHORTFALL_S) else 0.0


def _lost_s(analysis: Analysis) -> float:
    return sum(spot.end_s - spot.start_s for spot in analysis.damage)


def _has_inner_damage(analysis: Analysis) -> bool:
    """Whether audio is lost in the middle: around such a place, decoders skip more than they report."""
    decoded_s = analysis.duration_s
    return decoded_s is not None and any(spot.at_s < decoded_s - _EDGE_S for spot in analysis.damage)


def _has_usable_part(analysis: Analysis) -> bool:
    """Whether some part without damage is long enough to keep."""
    return any(end - start >= limits.WRITE_ABOVE_S for start, end in analysis.whole_stretches)


def _truncated(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    missing = _missing_s(analysis)
    if not analysis.has_sound or not missing or not analysis.duration_s:
        return
    held = analysis.duration_s
    yield rule.finding(
        f"the header says {held + missing:.1f} s, the file ends at {held:.1f} s: copy or download it again",
        value=held,
        limit=held + missing,
        spans=((held, held + missing),),
        fix="rewrite-header",
    )


def _damaged(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    decoded_s = analysis.duration_s
    if not analysis.has_sound or not analysis.damage or not decoded_s:
        return
    spans = tuple((spot.start_s, spot.end_s) for spot in analysis.damage)
    lost = sum(end - start for start, end in spans)
    count = len(spans)
    where = f"at {clock(spans[0][0])}" if count == 1 else f"in {count} places, first at {clock(spans[0][0])}"
    inner = [span for span in spans if span[1] > _EDGE_S and span[0] < decoded_s + lost - _EDGE_S]
    if inner or lost > 2 * _EDGE_S:
        yield rule.finding(
            f"{lost:.2f} s {'are damaged' if analysis.method == 'headers' else 'could not be decoded'}, {where}: copy "
            "the file again from its source",
            value=lost,
            limit=0.0,
            spans=spans,
            fix="keep-intact" if analysis.role == "recording" and _has_usable_part(analysis) else None,
        )
    elif not _missing_s(analysis):
        yield rule.finding(
            f"{lost:.2f} s could not be decoded {where}, at the very start or end: no audible loss",
            severity="warning",
            value=lost,
            limit=0.0,
            spans=spans,
        )


def _header_mismatch(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    probe, seconds = analysis.probe, analysis.duration_s
    if not analysis.has_sound or probe is None or not seconds or _missing_s(analysis):
        return
    # a file that is converted anyway gets a new header; but undeclared samples are worth a finding
    if format_problem(probe) and (probe.wav is None or probe.container not in ("aiff", "w64")):
        return
    if analysis.stopped or analysis.changes:
        return
    if probe.is_rearranged:
        yield rule.finding(
            "the edit list repeats, interrupts or reorders the audio, which some decoders ignore: write it as it plays "
            "(onetake fix)",
            severity="error",
            fix="rewrite-header",
        )
        return
    if probe.hidden_s:
        yield rule.finding(
            f"the edit list hides {probe.hidden_s:.1f} s of the audio, which some decoders play: copy only the rest "
            "(onetake fix)",
            severity="error",
            value=seconds + probe.hidden_s,
            limit=seconds,
            fix="rewrite-header",
        )
        return
    wrong, tag = _contradicting(analysis, probe, seconds), ""
    if probe.inner_tags_s is not None:
        tag = f"there is a tag between the audio frames at {clock(probe.inner_tags_s)}, where some decoders stop"
    if wrong:
        claims = ", ".join(f"{claimed:.1f} s ({name})" if name else f"{claimed:.1f} s" for name, claimed in wrong)
        worst = max(wrong, key=lambda claim: (_breaks_limit(analysis, claim[1]), abs(claim[1] - seconds)))[1]
        yield rule.finding(
            f"the header says {claims}, the file holds {seconds:.1f} s{f', and {tag}' if tag else ''}: rewrite the "
            "header (onetake fix)",
            severity="error" if _breaks_limit(analysis, worst) else "warning",
            value=worst,
            limit=seconds,
            fix="rewrite-header",
        )
    elif tag:
        yield rule.finding(f"{tag}: copy the frames to a new file (onetake fix)", fix="rewrite-header")


def _contradicting(analysis: Analysis, probe: Probe, seconds: float) -> list[tuple[str, float]]:
    """Return the declared durations that differ from `seconds`, by name; the usual one has no name."""
    explained = _DAMAGED_SHORTFALL_S + _lost_s(analysis) if _has_inner_damage(analysis) else _SHORTFALL_S
    near = max(explained, 0.005 * seconds)
    wrong = [(name, claimed) for name, claimed in probe.declared if abs(claimed - seconds) > near]
    shown = probe.header_duration_s
    if shown is not None and not probe.is_size_known and abs(shown - seconds) > max(explained, 0.02 * seconds):
        wrong.append(("estimated from the bit rate" if probe.container in ("mp3", "adts") else "", shown))
    return wrong


def _breaks_limit(analysis: Analysis, claimed: float) -> bool:
    if analysis.role == "prompt":
        return not 0 < claimed < limits.PROMPT_BELOW_S
    return not limits.MIN_DURATION_S <= claimed <= limits.MAX_DURATION_S


def _away_from(clipped: tuple[Span, ...], clicks: tuple[Span, ...]) -> tuple[Span, ...]:
    """Return the clicks that are not beside clipped peaks, which have corners as sharp as a click."""
    ends = [end for _, end in clipped]
    found = []
    for start, end in clicks:
        at = bisect_left(ends, start - _BESIDE_CLIPPING_S)
        if at == len(clipped) or clipped[at][0] > end + _BESIDE_CLIPPING_S:
            found.append((start, end))
    return tuple(found)


def _dropouts(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    if not analysis.is_measured:
        return
    clicks = _away_from(analysis.clipped, analysis.clicks)
    kinds = (("dropout", analysis.dropouts, "max_dropouts"), ("click", clicks, "max_clicks"))
    found = [(name, spans, threshold) for name, spans, threshold in kinds if len(spans) > rule[threshold]]
    if found:
        spans = sorted(span for _, some, _ in found for span in some)
        counts = " and ".join(f"{len(some)} {name}{'s' if len(some) > 1 else ''}" for name, some, _ in found)
        grades = [rule.threshold(threshold).grade(len(some)) for _, some, threshold in found]
        yield rule.finding(
            f"{counts}, first at {clock(spans[0][0])}: close other programs, use a larger buffer, or try another cable",
            value=len(spans),
            limit=0.0,
            quality="poor" if "poor" in grades else "fair",
            detail=counts,
            spans=tuple(spans),
        )


def _splices(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    if not analysis.is_measured:
        return
    # at an end, encoders change to their padding: with headers that do not say so, it is decoded and converted, too
    last_s = (analysis.duration_s or 0.0) - _EDGE_S
    inner = tuple(span for span in analysis.splices if _EDGE_S < span[0] < last_s)
    spans = _away_from(analysis.clipped, inner)
    count = len(spans)
    if count > rule["max_splices"]:
        places = f"at {count} places" if count > 1 else "at one place"
        yield rule.finding(
            f"the waveform jumps {places}, first at {clock(spans[0][0])}, as if a word had been cut or an audio buffer "
            "lost: cut in pauses only, or record again",
            value=count,
            threshold="max_splices",
            detail=places,
            spans=spans,
        )


TRUNCATED = Rule(
    "truncated",
    "error",
    what="The file contains less audio than its header declares.",
    why="Words are missing at the end, and the service may reject a truncated file.",
    source="WAV data chunk, Xing/Info frame count, MP4 edit list or FLAC STREAMINFO, compared with the decoded audio.",
    fix_hint="Copy or download it again. `onetake fix` keeps what is there and corrects the header.",
    judge=_truncated,
    label="incomplete file",
    is_contract=True,
)
DAMAGED = Rule(
    "damaged",
    "error",
    what="Parts of the file cannot be decoded, or contain samples that are not finite numbers.",
    why="The gaps are audible, and the clone reproduces them.",
    source="Packets that the decoder rejects or that have a wrong checksum; gaps between MP3 or ADTS frames; NaN and "
    "infinity in floating-point samples.",
    fix_hint="Copy the file again. `onetake fix` keeps the longest part without damage.",
    judge=_damaged,
    label="damaged file",
    is_contract=True,
)
HEADER_MISMATCH = Rule(
    "header-mismatch",
    "warning",
    what="The header declares a wrong duration, or the edit list hides or rearranges part of the audio.",
    why="A service that trusts the header may reject the recording as too short or too long; then this is an error.",
    source="Each declared duration, compared with the decoded one: MP4 mvhd, tkhd, mdhd, elst, stts, mehd, sidx and "
    "text tracks; MP3 Xing, Info and VBRI headers and ID3 TLEN; WAV data, fact and ds64 sizes, and samples that follow "
    "them, as in AIFF and Wave64; the estimate from the bit rate of an MP3 without a header. Tags between MP3 frames.",
    fix_hint="Run `onetake fix`: it writes a new header and copies the audio.",
    judge=_header_mismatch,
    label="wrong duration in the header",
    is_contract=True,
)
DROPOUTS = Rule(
    "dropouts",
    "warning",
    what="Audio is missing or repeated, or single samples are wrong (clicks).",
    why="Gaps and clicks are audible, and the clone reproduces them.",
    source="Dropouts: 4 ms to 1 s of silence that starts and ends abruptly, or a block that equals the one before it. "
    "Clicks: samples that do not fit a band-limited signal.",
    fix_hint="Close other programs, use a larger buffer or another cable, and record again.",
    judge=_dropouts,
    thresholds=(
        Threshold("max_dropouts", 0.0, "A good recording has none.", 5.0, _OFTEN),
        Threshold("max_clicks", 0.0, "A good recording has none.", 5.0, _OFTEN),
    ),
    label="gaps or clicks",
)
SPLICES = Rule(
    "splices",
    "warning",
    what="The waveform jumps within the sound, as if words had been cut, or audio buffers lost or swapped.",
    why="Each jump clicks, and the clone may reproduce it.",
    source="Third differences that stand out for three samples at most, where neither side predicts the other (Godsill "
    "and Rayner, Digital Audio Restoration, 1998). Lossy codecs and resampling smear a jump, so that it is not found "
    "in audio that was encoded afterward; in an unaltered WAV, about half of the cuts within words are found.",
    fix_hint="Cut in pauses only, with a short crossfade. If you did not cut it, use a larger buffer and record again.",
    judge=_splices,
    thresholds=(Threshold("max_splices", 0.0, "A good recording has none: docs/benchmarks.md.", 5.0, _OFTEN),),
    label="cuts within the sound",
)
