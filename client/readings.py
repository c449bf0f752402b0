"""What a complete answer gives: a voice, a speech, or the error that stands in its place."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from client.answers import Answer, error_in, nonsense
from client.clone_types import ClonedVoice
from client.errors import NonsenseAnswer, OutcomeUnknown
from client.speech_types import Speech

_LONGEST_VOICE_ID: Final = 256


def voice_in(answer: Answer) -> ClonedVoice:
    """Read the answer to a clone request; raises the `ServiceError` that it holds instead."""
    body = answer.decoded()
    named = body.get("voice_id") if body else None
    # A voice that was named exists and is paid for, whatever else the answer says.
    if 200 <= answer.status < 300 and body and _is_voice_id(named):
        demo = body.get("demo_audio_url")
        return ClonedVoice(
            voice_id=str(named),
            demo_audio_url=demo if isinstance(demo, str) and demo else None,
            answered_at=datetime.now(UTC),
            raw=body,
        )
    if body and _is_voice_id(named):
        what = f"the service answered HTTP {answer.status}, but named a voice, {answer.shown(named)}"
        raise OutcomeUnknown(f"{what}: whether it was made and charged is not known", http_status=answer.status)
    if (error := error_in(answer)) is not None:
        raise error
    if body is None:
        raise nonsense(answer, "is not a JSON object")
    if not named:
        raise nonsense(answer, "holds no voice_id and no error")
    raise nonsense(answer, f"holds a voice_id that cannot be one, {answer.shown(repr(named)[:100])}")


def _is_voice_id(value: object) -> bool:
    return (
        isinstance(value, str) and 1 <= len(value) <= _LONGEST_VOICE_ID and value.isprintable() and bool(value.strip())
    )


def speech_in(answer: Answer) -> Speech:
    """Read the answer to a T2A request, in either shape; raises the `ServiceError` that it holds instead."""
    if (error := error_in(answer)) is not None:
        raise error
    body = answer.decoded()
    if body is None:
        raise nonsense(answer, "is not a JSON object")
    data = body.get("data")
    holder = data if isinstance(data, dict) else body
    content = holder.get("audio")
    if not isinstance(content, str) or not content:
        raise nonsense(answer, "holds no audio and no error")
    link = bool(re.match(r"https?://", content, re.IGNORECASE))
    trace, extra = body.get("trace_id"), body.get("extra_info")
    return Speech(
        audio=None if link else _audio_bytes(content, answer),
        audio_url=content if link else None,
        trace_id=trace if isinstance(trace, str) and trace else None,
        raw=_without_audio(body),
        extra=extra if isinstance(extra, dict) else {},
    )


def _audio_bytes(content: str, answer: Answer) -> bytes:
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2})+", content):
        raise NonsenseAnswer("the answer's audio is neither hexadecimal nor a link", http_status=answer.status)
    return bytes.fromhex(content)


def _without_audio(body: dict[str, Any]) -> dict[str, Any]:
    slim = {name: value for name, value in body.items() if name != "audio"}
    if isinstance(slim.get("data"), dict):
        slim["data"] = {name: value for name, value in slim["data"].items() if name != "audio"}
    return slim
