"""The process that owns the sandbox: it starts storage and endpoint, and takes them down whatever happens.

It lives as long as its standard input stays open. When the parent ends, even by SIGKILL, the system closes that
pipe. When this process itself is killed, the storage dies with it (Linux), and the folder that is left behind is
removed by the next sandbox.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from onetake.interrupts import install_handlers, interruptible
from onetake.locks import is_possible, try_lock
from onetake.sandbox.access import Access
from onetake.sandbox.endpoint import StandInEndpoint
from onetake.sandbox.storage import SandboxStorage
from onetake.sandbox.weed import SandboxUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PREFIX: Final = "onetake-sandbox-"
_LOCK: Final = "lock"
_LOCKED_AFTER_S: Final = 600.0


@contextlib.contextmanager
def running(log: Callable[[str], None] | None = None, answer_delay_s: float = 0.0) -> Iterator[Access]:
    """Storage and endpoint in a folder of their own, gone when the block ends.

    Args:
        log: Called with each line that the endpoint has to say.
        answer_delay_s: Seconds that the endpoint takes to answer besides its work.

    Raises:
        SandboxUnavailable: The storage server is not installed or does not start.
    """
    _remove_leftovers()
    with (
        _own_folder() as folder,
        SandboxStorage(folder) as storage,
        StandInEndpoint(key := f"sandbox-{secrets.token_hex(8)}", 0, answer_delay_s, log) as endpoint,
    ):
        yield Access(
            base_url=endpoint.base_url,
            api_key=key,
            provider="seaweedfs",
            s3_endpoint=storage.endpoint,
            bucket=storage.bucket,
            access_key_id=storage.access_key_id,
            secret_access_key=storage.secret_access_key,
            folder=str(folder),
        )


@contextlib.contextmanager
def _own_folder() -> Iterator[Path]:
    """A new folder that only this user can enter, with a lock in it that the system releases when this process ends."""
    with contextlib.ExitStack() as stack:
        while True:
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            with contextlib.suppress(FileNotFoundError):
                lock = stack.enter_context((folder / _LOCK).open("x"))
                if try_lock(lock.fileno()) and (folder / _LOCK).exists():
                    break
            # another sandbox that was starting took it for a leftover, between its creation and its lock
        yield folder


def _remove_leftovers() -> None:
    """Remove the folders of this user's sandboxes whose process was killed."""
    if not is_possible():
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                continue  # a link, or somebody else's
            if _is_abandoned(folder, status.st_mtime):
                shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path, changed_at: float) -> bool:
    """Whether no process holds the folder's lock; without a lock, whether it is too old to be about to get one."""
    try:
        # O_NONBLOCK: something else in its place, such as a named pipe, must not make this wait
        handle = os.open(folder / _LOCK, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        return time.time() - changed_at > _LOCKED_AFTER_S
    try:
        return stat.S_ISREG(os.fstat(handle).st_mode) and try_lock(handle)
    finally:
        os.close(handle)


def main() -> None:
    """Run a sandbox until standard input ends; its first line of output is its `Access`, or an error, as JSON.

    Its argument is the seconds that the endpoint takes to answer.
    """
    install_handlers()
    try:
        interruptible(_run_until_input_ends)
    except SandboxUnavailable as error:
        _answer({"error": {"message": error.message, "hint": error.hint}})
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(0)  # everything is down by now, and there is nobody to tell


def _run_until_input_ends() -> None:
    with running(answer_delay_s=float(sys.argv[1])) as access:
        _answer({"access": access})
        sys.stdin.buffer.read()


def _answer(content: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(content) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
