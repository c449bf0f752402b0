"""Audio of the page: embedded if the recording is small, linked otherwise."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from onetake.render.html.report_page import Entry

_SMALL_BYTES: Final = 300_000
_MOST_EMBEDDED_BYTES: Final = 3_000_000
"""Limit for all recordings together: a larger page would open slowly."""
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


class Sources(Protocol):
    """Where players get their audio."""

    def source(self, entry: Entry) -> str | None:
        """The URL of a recording's audio; None if it is not playable."""


class AudioSources:
    """Chooses a URL for each player, and limits how much audio the page embeds.

    Args:
        folder: The folder of the page.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bytes_left = _MOST_EMBEDDED_BYTES

    def source(self, entry: Entry) -> str | None:
        """The URL of a recording's audio; None if it is not playable."""
        if not entry.report.file.container or not entry.duration_s:
            return None
        return self._embedded(entry) or link(entry.path, str(self._folder))

    def _embedded(self, entry: Entry) -> str | None:
        facts = entry.report.file
        if facts.container not in _TYPES or facts.bytes > min(_SMALL_BYTES, self._bytes_left):
            return None
        content = _content(entry)
        if content is None:
            return None
        self._bytes_left -= len(content)
        return f"data:{_TYPES[facts.container]};base64,{base64.b64encode(content).decode()}"


def _content(entry: Entry) -> bytes | None:
    """The file that was checked; None if it has changed since."""
    from preflight import CannotOpen
    from preflight.input.source import Source

    facts = entry.report.file
    try:
        with Source.open(entry.path) as source:
            content = source.read_at(0, facts.bytes) if source.size == facts.bytes else b""
    except CannotOpen:
        return None
    is_same = facts.sha256 in (None, hashlib.sha256(content).hexdigest())
    return content if is_same and len(content) == facts.bytes else None


def link(path: str, folder: str, paths: ModuleType = os.path) -> str:
    """Return the URL of a file for a page in `folder`; quoted, so that it holds no query or markup.

    Args:
        path: The file.
        folder: The folder of the page.
        paths: The rules for paths: `posixpath` or `ntpath`.

    Returns:
        A relative URL; an absolute one for a file on another drive of Windows.
    """
    try:
        relative = paths.relpath(path, folder)
    except ValueError:
        return PureWindowsPath(paths.abspath(path)).as_uri()
    return quote(os.fsencode(relative.replace(paths.sep, "/")))
