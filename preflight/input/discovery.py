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
    pending = [folder]
    while pending:  # not recursive: folders can be nested deeper than Python's stack is
        place = pending.pop()
        try:
            folders, files = _listed(place)
        except OSError:
            yield place
            continue
        yield from (os.path.join(place, name) for name in sorted(files))
        pending += [os.path.join(place, name) for name in sorted(folders, reverse=True)]


def _listed(folder: str) -> tuple[list[str], list[str]]:
    """The names of the folders, without links to folders, and of the recordings in `folder`; raises OSError."""
    folders, files = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                if not entry.is_symlink():
                    folders.append(entry.name)
            elif os.path.splitext(entry.name)[1].lower() in _ENDINGS:
                files.append(entry.name)
    return folders, files


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle, or where nobody may look
        return False
