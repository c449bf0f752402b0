"""Retries: which error is worth another try, for how long, and after which pause. stamina runs the loop.

botocore's own retries are switched off (`uploader.session`): its three attempts give up within 0.15 s of refused
connections, it does not repeat a BadDigest, and all clients share its retry quota. Here each error says how long a
retry may help, and one budget in seconds limits a piece of work with all its requests.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from uploader.errors import StorageError

_log = logging.getLogger("uploader")
_Result = TypeVar("_Result")

BRIEF_S = 2.5
"""For what is probably a mistake in the settings (connection refused, unknown host): about four tries."""
VISIBILITY_S = 20.0
"""For an object or a link that is not visible yet: storage behind caches needs some seconds after an upload."""
MODERATE_S = 30.0
"""For what a few retries either fix or do not."""
UNTIL_BUDGET_S = float("inf")
"""For transient failures: as long as the budget lasts."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0
# Without any handler on its logger, Python prints stamina's warning about each retry to standard error. Programs that
# configure logging, or stamina's hooks, still receive it.
_SILENT = logging.NullHandler()


def retry_after_s(header: str) -> float:
    """Return the seconds of a Retry-After header: a number, or a date (RFC 9110, 10.2.3); 0 for anything else.

    >>> retry_after_s("7"), retry_after_s("Thu, 01 Jan 1970 00:00:00 GMT"), retry_after_s("soon")
    (7.0, 0.0, 0.0)
    """
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        date = parsedate_to_datetime(header)
    except (ValueError, OverflowError):  # no date, or one that does not exist
        return 0.0
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


class RetryBudget:
    """A time budget in seconds for one piece of work with all its retries; it starts when it is created.

    A try that is running when the budget ends is not interrupted; there is no further one.
    """

    def __init__(self, budget_s: float) -> None:
        self._deadline = time.monotonic() + budget_s

    def call(self, attempt: Callable[[], _Result]) -> _Result:
        """Call `attempt`, and repeat it with growing pauses while a retry may help.

        Raises:
            StorageError: The last try's, if a retry cannot help, or the budget or the error's own time is used up.
        """
        import stamina  # here, so that only the first request pays for the import

        logging.getLogger("stamina").addHandler(_SILENT)  # addHandler ignores a handler that is there already
        for retry in stamina.retry_context(on=_Backoff(self._deadline), attempts=None, timeout=None):
            with retry:
                return attempt()
        raise AssertionError("stamina raises the last error")


class _Backoff:
    """stamina's hook: the pause before the next try in seconds, or False for none."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._first = time.monotonic()
        self._tries = 0

    def __call__(self, error: Exception) -> float | bool:
        if not isinstance(error, StorageError):
            return False
        longest_s: float = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**self._tries)
        # jitter: many clients must not return at the same moment
        pause_s = error.retry_after_s + random.uniform(0.5, 1.0) * longest_s
        next_try = time.monotonic() + pause_s
        if next_try - self._first > error.retry_for_s or next_try > self._deadline:
            return False
        self._tries += 1
        _log.debug("try %d failed (%s), next in %.1f s", self._tries, error.kind, pause_s)
        return pause_s
