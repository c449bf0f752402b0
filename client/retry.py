"""When a call is repeated, and after which pause. stamina runs the loop; its backoff hook decides.

RFC 9110, 9.2.2: a client should not repeat a failed non-idempotent request (POST) unless it can detect that the
original request was never applied. Two kinds of failure meet that: the body was never read (`client.transport`), and a
rate limit rejected the call before any work. Each error carries this decision as `retryable`.

A retry budget in seconds, the pause that all threads share after a rate limit, and the callbacks are not part of
stamina, and live here.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from client.errors import RateLimited, ServiceError

T = TypeVar("T")

OnRetry = Callable[[float, ServiceError], None]
"""Called with a pause in seconds and the error that caused it."""

MOST_RETRIES: Final = 3
"""The most automatic retries of one paid call, for all causes together."""

_LONGEST_PAUSE_S: Final = 30.0
_SHORTEST_LIMIT_PAUSE_S: Final = 0.1  # "Retry-After: 0" must not cause a flood of calls
# Without any handler on its logger, Python prints stamina's warning about each retry to standard error.
_SILENT: Final = logging.NullHandler()


def call_with_retries(attempt: Callable[[], T], backoff: Backoff) -> T:
    """Call `attempt`, and repeat it as long as `backoff` allows; raise the last `ServiceError`."""
    import stamina  # here, so that only the first call pays for the import

    logging.getLogger("stamina").addHandler(_SILENT)  # addHandler ignores a handler that is there already
    for retry in stamina.retry_context(on=backoff, attempts=None, timeout=None):
        with retry:
            return attempt()
    raise AssertionError("stamina raises the last error")


class Backoff:
    """The retry decisions for one call, in the form of stamina's hook: the pause in seconds, or False for none.

    Args:
        pause_s: Computes the pause from the error and the number of retries so far.
        budget_s: Seconds from now within which the last try must begin.
        max_retries: The most retries; None if only the budget limits them.
        on_retry: Called before each pause that ends with another try.
    """

    def __init__(
        self,
        pause_s: Callable[[ServiceError, int], float],
        budget_s: float,
        max_retries: int | None = None,
        on_retry: OnRetry | None = None,
    ) -> None:
        self._pause_s = pause_s
        self._deadline = time.monotonic() + budget_s
        self._max_retries = max_retries
        self._on_retry = on_retry
        self._retries = 0

    def __call__(self, error: Exception) -> float | bool:
        """Return the pause before the next try, or False if there is none."""
        if not isinstance(error, ServiceError) or not error.retryable:
            return False
        pause_s = self._pause_s(error, self._retries)
        if time.monotonic() + pause_s > self._deadline or self._retries == self._max_retries:
            return False
        self._retries += 1
        if self._on_retry is not None:
            self._on_retry(pause_s, error)
        return pause_s


class RetryPolicy:
    """The retries of paid calls of one client; its threads share it.

    Args:
        budget_s: Seconds from the first try within which the last one must begin.
        on_retry: Called before each pause that ends with another try.
        on_limit: Called for every answer that is a rate limit, also if the call is not repeated.
    """

    def __init__(self, budget_s: float, on_retry: OnRetry | None = None, on_limit: OnRetry | None = None) -> None:
        self.budget_s = budget_s
        self.on_retry = on_retry
        self._on_limit = on_limit
        self._lock = threading.Lock()
        self._resume_at = 0.0  # time.monotonic()

    def call(self, attempt: Callable[[], T]) -> T:
        """Call `attempt`, and repeat it at most `MOST_RETRIES` times; raise the last `ServiceError`."""

        def paced() -> T:
            self._wait_for_limit()
            return attempt()

        return call_with_retries(paced, Backoff(self._pause_s, self.budget_s, MOST_RETRIES, self.on_retry))

    def _pause_s(self, error: ServiceError, retries: int) -> float:
        if not isinstance(error, RateLimited):
            return exponential_pause_s(0.25, retries)
        # RFC 6585, 4: a 429 may say in Retry-After how long to wait.
        pause_s = exponential_pause_s(1.0, retries)
        if error.retry_after_s is not None:
            pause_s = max(error.retry_after_s, _SHORTEST_LIMIT_PAUSE_S)
        self._pause_every_call(error, pause_s)
        return pause_s

    def _pause_every_call(self, error: RateLimited, pause_s: float) -> None:
        """Pause all threads: the limit applies to the account, not to one call."""
        with self._lock:
            # At most for the budget: a later call tries again, and reports the limit itself.
            self._resume_at = max(self._resume_at, time.monotonic() + min(pause_s, self.budget_s))
        if self._on_limit is not None:
            self._on_limit(pause_s, error)

    def _wait_for_limit(self) -> None:
        # A loop, because another thread may have run into the next limit meanwhile.
        while (left_s := self._resume_at - time.monotonic()) > 0:
            time.sleep(left_s)


def exponential_pause_s(first_s: float, retries: int) -> float:
    """Double the pause with each retry, up to 30 s, with 25 % of jitter.

    >>> 0.75 <= exponential_pause_s(1.0, 0) <= 1.25
    True
    >>> 22.5 <= exponential_pause_s(1.0, 10) <= 37.5
    True
    """
    return float(min(_LONGEST_PAUSE_S, first_s * 2**retries) * random.uniform(0.75, 1.25))
