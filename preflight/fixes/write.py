"""Write an output file atomically: the complete, verified file appears under its name, or nothing does.

The file is written under a temporary name in the same folder. Its writer holds a lock on it, which the system releases
when the process ends, so the next run can recognize and remove the temporary files of killed processes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, TypeVar

from preflight import limits
from preflight.errors import BadOutput, CannotWrite, OutputExists
from preflight.file_system import (
    NEW_FILE,
    LockState,
    acquire,
    copy_mode,
    is_device_name,
    is_in_use,
    is_own,
    remove_file,
    replace_file,
    sync_file,
    sync_folder,
)
from preflight.input.source import display_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from preflight.fixes.options import Container
    from preflight.input.recording import PathLike

T = TypeVar("T")

CONTAINERS: Final[dict[str, Container]] = {".wav": "wav", ".mp3": "mp3", ".m4a": "m4a"}
TEMPORARY_PREFIX: Final = ".onetake-"
_MIN_AGE_S: Final = 60.0
"""A file has no lock shortly after it was created, and shortly before it is renamed."""
_LOCK_FLAGS: Final = (
    os.O_RDWR | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
)


def require_output(path: PathLike, output: Path, *, force: bool) -> None:
    """Make sure that `output` can be written for the recording `path`.

    Raises:
        BadOutput: Its suffix is not one of the three that are accepted, or it is the recording itself.
        OutputExists: It exists and `force` is not set.
    """
    if is_folder(output):
        return
    if output.suffix.lower() not in CONTAINERS:
        if not output.suffix and not os.path.lexists(output):
            raise BadOutput(
                "there is no such folder, and an output file must end in .wav, .mp3 or .m4a",
                "create the folder first, or add one of these suffixes",
            )
        raise BadOutput("the output must end in .wav, .mp3 or .m4a", "change its suffix, or choose an existing folder")
    if "\0" in str(output):
        raise BadOutput("the output's name contains a NUL character", "choose another name")
    if is_device_name(output.name):
        raise BadOutput(f"{output.name!r} is the name of a device on Windows", "choose another name")
    with contextlib.suppress(OSError):
        if output.samefile(os.fsdecode(path)):
            raise BadOutput("the output is the take itself, which is never overwritten", "choose another name")
    if os.path.lexists(output) and not force:
        raise OutputExists(f"{str(output)!r} already exists", "choose another name, or pass force=True")
    _require_regular(output)


def _require_regular(output: Path) -> None:
    """Raise `BadOutput` for a FIFO, a device or a socket: renaming a file onto it would replace it."""
    with contextlib.suppress(OSError):
        if not stat.S_ISREG(output.stat().st_mode):
            raise BadOutput("the output is not a regular file", "choose a file, not a FIFO or a device")


def is_folder(path: Path) -> bool:
    """Return whether `path` is an existing folder."""
    try:
        return path.is_dir()
    except OSError:
        return False  # the error is reported when the file is written


def write_verified(output: Path, container: Container, produce: Callable[[IO[bytes], Path], T], *, force: bool) -> T:
    """Write a temporary file beside `output`, and rename it when it is complete.

    Args:
        output: The final name.
        container: What is written.
        produce: Writes to the open file and verifies it by its path; its result is returned.
        force: Replace an existing file.

    Raises:
        CannotWrite: The disk is full, a permission is missing, …; `output` was not created.
        OutputExists: Another process created `output` in the meantime.
    """
    target = Path(os.path.realpath(output)) if force else output  # a link stays a link; the file behind it is replaced
    remove_abandoned(target.parent)
    # named before it is created: an interrupt between creation and `try` would leave it behind
    temporary = target.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}{limits.ACCEPTED[container]}"
    try:
        # not tempfile: mkstemp makes private files, and reading the umask changes it for all threads for a moment
        with os.fdopen(os.open(temporary, NEW_FILE, 0o666), "w+b") as file:
            acquire(file.fileno())
            result = produce(file, temporary)
            sync_file(file)
        if force and target.exists():
            _require_regular(target)
            copy_mode(target, temporary)
        _rename(temporary, target, force=force)
    except OSError as error:
        raise _cannot_write(error, target) from error
    finally:
        remove_file(temporary)
    return result


def _rename(temporary: Path, output: Path, *, force: bool) -> None:
    if force:
        replace_file(temporary, output)
    else:
        try:
            os.link(temporary, output)  # unlike rename(2), link(2) never replaces an existing file
        except FileExistsError:
            raise OutputExists(f"{str(output)!r} already exists", "choose another name") from None
        except OSError:
            # a file system without hard links, such as FAT; `require_output` found the name free
            replace_file(temporary, output)
    sync_folder(output.parent)


def _cannot_write(error: OSError, target: Path) -> CannotWrite:
    if is_in_use(error, target, to_replace=True):
        shown = repr(display_name(target))
        return CannotWrite(f"another program has {shown} open", "close it there, or choose another name")
    folder = target.parent
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return CannotWrite("the disk is full, or a size limit was reached", "free some space, or write elsewhere")
    if error.errno == errno.ENAMETOOLONG:
        shown = repr(display_name(target.name))
        return CannotWrite(f"the name of the output is too long for this system: {shown}", "choose a shorter name")
    shown = repr(display_name(folder))
    if error.errno == errno.ENOENT and not folder.is_dir():
        return CannotWrite(f"the output folder {shown} does not exist", "create it first")
    reason = (error.strerror or str(error)).lower()
    return CannotWrite(f"the output could not be written to {shown}: {reason}", "check the folder and its permissions")


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files in `folder` that killed processes of this user left.

    A file is removed only if its name is one of this module's, it belongs to this user, and no process has it locked.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(TEMPORARY_PREFIX) and entry.name.endswith(tuple(limits.ACCEPTED.values())):
                with contextlib.suppress(OSError):
                    if _is_abandoned(entry):
                        Path(entry.path).unlink()


def _is_abandoned(entry: os.DirEntry[str]) -> bool:
    found = entry.stat(follow_symlinks=False)
    if not stat.S_ISREG(found.st_mode) or not is_own(found) or time.time() - found.st_mtime < _MIN_AGE_S:
        return False
    descriptor = os.open(entry.path, _LOCK_FLAGS)
    try:
        return acquire(descriptor) is LockState.ACQUIRED
    finally:
        os.close(descriptor)
