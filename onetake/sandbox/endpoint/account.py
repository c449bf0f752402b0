"""What the service would have charged, and the voices that exist."""

from __future__ import annotations

import threading
import unicodedata
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

LIFETIME = timedelta(hours=168)


class Voice(Struct):
    """A voice, and the first seconds of its recording, which it speaks with (mono, 16-bit, 32 kHz)."""

    voice_id: str
    created_at: datetime
    sample: NDArray[np.int16]
    kept: bool = False

    def is_alive(self, now: datetime) -> bool:
        """Whether the voice exists at a time."""
        return self.kept or now < self.created_at + LIFETIME


class Account:
    """Charges and voices of one stand-in; methods may be called by several threads."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._voices: dict[str, Voice] = {}
        self._clones = 0
        self._characters = 0
        self._requests = 0
        self._refused = 0
        self._stored_types: list[str] = []

    def count_request(self) -> None:
        """Count a call to a priced endpoint, regardless of its outcome."""
        with self._lock:
            self._requests += 1

    def count_refusal(self) -> None:
        """Count a call that was refused."""
        with self._lock:
            self._refused += 1

    def add_stored_type(self, content_type: str) -> None:
        """Store the ``Content-Type`` of a downloaded recording."""
        with self._lock:
            self._stored_types.append(content_type)

    def add_voice(self, sample: NDArray[np.int16], preview_text: str) -> Voice:
        """Make a voice, and charge for it and for its preview."""
        voice = Voice(f"voice_{uuid.uuid4()}", self._now(), sample)
        with self._lock:
            self._voices[voice.voice_id] = voice
            self._clones += 1
            self._characters += billed_characters(preview_text)
        return voice

    def find(self, voice_id: str) -> Voice | None:
        """Return a voice that exists now, or None."""
        with self._lock:
            voice = self._voices.get(voice_id)
            return voice if voice is not None and voice.is_alive(self._now()) else None

    def keep(self, voice: Voice, text: str) -> None:
        """Keep a voice because it spoke, and charge for the text."""
        with self._lock:
            voice.kept = True
            self._characters += billed_characters(text)

    def statement(self) -> dict[str, Any]:
        """Return everything as JSON data, without expired voices."""
        now = self._now()
        with self._lock:
            return {
                "clones_charged": self._clones,
                "characters_charged": self._characters,
                "voices": [_entry(voice) for voice in self._voices.values() if voice.is_alive(now)],
                "requests": self._requests,
                "refused": self._refused,
                "stored_types": list(self._stored_types),
            }


def billed_characters(text: str) -> int:
    """Count characters as the service bills them: a Chinese (wide) one is two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _entry(voice: Voice) -> dict[str, Any]:
    return {
        "voice_id": voice.voice_id,
        "created_at": voice.created_at.isoformat(),
        "expires_at": (voice.created_at + LIFETIME).isoformat(),
        "kept": voice.kept,
    }
