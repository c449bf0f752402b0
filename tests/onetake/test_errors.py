"""Every exception becomes one message and one exit status."""

from __future__ import annotations

import errno
import pickle
import threading

import click
import pytest

from client import InvalidArgument, OutcomeUnknown
from client.errors import BalanceTooLow
from onetake.errors import (
    CloneInProgress,
    Failure,
    InvalidManifest,
    OutputClosed,
    SettingError,
    TakeRefused,
    UsageError,
    failure_of,
)
from onetake.exit_status import Status
from preflight import BadProfile, CannotOpen, CannotWrite, NotARecording
from tests.support.reports import make_report
from uploader import SettingsError, StorageError


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("a and b contradict each other"), Status.USAGE),
        (SettingError("bucket is not set"), Status.USAGE),
        (TakeRefused("too short", "record more", make_report("a.wav")), Status.NOT_FIT),
        (BadProfile("there is no profile 'x'"), Status.USAGE),
        (CannotWrite("the disk is full"), Status.USAGE),
        (CannotOpen("it does not exist"), Status.NOT_FIT),
        (NotARecording("it is a text file"), Status.NOT_FIT),
        (SettingsError("region is missing", setting="region"), Status.USAGE),
        (StorageError("access denied"), Status.STORAGE),
        (InvalidArgument("accuracy 2 is above 1"), Status.USAGE),
        (BalanceTooLow("the balance is empty"), Status.SERVICE),
        (OutcomeUnknown("no answer"), Status.UNKNOWN),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exceptions_of_the_application_and_of_the_libraries_have_a_status(error: Exception, status: Status) -> None:
    failure = failure_of(error)
    assert (failure.status, failure.kind) == (status, error.kind)  # type: ignore[attr-defined]
    assert failure.message
    assert "None" not in failure.hint


def test_a_subclass_has_the_status_of_its_library() -> None:
    class BucketVanished(StorageError):
        kind = "bucket-vanished"

    assert failure_of(BucketVanished("gone")).status == Status.STORAGE


def test_a_usage_error_of_click_names_the_help() -> None:
    context = click.Context(click.Command("onetake"), info_name="onetake")
    failure = failure_of(click.NoSuchOption("--nope", ctx=context))
    assert (failure.kind, failure.status, failure.hint) == ("usage", Status.USAGE, "see onetake --help")
    assert not failure.message.endswith(".")


def test_a_group_without_a_command_names_its_help_in_one_line() -> None:
    group = click.Group("storage", commands=[click.Command("clean")])
    with pytest.raises(click.UsageError) as caught:
        group.main([], prog_name="onetake storage", standalone_mode=False)
    failure = failure_of(caught.value)
    assert (failure.message, failure.hint) == ("onetake storage needs a command", "see onetake storage --help")
    assert (failure.kind, failure.status) == ("usage", Status.USAGE)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_interrupts_exit_with_130(error: BaseException) -> None:
    assert failure_of(error) == Failure("interrupted", "interrupted", "", Status.INTERRUPTED)


def test_an_error_of_python_during_an_interrupt_is_an_interrupt() -> None:
    """The second of two signals keeps Condition.wait from taking its lock again, which its caller then releases."""
    condition = threading.Condition()

    def release_twice(error: BaseException | None) -> None:
        with condition:
            condition.release()
            if error is not None:
                raise error

    with pytest.raises(RuntimeError) as raised:
        release_twice(KeyboardInterrupt())
    assert failure_of(raised.value).status == Status.INTERRUPTED
    with pytest.raises(RuntimeError) as raised:
        release_twice(None)
    assert failure_of(raised.value).status == Status.BUG


def test_an_interrupt_that_a_broken_standard_error_hides_is_an_interrupt() -> None:
    error = OSError(errno.EIO, "Input/output error")
    error.__context__ = KeyboardInterrupt()
    assert failure_of(error).status == Status.INTERRUPTED


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no-room"),
        (OSError(errno.EMFILE, "Too many open files"), "no-room"),
        (ModuleNotFoundError("No module named 'av'", name="av"), "incomplete"),
    ],
)
def test_a_lack_of_resources_or_a_broken_installation_is_not_a_bug(error: Exception, kind: str) -> None:
    failure = failure_of(error)
    assert (failure.kind, failure.status) == (kind, Status.USAGE)
    assert failure.hint


def test_any_other_exception_is_a_bug() -> None:
    failure = failure_of(ZeroDivisionError("sk-secret"))
    assert (failure.kind, failure.status) == ("bug", Status.BUG)
    assert "ZeroDivisionError" in failure.message
    assert "sk-secret" not in failure.message + failure.hint


@pytest.mark.parametrize(
    "error",
    [
        InvalidManifest("2 errors", "correct them", ("line 1", "line 2")),
        TakeRefused("too short", "record more", make_report("a.wav")),
        CloneInProgress("a.wav", "5f0c"),
        OutputClosed("standard output was closed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_exceptions_survive_pickling(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), vars(again)) == (type(error), vars(error))
