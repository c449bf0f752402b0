"""Find the recordings in a folder and its subfolders."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

EXTENSIONS: Final = {
    *(".3gp", ".aac", ".ac3", ".aif", ".aiff", ".amr", ".ape", ".au", ".avi", ".caf", ".flac", ".m4a", ".m4b", ".m4v"),
    *(".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4", ".oga", ".ogg", ".opus", ".qta", ".rf64", ".snd", ".tta", ".w64"),
    *(".wav", ".wave", ".webm", ".wma", ".wv"),
}


def recordings_in(folder: str) -> Iterator[str]:
    """Yield the paths of the recordings in `folder` and its subfolders, sorted by name.

    The file name extension decides what is a recording. Hidden files and folders are skipped, and so are links to
    folders, because they can form a cycle. A folder that cannot be read, or does not exist, is yielded itself, so that
    its check reports the reason.
    """
    pending = [folder]
    while pending:  # not recursive: folders can be nested more deeply than the recursion limit
        current = pending.pop()
        try:
            folders, files = _entries(current)
        except OSError:
            yield current
            continue
        yield from (os.path.join(current, name) for name in sorted(files))
        pending += [os.path.join(current, name) for name in sorted(folders, reverse=True)]


def _entries(folder: str) -> tuple[list[str], list[str]]:
    """Return the names of the subfolders, without links, and of the recordings in `folder`; raises OSError."""
    folders, files = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                if not entry.is_symlink():
                    folders.append(entry.name)
            elif os.path.splitext(entry.name)[1].lower() in EXTENSIONS:
                files.append(entry.name)
    return folders, files


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link cycle, or a folder without permission
        return False
