"""Whether a path names a folder, a file, or anything at all.

A path names nothing where the system refuses to look. Until Python 3.13, `is_dir`, `is_file` and `exists` of pathlib
raise an OSError for a name that is too long, and for a file in a folder without permission to search it. The functions
of `os.path` return False, and so does pathlib from Python 3.14 on. What opens the file afterwards then says why it
cannot.
"""

from __future__ import annotations

import os
from typing import TypeAlias

_Name: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]


def is_folder(name: _Name) -> bool:
    """Whether a path names a folder.

    >>> is_folder("/"), is_folder("x" * 5000)
    (True, False)
    """
    return os.path.isdir(name)


def is_file(name: _Name) -> bool:
    """Whether a path names a regular file."""
    return os.path.isfile(name)


def exists(name: _Name) -> bool:
    """Whether a path names anything."""
    return os.path.exists(name)
