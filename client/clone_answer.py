"""From the answer to a clone request to the voice, or to the error that stands in its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from client.answers import Answer, error_of, mentioned_voices, remarks_on
from client.clone_types import ClonedVoice
from client.errors import ServiceError
from client.redaction import redact

_LONGEST_VOICE_ID: Final = 256
_IN_TEXT: Final = re.compile(r"""["']?voice_?id["']?\s*[:=]\s*["']?([^"'\s,;<>{}]{1,256})""", re.IGNORECASE)


def voice_in(answer: Answer) -> ClonedVoice:
    """Read the answer to a clone request.

    A voice_id where the contract puts it names a voice that exists and is paid for, whatever else the answer says:
    its status, its codes, its encoding, or that its end is missing. What contradicts it becomes a warning.

    Raises:
        ServiceError: There is no voice_id in its place. If one is anywhere else, the message names it.
    """
    document = answer.document
    valid = [str(value) for value in document.all_of("voice_id") if _is_voice_id(value)]
    if not valid:
        raise _error(answer)
    demo = document.members.get("demo_audio_url")
    return ClonedVoice(
        voice_id=valid[-1],
        demo_audio_url=demo if isinstance(demo, str) and demo.strip() else None,
        answered_at=datetime.now(UTC),
        raw=document.without_long_strings(),
        warnings=(*_several(valid), *remarks_on(answer)),
        trace_id=answer.trace_id,
    )


def _is_voice_id(value: object) -> bool:
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_VOICE_ID:
        return False
    return value.isprintable() and bool(value.strip()) and "\ufffd" not in value  # which stands for a lost character


def _several(valid: list[str]) -> Iterator[str]:
    others = [voice for voice in dict.fromkeys(valid) if voice != valid[-1]]
    if others:
        yield f"the answer names several voices; {', '.join(others)} may exist besides {valid[-1]}"


def _error(answer: Answer) -> ServiceError:
    document = answer.document
    body: Any = document.members if document.is_object else document.other
    lacking = "has no voice_id and no error" if document.is_object else "is not a JSON object"
    if any(document.all_of("voice_id")):
        lacking = "has a voice_id that is not valid"
    # The request has no voice_id, so the answer cannot merely repeat one.
    structured = [voice for voice in mentioned_voices(body) if _is_voice_id(voice)]
    error = error_of(answer, lacking, is_doubtful=bool(structured))
    if mentioned := _shown_voices(answer, [*structured, *_IN_TEXT.findall(document.text[:1_000_000])]):
        error.message = f"the answer mentions the voice_id {' and '.join(mentioned)}: {error.message}"
        error.args = (error.message,)
    return error


def _shown_voices(answer: Answer, found: list[str]) -> list[str]:
    shown = [redact(voice, answer.secrets, longest=_LONGEST_VOICE_ID) for voice in found]
    return [voice for voice in dict.fromkeys(shown) if voice not in {"", "null", "None", "***"}][:3]
