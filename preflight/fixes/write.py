"""Write a file under a name that is free and right: all of it, verified, or nothing."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, TypeVar

from preflight import limits
from preflight.errors import BadOutput, CannotWrite, OutputExists
from preflight.fixes.leftovers import PREFIX, hold, remove_abandoned

if TYPE_CHECKING:
    from collections.abc import Callable

    from preflight.fixes.options import Container
    from preflight.input.types import PathLike

T = TypeVar("T")

_NAMES_TRIED: Final = 100

CONTAINERS: Final[dict[str, Container]] = {".wav": "wav", ".mp3": "mp3", ".m4a": "m4a"}


def require_output(path: PathLike, wanted: Path, *, force: bool) -> None:
    """Make sure that something can be written to `wanted`, which is made of the recording `path`.

    Raises:
        BadOutput: It has another ending than the three that are accepted, or is the recording itself.
        OutputExists: It is there, and not to be replaced.
    """
    if is_folder(wanted):
        return
    if wanted.suffix.lower() not in CONTAINERS:
        raise BadOutput("the output must end in .wav, .mp3 or .m4a", "name it so, or name a folder")
    if "\0" in str(wanted):
        raise BadOutput("the output's name holds a NUL character", "choose another name")
    with contextlib.suppress(OSError):
        if wanted.samefile(os.fsdecode(path)):
            raise BadOutput("the output is the take itself, which is never overwritten", "choose another name")
    if os.path.lexists(wanted) and not force:
        raise OutputExists(f"{str(wanted)!r} exists already", "choose another name, or replace it with --force")
    _require_replaceable(wanted)


def _require_replaceable(wanted: Path) -> None:
    """Refuse a name under which there is a FIFO, a device or a socket; raises `BadOutput`."""
    with contextlib.suppress(OSError):
        if not stat.S_ISREG(wanted.stat().st_mode):
            raise BadOutput(f"{str(wanted)!r} is not a regular file", "name a file, not a FIFO or a device")


def is_folder(path: Path) -> bool:
    """Whether there is a folder of this name."""
    try:
        return path.is_dir()
    except OSError:
        return False  # what is wrong with it shows when it is written


def write_verified(wanted: Path, container: Container, produce: Callable[[IO[bytes], Path], T], *, force: bool) -> T:
    """Write a file beside `wanted`, and give it that name when it is done.

    Args:
        wanted: The name.
        container: What is written.
        produce: Writes to the open file, and verifies it by its path; what it returns is returned.
        force: Whether a file of that name is replaced.

    Raises:
        CannotWrite: The disk is full, a permission is missing, …; nothing stands under the name.
        OutputExists: The name was taken meanwhile.
    """
    target = Path(os.path.realpath(wanted)) if force else wanted  # a link to a file that is replaced stays one
    remove_abandoned(target.parent)
    try:
        handle, temporary = _new_file(target.parent, limits.ACCEPTED[container])
    except OSError as error:
        raise _cannot_write(error) from error
    try:
        with os.fdopen(handle, "w+b") as file:
            hold(file.fileno())
            result = produce(file, temporary)
            os.fsync(file.fileno())
        if force and target.exists():
            _require_replaceable(target)
            shutil.copymode(target, temporary)
        _put_in_place(temporary, target, force=force)
    except OSError as error:
        raise _cannot_write(error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return result


def _new_file(folder: Path, suffix: str) -> tuple[int, Path]:
    """A new file with the permissions that the process's umask allows: the kernel applies it.

    `tempfile.mkstemp` makes private files, and the umask cannot be asked for without changing it under other threads.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    for _ in range(_NAMES_TRIED):
        path = folder / f"{PREFIX}{secrets.token_hex(8)}{suffix}"
        with contextlib.suppress(FileExistsError):
            return os.open(path, flags, 0o666), path
    raise FileExistsError(errno.EEXIST, "no temporary name is free", str(folder))


def _put_in_place(temporary: Path, wanted: Path, *, force: bool) -> None:
    if force:
        temporary.replace(wanted)
    else:
        try:
            os.link(temporary, wanted)  # unlike a rename, a link never replaces a file
        except FileExistsError:
            raise OutputExists(f"{str(wanted)!r} exists already", "choose another name") from None
        except OSError:
            # a file system without links; the name was free when it was looked at
            temporary.replace(wanted)
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(wanted.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _cannot_write(error: OSError) -> CannotWrite:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return CannotWrite("the disk is full, or a size limit was reached", "free some space, or write elsewhere")
    if error.errno == errno.ENOENT:
        return CannotWrite("the folder to write to does not exist", "create it first")
    reason = (error.strerror or str(error)).lower()
    return CannotWrite(f"the output could not be written: {reason}", "check the folder and its permissions")
