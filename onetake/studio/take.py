"""A take of the session: its facts, which are stored beside its audio, and its names."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec

from onetake.io.atomic_write import atomic_write
from preflight.file_system import is_device_name

Span = tuple[float, float]
Origin = Literal["recorded", "recovered", "dropped", "opened", "joined", "fixed", "prompt", "preview", "speech"]
Purpose = Literal["take", "room"]

_LONGEST_NAME: Final = 60


class Take(msgspec.Struct, frozen=True, kw_only=True):
    """A take of the session.

    Attributes:
        id: Its identifier, also the name of its folder.
        name: What the page calls it.
        file: Path of its audio; outside the session's folder for a file that was named on the command line.
        origin: Where it comes from.
        created_at: When it was stored, UTC.
        purpose: What it was recorded for.
        language: Code of the script that was read.
        marked: Where the script's marked sentence was on the screen, in seconds.
        parent: The take from which it was made.
        text: Text that is spoken in it, for a prompt clip.
        changes: The edits that made it.
        bits: 16 where a recording has the microphone's own samples, else 24; None for other files.
        saved: Where a copy was saved that stays after the session.
    """

    id: str
    name: str
    file: str
    origin: Origin
    created_at: datetime
    purpose: Purpose = "take"
    language: str | None = None
    marked: Span | None = None
    parent: str | None = None
    text: str | None = None
    changes: tuple[str, ...] = ()
    bits: int | None = None
    saved: str | None = None


def write_json(path: Path, content: object) -> None:
    """Write facts atomically."""
    with atomic_write(path) as (file, _):
        file.write(msgspec.json.encode(content))


def clean_name(name: str) -> str:
    """Return a name that can be shown, with at most 60 characters."""
    return "".join(letter for letter in name if letter.isprintable()).strip()[:_LONGEST_NAME] or "Take"


def file_stem(name: str) -> str:
    """Return a file name of letters, digits, hyphens and underscores of any script, from the name of a take."""
    stem = re.sub(r"[^\w-]+", "-", Path(name).stem).strip("-")[:_LONGEST_NAME] or "take"
    return f"take-{stem}" if is_device_name(stem) else stem


def new_id() -> str:
    """Return an identifier that cannot be guessed."""
    return secrets.token_hex(8)


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)
