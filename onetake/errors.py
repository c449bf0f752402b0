"""What the application itself raises, and the one place that turns any exception into a status and a message.

    OnetakeError
    ├── UsageError        arguments that do not fit together
    │   └── InvalidManifest  a manifest with mistakes
    ├── SettingError      a setting is missing, unknown or contradicts another
    ├── TakeRefused       a recording cannot be sent, and why
    ├── ConsentMissing    nobody said that the speaker agreed
    ├── LedgerFailed      the ledger cannot be used
    ├── NotSettled        whether the recording was cloned before is not known
    ├── CloneInProgress the recording is being cloned at this moment
    ├── InputFailed       standard input cannot be read or stored
    └── OutputLost        standard output cannot be written
        └── NobodyReads   it was closed by whoever read it, which is no failure

Exit statuses: 0 done; 1 a recording is not fit; 2 bad usage or settings; 3 storage failed; 4 the service refused or
failed; 5 the outcome of a paid call is unknown; 6 a bug of ours; 129, 130 and 143 ended by SIGHUP, Ctrl-C
(SIGINT) and SIGTERM.
"""

from __future__ import annotations

import errno
import sys
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from preflight import Report


class Status(IntEnum):
    """Exit statuses."""

    DONE = 0
    NOT_FIT = 1
    USAGE = 2
    STORAGE = 3
    SERVICE = 4
    UNKNOWN = 5
    BUG = 6
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


_WEIGHTIEST: Final = (
    *(Status.UNKNOWN, Status.BUG, Status.SERVICE, Status.STORAGE, Status.USAGE),
    *(Status.TERMINATED, Status.HUNG_UP, Status.INTERRUPTED, Status.NOT_FIT, Status.DONE),
)
_STOPPED_BY: Final = {
    Status.HUNG_UP: "ended by SIGHUP (the terminal was closed)",
    Status.INTERRUPTED: "interrupted",
    Status.TERMINATED: "ended by SIGTERM",
}


def weightiest(statuses: Iterable[Status]) -> Status:
    """The one that says most of several: that something may be paid for, and nobody knows, says more than all else."""
    return min(statuses, key=_WEIGHTIEST.index, default=Status.DONE)


class OnetakeError(Exception):
    """Base of what the application raises.

    Attributes:
        message: What happened, to which file or setting.
        hint: What to do next.
    """

    kind: ClassVar[str] = "onetake-error"
    status: ClassVar[Status] = Status.USAGE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message, self.hint))


class UsageError(OnetakeError):
    """Arguments that do not fit together."""

    kind = "usage"


class InvalidManifest(UsageError):
    """A manifest with mistakes.

    Attributes:
        details: Each mistake with its line; empty when the message says it all.
    """

    kind = "invalid-manifest"

    def __init__(self, message: str, hint: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.details = details

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message, self.hint, self.details))


class SettingError(OnetakeError):
    """A setting is missing, unknown or contradicts another."""

    kind = "bad-setting"


class TakeRefused(OnetakeError):
    """A recording cannot be sent.

    Attributes:
        report: What the check found.
    """

    kind = "take-refused"
    status = Status.NOT_FIT

    def __init__(self, message: str, hint: str, report: Report) -> None:
        super().__init__(message, hint)
        self.report = report

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message, self.hint, self.report))


class ConsentMissing(OnetakeError):
    """A voice of a real service needs a statement that its speaker agreed."""

    kind = "consent-missing"


class LedgerFailed(OnetakeError):
    """The ledger cannot be read or written; what is to be paid for must not be sent then."""

    kind = "ledger-failed"


class NotSettled(OnetakeError):
    """An earlier paid call for the same recording ended in a way that nobody knows."""

    kind = "not-settled"
    status = Status.UNKNOWN


class CloneInProgress(OnetakeError):
    """The same recording is being cloned at this moment.

    Attributes:
        attempt: The one that is under way.
    """

    kind = "under-way-elsewhere"

    def __init__(self, path: str, attempt: str) -> None:
        super().__init__(f"{path} is being cloned by another run", "wait for that one, then run this again")
        self.path = path
        self.attempt = attempt

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.path, self.attempt))


class InputFailed(OnetakeError):
    """Standard input cannot be read or stored, or holds too much."""

    kind = "input-failed"


class OutputLost(OnetakeError):
    """Standard output cannot be written."""

    kind = "output-lost"


class NobodyReads(OutputLost):
    """Standard output was closed by whoever read it."""


