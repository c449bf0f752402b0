"""Rules about the duration and the size of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight import limits
from preflight.display.text import clock, megabytes, seconds_beside
from preflight.rules.model import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Analysis
    from preflight.report import Finding

_CONTRACT = "The clone endpoint's parameter table: audio_url."


def _is_lossy(analysis: Analysis) -> bool:
    return analysis.probe is not None and analysis.probe.bits is None


def _with_padding(seconds: float, padded: float, limit: float) -> str:
    decoded, with_padding = (seconds_beside(each, limit) for each in (seconds, padded))
    return f"{decoded} long, but {with_padding} in decoders that keep the encoder padding"


def _near(rule: Rule, seconds: float, limit: float, what: str, change: str) -> Finding:
    """The warning that another decoder may measure a lossy recording on the other side of a limit."""
    return rule.finding(
        f"{seconds_beside(seconds, limit)} long, within {limits.LOSSY_MARGIN_S:g} s of the {limit:g} s limit, so "
        f"another decoder may find it {what}: {change}",
        severity="warning",
        value=seconds,
        limit=limit,
    )


def _too_short(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    seconds, limit = analysis.duration_s, limits.MIN_DURATION_S
    if analysis.role != "recording" or not analysis.has_sound or seconds is None:
        return
    if seconds < limit:
        yield rule.finding(
            f"{seconds_beside(seconds, limit)} long, below the {limit:g} s minimum: record more, or join several takes "
            "(onetake join)",
            value=seconds,
            limit=limit,
            detail=seconds_beside(seconds, limit),
        )
    elif _is_lossy(analysis) and seconds < limit + limits.LOSSY_MARGIN_S:
        yield _near(rule, seconds, limit, "too short", "record a little more")


def _judged(analysis: Analysis) -> str:
    """Say by which part the recording is judged."""
    if analysis.judged is None:
        return ""
    start, end = analysis.judged
    return f"; judged by the part that this keeps, {clock(start)} to {clock(end)}"


def _too_long(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    seconds, limit = analysis.duration_s, limits.MAX_DURATION_S
    if analysis.role != "recording" or not analysis.has_sound or seconds is None:
        return
    if analysis.stopped:
        yield rule.finding(
            f"more than {clock(seconds)} long (decoding stopped there), above the {limit:g} s maximum: cut it first",
            value=seconds,
            limit=limit,
        )
    elif seconds > limit:
        yield rule.finding(
            f"{seconds_beside(seconds, limit)} long, above the {limit:g} s maximum: trim it (onetake fix)"
            f"{_judged(analysis)}",
            value=seconds,
            limit=limit,
            detail=clock(seconds),
            spans=((limit, seconds),),
            fix="trim",
        )
    elif (padded := analysis.padded_s or seconds) > limit:
        yield rule.finding(
            f"{_with_padding(seconds, padded, limit)}, above the {limit:g} s maximum: trim it (onetake fix)",
            value=padded,
            limit=limit,
            fix="trim",
        )
    elif _is_lossy(analysis) and seconds > limit - limits.LOSSY_MARGIN_S:
        yield _near(rule, seconds, limit, "too long", "cut off a little")


def _prompt_too_long(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    seconds, limit = analysis.duration_s, limits.PROMPT_BELOW_S
    if analysis.role != "prompt" or not analysis.has_sound or seconds is None:
        return
    margin = limits.LOSSY_MARGIN_S if _is_lossy(analysis) else 0.0
    if seconds >= limit:
        yield rule.finding(
            f"{seconds_beside(seconds, limit)} long, but a prompt clip must be shorter than {limit:g} s: choose one "
            "sentence",
            value=seconds,
            limit=limit,
        )
    elif (padded := analysis.padded_s or seconds) >= limit:
        yield rule.finding(
            f"{_with_padding(seconds, padded, limit)}, but a prompt clip must be shorter than {limit:g} s: leave out a "
            "word",
            value=padded,
            limit=limit,
        )
    elif seconds >= limit - margin:
        yield _near(rule, seconds, limit, "too long", "cut off a little silence")


def _too_large(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    size = analysis.size
    if analysis.probe is None or size <= limits.SAFE_BYTES:
        return
    if size > limits.MAX_BYTES:
        action = "shrink it (onetake fix)" if analysis.role == "recording" else "export it as M4A or MP3"
        yield rule.finding(
            f"{megabytes(size)}, above the 20 MB maximum: {action}",
            value=size,
            limit=limits.MAX_BYTES,
            fix="shrink" if analysis.role == "recording" else None,
        )
    else:
        yield rule.finding(
            f"{size:,} bytes, above {limits.SAFE_BYTES:,} (the service does not document whether its 20 MB limit means "
            f"that or {limits.MAX_BYTES:,} bytes): make the file smaller if the service rejects it",
            severity="warning",
            value=size,
            limit=limits.SAFE_BYTES,
        )


TOO_SHORT = Rule(
    "too-short",
    "error",
    what="The recording is shorter than 10 seconds.",
    why="The service rejects it (code 2037).",
    source=_CONTRACT,
    fix_hint="Record more: one to two minutes of varied speech work best. `onetake join` joins several takes.",
    judge=_too_short,
    label="too short",
    is_contract=True,
)
TOO_LONG = Rule(
    "too-long",
    "error",
    what="The recording is longer than 5 minutes in at least one common decoder.",
    why="The service rejects it (code 2037). Encoder padding counts as well, because some decoders play it.",
    source=_CONTRACT,
    fix_hint="Run `onetake fix`: it keeps up to five minutes and cuts at a pause.",
    judge=_too_long,
    label="too long",
    is_contract=True,
)
PROMPT_TOO_LONG = Rule(
    "prompt-too-long",
    "error",
    what="The prompt clip is 8 seconds or longer in at least one common decoder.",
    why="The service rejects it (code 2048).",
    source="The clone endpoint's parameter table: clone_prompt.",
    fix_hint="Choose one whole sentence of 3 to 7.5 s. `onetake fix` does not cut prompt clips: the text must match.",
    judge=_prompt_too_long,
    label="prompt clip too long",
    is_contract=True,
)
TOO_LARGE = Rule(
    "too-large",
    "error",
    what="The file is larger than 20 MB.",
    why="The service rejects it.",
    source=_CONTRACT + ' "20 MB" may mean 20,000,000 or 20,971,520 bytes; sizes in between are a warning.',
    fix_hint="Run `onetake fix`: it writes a lossless WAV if that fits, else an M4A at the highest bit rate that fits.",
    judge=_too_large,
    label="file too large",
    is_contract=True,
)
