"""What the service answered to a paid call, as the ledger stores it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from onetake.ledger.records import ServiceAnswer

if TYPE_CHECKING:
    from client import CloneClient, ClonedVoice, ServiceError, Speech

_LONGEST_ANSWER: Final = 20_000
"""Characters of an answer that are stored: it may hold minutes of audio."""


def answer_of_error(client: CloneClient, error: ServiceError, *links: str | None) -> ServiceAnswer:
    """What an error says of the service's answer.

    Args:
        client: Who called.
        error: What came of it.
        links: The links that were sent, which the service may repeat; they are not stored.
    """
    # cut before it is decoded, since it may be 64 MB; a secret has at most some hundred bytes
    text = bytes(error.answer_body[: 4 * _LONGEST_ANSWER]).decode("utf-8", "replace")
    return ServiceAnswer(
        http_status=error.http_status,
        code=error.code,
        reason=error.reason,
        service_message=error.service_message or None,
        trace_id=error.trace_id,
        answer=_bounded(client, text, links),
    )


def answer_of_voice(client: CloneClient, voice: ClonedVoice, *links: str | None) -> ServiceAnswer:
    """What came with a voice; arguments as in `answer_of_error`."""
    text = msgspec.json.encode(voice.raw).decode()
    return ServiceAnswer(trace_id=voice.trace_id, answer=_bounded(client, text, links))


def answer_of_speech(client: CloneClient, speech: Speech) -> ServiceAnswer:
    """What came with a speech; the audio is not part of it."""
    return ServiceAnswer(
        trace_id=speech.trace_id, answer=_bounded(client, msgspec.json.encode(speech.raw).decode(), ())
    )


def _bounded(client: CloneClient, text: str, links: tuple[str | None, ...]) -> str | None:
    return client.without_secrets(text, *links)[:_LONGEST_ANSWER] or None