class Failure(NamedTuple):
    """An exception as a user meets it.

    Attributes:
        kind: A stable kebab-case name.
        message: What happened.
        hint: What to do next.
        status: The exit status.
        details: Further lines, such as each mistake in a file.
        service_message: The service's own words; empty where it said nothing.
        trace_id: What the service's support asks for.
        http_status: Of the service's answer.
        code: The service's own number.
    """

    kind: str
    message: str
    hint: str
    status: Status
    details: tuple[str, ...] = ()
    service_message: str = ""
    trace_id: str | None = None
    http_status: int | None = None
    code: int | None = None


_BY_MODULE = {"preflight.errors": Status.NOT_FIT, "uploader.errors": Status.STORAGE, "client.errors": Status.SERVICE}
_BY_KIND = {
    "bad-output": Status.USAGE,
    "bad-profile": Status.USAGE,
    "bad-speech-model": Status.USAGE,
    "bad-wish": Status.USAGE,
    "output-exists": Status.USAGE,
    "cannot-write": Status.USAGE,
    "bad-setting": Status.USAGE,
    "bad-bucket-name": Status.USAGE,
    "credentials-missing": Status.USAGE,
    "engine-missing": Status.USAGE,
    "file-changed": Status.NOT_FIT,
    "file-unreadable": Status.NOT_FIT,
    "invalid-argument": Status.USAGE,
    "not-examined": Status.BUG,
    "sandbox-unavailable": Status.USAGE,
}
_SCARCE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}


def stop_status() -> Status:
    """The status to exit with after somebody asked to stop: 128 plus the number of the signal, as shells count."""
    from onetake.io.signals import received

    number = received()
    return Status.INTERRUPTED if number is None else Status(128 + number)


def stopped_before_turn() -> Failure:
    """What to say of a recording or voice that was not begun because somebody asked to stop."""
    return Failure("interrupted", "stopped before its turn", "", stop_status())


def failure_of(error: BaseException) -> Failure:
    """What to tell the user about `error`, and the status to exit with."""
    if isinstance(error, KeyboardInterrupt):
        stopped = stop_status()
        return Failure("interrupted", _STOPPED_BY[stopped], "", stopped)
    kind = getattr(error, "kind", None)
    status = getattr(error, "status", None) or _status_by_origin(error, kind)
    if isinstance(kind, str) and status is not None:
        message, hint = str(getattr(error, "message", error)), str(getattr(error, "hint", ""))
        return Failure(
            kind=kind,
            message=message,
            hint=hint,
            status=Status(status),
            details=getattr(error, "details", ()),
            service_message=getattr(error, "service_message", ""),
            trace_id=getattr(error, "trace_id", None),
            http_status=getattr(error, "http_status", None),
            code=getattr(error, "code", None),
        )
    return _trouble_here(error) or _bug(error)


def _status_by_origin(error: BaseException, kind: object) -> Status | None:
    if kind in _BY_KIND:
        return _BY_KIND[str(kind)]
    if getattr(error, "state", None) == "unknown":  # of a paid call: see `client.settlement`
        return Status.UNKNOWN
    origins = (_BY_MODULE.get(base.__module__) for base in type(error).__mro__)
    return next((status for status in origins if status is not None), None)


def _trouble_here(error: BaseException) -> Failure | None:
    """What this computer lacks is no bug."""
    if isinstance(error, ImportError):
        what = f"{error.name or 'one of its packages'} cannot be imported"
        return Failure("incomplete", f"onetake is not installed completely: {what}", "install it again", Status.USAGE)
    if isinstance(error, OSError) and error.errno in _SCARCE:
        reason = (error.strerror or "").lower()
        return Failure("no-room", f"this computer cannot go on: {reason}", "make room, or set TMPDIR", Status.USAGE)
    return None


def _bug(error: BaseException) -> Failure:
    """Write a report that shows where it happened, without the values: they may hold secrets."""
    import tempfile
    import traceback
    from pathlib import Path

    from onetake import __version__

    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"onetake {__version__}, Python {sys.version.split()[0]}, {sys.platform}", type(error).__name__]
    lines += [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}: {frame.line}" for frame in frames]
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="onetake-bug-", suffix=".log", delete=False, encoding="utf-8"
        ) as log:
            log.write("\n".join(lines) + "\n")
        hint = f"please report it with {log.name}"
    except OSError:
        hint = "please report it: " + " / ".join(lines[-2:])
    return Failure("bug", f"this is a bug in onetake ({type(error).__name__})", hint, Status.BUG)
