"""Files that get their name when they are whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A temporary file, open and by name, that takes the name `path` if the block ends well and is gone if not."""
    handle, name = tempfile.mkstemp(prefix=".onetake-", dir=path.parent)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file, Path(name)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, name) if path.exists() else Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def require_sound(path: Path) -> None:
    """Refuse what is no recording.

    Raises:
        client.NonsenseAnswer: It is none.
    """
    import preflight
    from client import NonsenseAnswer

    if not preflight.check(path).file.duration_s:
        raise NonsenseAnswer("what came is not a recording", hint="ask for it again")
