"""Atomic writes: a file gets its name when it is complete and on disk, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from onetake.errors import UsageError
from preflight.file_system import NEW_FILE, copy_mode, is_device_name, is_in_use, remove_file, replace_file, sync_file
from preflight.input.source import display_name

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a temporary file beside `path`; it replaces `path` if the block succeeds, and is removed otherwise.

    A new file gets the permissions that the process's umask allows; a replaced file keeps its own. A symbolic
    link stays a link: the file it points to is replaced.

    Args:
        path: The final name.

    Yields:
        The open file, and its temporary path.

    Raises:
        UsageError: `path` exists and is not a regular file, such as a FIFO or a device, or another program has it open.
        OSError: The file cannot be written.
    """
    require_replaceable(path)
    target = Path(os.path.realpath(path))
    # named before it is created: an interrupt between creation and `try` would leave it behind
    temporary = target.parent / f".onetake-{secrets.token_hex(8)}"
    try:
        # not tempfile: mkstemp always creates 0600, and there is no safe way to ask for the umask while other threads
        # create files. Here the kernel applies it.
        with os.fdopen(os.open(temporary, NEW_FILE, 0o666), "w+b") as file:
            yield file, temporary
            sync_file(file)
        require_replaceable(path)  # something else may have taken the name meanwhile
        if target.exists():
            copy_mode(target, temporary)
        try:
            replace_file(temporary, target)
        except PermissionError as error:
            if not is_in_use(error, target, to_replace=True):
                raise
            shown = repr(display_name(path))
            raise UsageError(f"another program has {shown} open", "close it there, or choose another name") from error
    finally:
        remove_file(temporary)


def require_replaceable(path: Path) -> None:
    """Raise `UsageError` if `path` exists and is not a regular file, or cannot be one."""
    if is_device_name(path.name):
        raise UsageError(f"{display_name(path)!r} is the name of a device on Windows", "choose another name")
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UsageError(f"{display_name(path)!r} is a symbolic link to itself", "name a file") from error
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{display_name(path)!r} cannot be written: {reason}", "choose another name") from error
    if not stat.S_ISREG(mode):
        raise UsageError(f"{display_name(path)!r} is not a regular file", "name a file, not a folder, FIFO or device")
