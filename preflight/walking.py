"""Find the recordings in a folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDINGS: Final = {
    *(".3gp", ".aac", ".ac3", ".aif", ".aiff", ".amr", ".ape", ".au", ".avi", ".caf", ".flac", ".m4a", ".m4b", ".m4v"),
    *(".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4", ".oga", ".ogg", ".opus", ".qta", ".rf64", ".snd", ".tta", ".w64"),
    *(".wav", ".wave", ".webm", ".wma", ".wv"),
}


def recordings_in(folder: str) -> Iterator[str]:
    """Yield the recordings in `folder` and in the folders in it, in order of their names.

    A recording is what its name says: other files are passed over. So are hidden files and folders, and links to
    folders, which may lead in a circle. A folder that cannot be read, or is none, is yielded itself: its check says
    why.
    """
    unread: list[str] = []
    for place, folders, files in os.walk(folder, onerror=lambda error: unread.append(error.filename)):
        yield from unread
        unread.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in _ENDINGS:
                yield os.path.join(place, name)
    yield from unread
