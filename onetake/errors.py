"""Exceptions of the application, and the one place that maps any exception to a message and an exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

import click

from onetake.exit_status import Status, library_status, stop_status
from onetake.resource_errors import resource_hint

if TYPE_CHECKING:
    from preflight import Report


class OnetakeError(Exception):
    """Base class of the application's exceptions.

    Attributes:
        kind: A stable kebab-case name, part of the JSON output.
        status: The exit status.
        message: What happened, with the file or setting concerned.
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
    """Invalid or contradictory arguments."""

    kind = "usage"


class InvalidManifest(UsageError):
    """A manifest with errors.

    Attributes:
        details: One line per error, with its line number; empty if the message is complete.
    """

    kind = "invalid-manifest"

    def __init__(self, message: str, hint: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.details = details

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message, self.hint, self.details))


class SettingError(OnetakeError):
    """A setting is missing, unknown, invalid or contradicts another."""

    kind = "bad-setting"


class TakeRefused(OnetakeError):
    """A recording cannot be sent.

    Attributes:
        report: The report of the check.
    """

    kind = "take-refused"
    status = Status.NOT_FIT

    def __init__(self, message: str, hint: str, report: Report) -> None:
        super().__init__(message, hint)
        self.report = report

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message, self.hint, self.report))


class TakePoor(TakeRefused):
    """The quality of a recording is poor, and its clone was not confirmed."""

    kind = "take-poor"


class ConsentMissing(OnetakeError):
    """Cloning with a real service requires a statement of the speaker's consent."""

    kind = "consent-missing"


class LedgerFailed(OnetakeError):
    """The ledger cannot be read or written. Paid calls must not be made without it."""

    kind = "ledger-failed"


class NotSettled(OnetakeError):
    """An earlier paid call for the same recording has an unknown outcome."""

    kind = "not-settled"
    status = Status.UNKNOWN


class CloneInProgress(OnetakeError):
    """Another run is cloning the same recording.

    Attributes:
        path: The recording.
        attempt: The id of the attempt in progress.
    """

    kind = "under-way-elsewhere"

    def __init__(self, path: str, attempt: str) -> None:
        super().__init__(f"{path} is being cloned by another run", "wait until it has finished, then run this again")
        self.path = path
        self.attempt = attempt

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.path, self.attempt))


class InputFailed(OnetakeError):
    """Standard input cannot be read or stored, or is too large."""

    kind = "input-failed"


class OutputLost(OnetakeError):
    """Standard output cannot be written."""

    kind = "output-lost"


class OutputClosed(OutputLost):
    """The reader of standard output has closed the pipe."""


class Failure(NamedTuple):
    """An exception as it is shown to the user.

    Attributes:
        kind: A stable kebab-case name.
        message: What happened.
        hint: What to do next.
        status: The exit status.
        details: Further lines, such as each error in a manifest.
        service_message: The message of the service; empty if it sent none.
        trace_id: The trace id of the service, for its support.
        http_status: The HTTP status of the answer.
        code: The error code of the service.
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


_STOPPED_BY: Final = {
    Status.HUNG_UP: "terminated by SIGHUP (the terminal was closed)",
    Status.INTERRUPTED: "interrupted",
    Status.TERMINATED: "terminated by SIGTERM",
}


def stopped_before_turn() -> Failure:
    """The failure of a recording or voice that was not started because of a request to stop."""
    return Failure("interrupted", "not started: the run was stopped", "", stop_status())


def failure_of(error: BaseException) -> Failure:
    """Map an exception to its message and exit status. This is the only place that does so."""
    if _is_interrupt(error):
        return Failure("interrupted", _STOPPED_BY[stop_status()], "", stop_status())
    if (usage := _command_line_failure(error)) is not None:
        return usage
    kind = getattr(error, "kind", None)
    status = getattr(error, "status", None) or library_status(error, kind)
    if isinstance(kind, str) and status is not None:
        return Failure(
            kind=kind,
            message=str(getattr(error, "message", error)),
            hint=str(getattr(error, "hint", "") or ""),
            status=Status(status),
            details=getattr(error, "details", ()),
            service_message=getattr(error, "service_message", ""),
            trace_id=getattr(error, "trace_id", None),
            http_status=getattr(error, "http_status", None),
            code=getattr(error, "code", None),
        )
    if (local := _local_failure(error)) is not None:
        return local
    from onetake.bug_report import write_bug_report

    return Failure("bug", f"this is a bug in onetake ({type(error).__name__})", write_bug_report(error), Status.BUG)


def _is_interrupt(error: BaseException) -> bool:
    # click turns Ctrl-C into Abort. Before that, it ends the line on standard error: that fails at a closed terminal
    # (OSError). A second signal can interrupt the end of Condition.wait, which then releases a lock that it has not
    # taken again (RuntimeError).
    masking: BaseException | None = error if isinstance(error, OSError | RuntimeError) else None
    while isinstance(masking, BaseException) and not isinstance(masking, KeyboardInterrupt):
        masking = masking.__context__
    return isinstance(masking or error, KeyboardInterrupt | click.Abort)


def _command_line_failure(error: BaseException) -> Failure | None:
    if not isinstance(error, click.ClickException):
        return None
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"see {context.command_path} --help" if context else ""
    if context and isinstance(error, click.exceptions.NoArgsIsHelpError):  # its message is the whole help
        return Failure("usage", f"{context.command_path} needs a command", hint, Status.USAGE)
    message = error.format_message().replace("\n\t", " ").rstrip(".")
    return Failure("usage", message[:1].lower() + message[1:], hint, Status.USAGE)


def _local_failure(error: BaseException) -> Failure | None:
    """A broken installation or a lack of resources is not a bug."""
    if isinstance(error, ImportError):
        what = f"{error.name or 'one of its packages'} cannot be imported"
        return Failure("incomplete", f"the installation is incomplete: {what}", "reinstall onetake", Status.USAGE)
    if isinstance(error, OSError) and (hint := resource_hint(error, "TMPDIR")) is not None:
        return Failure("no-room", f"out of resources: {(error.strerror or '').lower()}", hint, Status.USAGE)
    return None
