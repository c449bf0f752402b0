"""The exit statuses of the command, and which one an exception of a library has.

0 done; 1 a recording is not fit; 2 bad usage or settings; 3 storage failed; 4 the service refused or failed; 5 the
outcome of a paid call is unknown; 6 a bug in onetake; 129, 130 and 143 terminated by SIGHUP, Ctrl-C (SIGINT) and
SIGTERM. The libraries know no exit statuses: `_BY_KIND` and `_BY_MODULE` assign them. The application's own exceptions
carry theirs (`onetake.errors`).
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


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


_MOST_SEVERE_FIRST: Final = (
    *(Status.UNKNOWN, Status.BUG, Status.SERVICE, Status.STORAGE, Status.USAGE),
    *(Status.TERMINATED, Status.HUNG_UP, Status.INTERRUPTED, Status.NOT_FIT, Status.DONE),
)


def most_severe(statuses: Iterable[Status]) -> Status:
    """The exit status of a batch: an unknown outcome, which may have been paid for, is the most severe."""
    return min(statuses, key=_MOST_SEVERE_FIRST.index, default=Status.DONE)


_BY_MODULE = {"preflight.errors": Status.NOT_FIT, "uploader.errors": Status.STORAGE, "client.errors": Status.SERVICE}
_USAGE_KINDS = (
    *("bad-output", "bad-profile", "bad-speaker-model", "bad-speech-model", "bad-wish", "output-exists"),
    *("bad-setting", "bad-bucket-name", "credentials-missing", "engine-missing", "invalid-argument"),
    *("cannot-write", "sandbox-unavailable"),
)
_BY_KIND = {
    **dict.fromkeys(_USAGE_KINDS, Status.USAGE),
    "file-changed": Status.NOT_FIT,
    "file-unreadable": Status.NOT_FIT,
    "not-examined": Status.BUG,
}


def stop_status() -> Status:
    """The exit status after a request to stop: 128 plus the number of the signal, as in POSIX shells."""
    from onetake.io.signals import received

    number = received()
    # Ctrl-Break of Windows (SIGBREAK) has no status of its own
    return Status(128 + number) if number is not None and 128 + number in set(Status) else Status.INTERRUPTED


def library_status(error: BaseException, kind: object) -> Status | None:
    """The exit status of an exception of `preflight`, `uploader` or `client`; None for any other exception."""
    if kind in _BY_KIND:
        return _BY_KIND[str(kind)]
    if getattr(error, "state", None) == "unknown":  # the outcome of a paid call, see `client.call_outcomes`
        return Status.UNKNOWN
    return next((_BY_MODULE[base.__module__] for base in type(error).__mro__ if base.__module__ in _BY_MODULE), None)
