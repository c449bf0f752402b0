"""Voices of the ledger and paid calls with an unknown outcome, as text, JSON and CSV."""

from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING, Any, Final

import msgspec

from onetake.console.terminal import safe
from onetake.render.outcomes import csv_row, until
from onetake.render.text import styled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from onetake.ledger import Attempt, SpeechRecord, VoiceRecord

_SOON_S: Final = 48 * 3600


def voice_line(voice: VoiceRecord, now: datetime) -> str:
    """One line: name, voice_id, expiry, likeness and consent; below it, its warnings."""
    likeness = "" if voice.likeness is None else f"  likeness {voice.likeness:.2f}"
    consent = f"  consent: {safe(voice.consent)}" if voice.consent else ""
    warnings = "".join(f"\n  {styled('warning:', 'yellow')} {safe(warning)}" for warning in voice.warnings)
    return f"{safe(voice.name):<20} {safe(voice.voice_id)}  {_life(voice, now)}{likeness}{consent}{warnings}"


def voice_fields(voice: VoiceRecord, now: datetime) -> dict[str, Any]:
    """A voice as a JSON object; `seconds_left` is None if the voice is kept."""
    left = (voice.expires_at - now).total_seconds() if voice.kept_at is None else None
    fields: dict[str, Any] = msgspec.to_builtins(voice)
    return {**fields, "lives": voice.is_alive(now), "seconds_left": None if left is None else round(max(0.0, left))}


COLUMNS: Final = (
    *("name", "voice_id", "base_url", "lives", "seconds_left", "created_at", "expires_at", "kept_at", "gone_at"),
    *("consent", "take", "sha256", "changes", "attempt", "trace_id", "warnings", "likeness"),
)


def voices_csv(voices: list[dict[str, Any]]) -> Iterator[str]:
    """The `voice_fields` of all voices as rows of CSV (RFC 4180), after a header."""
    yield csv_row(COLUMNS)
    for voice in voices:
        fields = {**voice, **{name: "; ".join(voice[name]) for name in ("changes", "warnings")}}
        yield csv_row(fields[name] for name in COLUMNS)


def attempt_lines(attempt: Attempt) -> Iterator[str]:
    """A clone call with an unknown outcome, and how to settle it."""
    moment = attempt.called_at or attempt.claimed_at
    yield f"{attempt.id}  {until(moment)}  {safe(attempt.take)}  ({safe(attempt.kind or 'unknown')})"
    yield from _service_lines(attempt)
    yield f"  settle it: onetake voices settle {attempt.id} --voice VOICE_ID (or --failed)"


def speech_lines(speech: SpeechRecord) -> Iterator[str]:
    """A speech call with an unknown outcome, and how to settle it."""
    what = f"{speech.purpose} {safe(speech.name)}: {safe(shorten(speech.text, 60))}"
    yield f"{speech.id}  {until(speech.called_at)}  {what}  ({safe(speech.kind or 'unknown')})"
    yield from _service_lines(speech)
    yield f"  settle it: onetake voices settle {speech.id} --kept (or --failed)"


def _service_lines(call: Attempt | SpeechRecord) -> Iterator[str]:
    """The error message, the message of the service, and its trace id."""
    if call.message:
        yield f"  {safe(call.message)}"
    if call.service_message and call.service_message not in (call.message or ""):
        yield f"  the service says: {safe(call.service_message)}"
    if call.trace_id:
        yield f"  trace id, for the service's support: {safe(call.trace_id)}"


def speech_fields(speech: SpeechRecord) -> dict[str, Any]:
    """A speech call as a JSON object."""
    fields: dict[str, Any] = msgspec.to_builtins(speech)
    return fields


def attempt_fields(attempt: Attempt) -> dict[str, Any]:
    """An attempt as a JSON object."""
    fields: dict[str, Any] = msgspec.to_builtins(attempt)
    return fields


def _life(voice: VoiceRecord, now: datetime) -> str:
    if voice.gone_at is not None:
        return styled("gone: the service no longer has it", "red")
    if voice.kept_at is not None:
        return styled("kept", "green")
    left = voice.expires_at - now
    if left.total_seconds() <= 0:
        return styled(f"expired {until(voice.expires_at)}", "red")
    text = f"{_span(left)} left, until {until(voice.expires_at)}"
    return styled(text, "yellow") if left.total_seconds() < _SOON_S else text


def _span(left: timedelta) -> str:
    hours, minutes = divmod(int(left.total_seconds()) // 60, 60)
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes:02} min"
