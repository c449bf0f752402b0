"""Voices and unknown outcomes, for people and for machines."""

from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING, Any, Final

import msgspec

from onetake.render.outcomes import csv_row, until
from onetake.render.text import safe, styled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from onetake.ledger import Attempt, SpeechRecord, VoiceRecord

_SOON_S: Final = 48 * 3600


def voice_line(voice: VoiceRecord, now: datetime) -> str:
    """One line: name, id, how long it lives, and who agreed."""
    consent = f"  consent: {safe(voice.consent)}" if voice.consent else ""
    warned = "".join(f"\n  {styled('warning:', 'yellow')} {safe(warning)}" for warning in voice.warnings)
    return f"{safe(voice.name):<20} {safe(voice.voice_id)}  {_life(voice, now)}{consent}{warned}"


def voice_fields(voice: VoiceRecord, now: datetime) -> dict[str, Any]:
    """A voice as a JSON object, with the seconds it has left; None for one that stays."""
    left = (voice.expires_at - now).total_seconds() if voice.kept_at is None else None
    fields: dict[str, Any] = msgspec.to_builtins(voice)
    return {**fields, "lives": voice.is_alive(now), "seconds_left": None if left is None else round(max(0.0, left))}


COLUMNS: Final = (
    *("name", "voice_id", "base_url", "lives", "seconds_left", "created_at", "expires_at", "kept_at", "gone_at"),
    *("consent", "take", "sha256", "changes", "attempt", "trace_id", "warnings"),
)


def voices_csv(voices: list[dict[str, Any]]) -> Iterator[str]:
    """`voice_fields` of every voice as lines of CSV (RFC 4180), the header first."""
    yield csv_row(COLUMNS)
    for voice in voices:
        fields = {**voice, **{name: "; ".join(voice[name]) for name in ("changes", "warnings")}}
        yield csv_row(fields[name] for name in COLUMNS)


def attempt_lines(attempt: Attempt) -> Iterator[str]:
    """What is known of a call whose outcome is not, and how to settle it."""
    moment = attempt.called_at or attempt.claimed_at
    yield f"{attempt.id}  {until(moment)}  {safe(attempt.take)}  ({safe(attempt.kind or 'unknown')})"
    yield from _said(attempt)
    yield f"  settle it: onetake voices settle {attempt.id} --voice VOICE_ID (or --failed)"


def speech_lines(speech: SpeechRecord) -> Iterator[str]:
    """What is known of a speech call whose outcome is not, and how to settle it."""
    what = f"{speech.purpose} {safe(speech.name)}: {safe(shorten(speech.text, 60))}"
    yield f"{speech.id}  {until(speech.called_at)}  {what}  ({safe(speech.kind or 'unknown')})"
    yield from _said(speech)
    yield f"  settle it: onetake voices settle {speech.id} --kept (or --failed)"


def _said(call: Attempt | SpeechRecord) -> Iterator[str]:
    """What went wrong, in the words of whoever said it."""
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
        return styled("gone: the service does not know it any more", "red")
    if voice.kept_at is not None:
        return styled("kept", "green")
    left = voice.expires_at - now
    if left.total_seconds() <= 0:
        return styled(f"expired {until(voice.expires_at)}", "red")
    told = f"{_span(left)} left, until {until(voice.expires_at)}"
    return styled(told, "yellow") if left.total_seconds() < _SOON_S else told


def _span(left: timedelta) -> str:
    hours, minutes = divmod(int(left.total_seconds()) // 60, 60)
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes:02} min"
