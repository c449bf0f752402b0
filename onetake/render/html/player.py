"""Where the page finds the sound: in itself where it is small, else in the recording's own file."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from onetake.render.html.markup import escaped

if TYPE_CHECKING:
    from pathlib import Path

    from onetake.render.html.entry import Entry

_SMALL_BYTES: Final = 300_000
_MOST_EMBEDDED_BYTES: Final = 3_000_000
"""Of all recordings together: beyond, the page would be long to open."""
_TYPES: Final = {
    "aac": "audio/aac",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mov": "audio/mp4",
    "mp3": "audio/mpeg",
    "mp4": "audio/mp4",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
    "webm": "audio/webm",
}


class Shelf:
    """Gives out players, and keeps count of how much sound the page holds.

    Args:
        folder: Where the page will be.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._room = _MOST_EMBEDDED_BYTES

    def player(self, entry: Entry, name: str) -> str:
        """The player of a recording; empty where there is no sound to be played."""
        if not entry.report.file.container or not entry.duration_s:
            return ""
        source = self._embedded(entry) or _link(entry.path, self._folder)
        return f'<audio controls preload="none" aria-label="{escaped(name)}" src="{source}"></audio>'

    def _embedded(self, entry: Entry) -> str | None:
        facts = entry.report.file
        if facts.container not in _TYPES or facts.bytes > min(_SMALL_BYTES, self._room):
            return None
        content = _content(entry)
        if content is None:
            return None
        self._room -= len(content)
        return f"data:{_TYPES[facts.container]};base64,{base64.b64encode(content).decode()}"


def _content(entry: Entry) -> bytes | None:
    """What was checked; None where it is no longer that."""
    from preflight import CannotOpen
    from preflight.source import Source

    facts = entry.report.file
    try:
        with Source.open(entry.path) as source:
            content = source.read_at(0, facts.bytes) if source.size == facts.bytes else b""
    except CannotOpen:
        return None
    is_same = facts.sha256 in (None, hashlib.sha256(content).hexdigest())
    return content if is_same and len(content) == facts.bytes else None


def _link(path: str, folder: Path) -> str:
    """How a page in `folder` names `path`; nothing in it can be taken for a scheme, a query or markup."""
    return quote(os.fsencode(os.path.relpath(path, folder)))
