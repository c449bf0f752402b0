"""Rules about how long and how large a take is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight import limits
from preflight.display.text import clock, megabytes
from preflight.rules.model import Rule, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.report import Finding

_CONTRACT = "The clone endpoint's parameter table: audio_url."
_PROMPT_CONTRACT = "The clone endpoint's parameter table: clone_prompt."


def _is_lossy(subject: Subject) -> bool:
    return subject.probe is not None and subject.probe.bits is None


def _padded(seconds: float, padded: float) -> str:
    return f"it lasts {clock(seconds)}, but {padded:.2f} s in a decoder that keeps what its encoder padded"


def _too_short(rule: Rule, subject: Subject) -> Iterator[Finding]:
    seconds, limit = subject.duration_s, limits.MIN_DURATION_S
    if subject.role != "recording" or not subject.has_sound or seconds is None:
        return
    if seconds < limit:
        yield rule.finding(
            f"it lasts {clock(seconds)}; at least {clock(limit)} are needed: record more",
            value=seconds,
            limit=limit,
        )
    elif _is_lossy(subject) and seconds < limit + limits.LOSSY_MARGIN_S:
        yield rule.finding(
            f"it lasts {clock(seconds)}, so near {clock(limit)} that another decoder may find it too short",
            severity="warning",
            value=seconds,
            limit=limit,
        )


def _too_long(rule: Rule, subject: Subject) -> Iterator[Finding]:
    seconds, limit = subject.duration_s, limits.MAX_DURATION_S
    if subject.role != "recording" or not subject.has_sound or seconds is None:
        return
    if subject.decoded and subject.decoded.stopped:
        yield rule.finding(
            f"it lasts more than {clock(seconds)}, which is where decoding was stopped: cut it first",
            value=seconds,
            limit=limit,
        )
    elif seconds > limit:
        yield rule.finding(
            f"it lasts {clock(seconds)}; at most {clock(limit)} are accepted",
            value=seconds,
            limit=limit,
            spans=((limit, seconds),),
            fix="trim",
        )
    elif (padded := subject.padded_s or seconds) > limit:
        yield rule.finding(
            f"{_padded(seconds, padded)}; at most {clock(limit)} are accepted",
            value=padded,
            limit=limit,
            fix="trim",
        )
    elif _is_lossy(subject) and seconds > limit - limits.LOSSY_MARGIN_S:
        yield rule.finding(
            f"it lasts {clock(seconds)}, so near {clock(limit)} that another decoder may find it too long",
            severity="warning",
            value=seconds,
            limit=limit,
        )


def _prompt_too_long(rule: Rule, subject: Subject) -> Iterator[Finding]:
    seconds, limit = subject.duration_s, limits.PROMPT_BELOW_S
    if subject.role != "prompt" or not subject.has_sound or seconds is None:
        return
    margin = limits.LOSSY_MARGIN_S if _is_lossy(subject) else 0.0
    if seconds >= limit:
        yield rule.finding(
            f"it lasts {clock(seconds)}; a prompt clip must be shorter than {clock(limit)}: choose one sentence",
            value=seconds,
            limit=limit,
        )
    elif (padded := subject.padded_s or seconds) >= limit:
        yield rule.finding(
            f"{_padded(seconds, padded)}; a prompt clip must be shorter than {clock(limit)}: leave a word out",
            value=padded,
            limit=limit,
        )
    elif seconds >= limit - margin:
        yield rule.finding(
            f"it lasts {clock(seconds)}, so near {clock(limit)} that another decoder may find it too long",
            severity="warning",
            value=seconds,
            limit=limit,
        )


def _prompt_text_missing(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if subject.role == "prompt" and not (subject.prompt_text or "").strip():
        yield rule.finding("a prompt clip is only of use with the text spoken in it: give --prompt-text")


def _too_large(rule: Rule, subject: Subject) -> Iterator[Finding]:
    size = subject.size
    if subject.probe is None or size <= limits.SAFE_BYTES:
        return
    if size > limits.MAX_BYTES:
        yield rule.finding(
            f"it has {megabytes(size)}; at most 20 MB are accepted",
            value=size,
            limit=limits.MAX_BYTES,
            fix="shrink" if subject.role == "recording" else None,
        )
    else:
        yield rule.finding(
            f"it has {megabytes(size)}; whether 20 MB means less than that is not documented",
            severity="warning",
            value=size,
            limit=limits.SAFE_BYTES,
        )


TOO_SHORT = Rule(
    "too-short",
    "error",
    what="The recording is shorter than 10 seconds.",
    why="The endpoint refuses it (code 2037).",
    source=_CONTRACT,
    mend="Record more: one to two minutes of varied speech are best.",
    judge=_too_short,
    is_contract=True,
)
TOO_LONG = Rule(
    "too-long",
    "error",
    what="The recording is longer than 5 minutes, for one decoder or another.",
    why="The endpoint refuses it (code 2037). What an encoder padded counts, too: some decoders play it.",
    source=_CONTRACT,
    mend="`onetake fix` keeps at most five minutes and cuts at a pause.",
    judge=_too_long,
    is_contract=True,
)
PROMPT_TOO_LONG = Rule(
    "prompt-too-long",
    "error",
    what="The prompt clip lasts 8 seconds or more, for one decoder or another.",
    why="The endpoint refuses it (code 2048).",
    source=_PROMPT_CONTRACT,
    mend="Choose one whole sentence of 3 to 7.5 seconds, and its text. Cutting would part the clip from its text.",
    judge=_prompt_too_long,
    is_contract=True,
)
PROMPT_TEXT_MISSING = Rule(
    "prompt-text-missing",
    "error",
    what="A prompt clip came without the text spoken in it.",
    why="The endpoint takes both or neither.",
    source=_PROMPT_CONTRACT,
    mend="Give the exact words with --prompt-text, with punctuation at the end.",
    judge=_prompt_text_missing,
    is_contract=True,
)
TOO_LARGE = Rule(
    "too-large",
    "error",
    what="The file is larger than 20 MB.",
    why="The endpoint refuses it.",
    source=_CONTRACT + ' "20 MB" may mean 20,000,000 or 20,971,520 bytes: between them there is a warning.',
    mend="`onetake fix` writes it smaller: first as WAV without loss, else as M4A at the highest rate that fits.",
    judge=_too_large,
    is_contract=True,
)
