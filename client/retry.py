"""When a call is repeated: only after failures that certainly cost nothing, at most `MOST_RETRIES` times, in time.

stamina runs the loop: its backoff hook decides for each error whether to repeat and after which pause. Three things are
not its business, and here: the budget of seconds, the shared pause after a rate limit, and the callbacks.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from client.errors import RateLimited, ServiceError
from client.settlement import MOST_RETRIES

T = TypeVar("T")

OnPause = Callable[[float, ServiceError], None]
"""Called with a pause in seconds and the error that is its cause."""

_LONGEST_PAUSE_S: Final = 30.0
_SHORTEST_LIMIT_PAUSE_S: Final = 0.1  # "Retry-After: 0" must not become a flood


class Retry:
    """The retries of one client; shared by its threads.

    Args:
        budget_s: Seconds from the first try within which the last one must begin.
        on_retry: Called before each pause that ends with another try.
        on_limit: Called for every answer that is a rate limit, also when it is not retried.
    """

    def __init__(self, budget_s: float, on_retry: OnPause | None = None, on_limit: OnPause | None = None) -> None:
        self.budget_s = budget_s
        self.on_retry = on_retry
        self._on_limit = on_limit
        self._lock = threading.Lock()
        self._resume_at = 0.0  # of the monotonic clock

    def call(self, attempt: Callable[[], T]) -> T:
        """Make the attempt, and repeat it where its error is `retryable`; raises the last `ServiceError`."""
        import stamina  # here, so that the first call loads it

        # Without any handler, stamina's log of each retry would be printed to standard error by logging itself.
        logging.getLogger("stamina").addHandler(logging.NullHandler())
        backoff = _Backoff(self)
        for tried in stamina.retry_context(on=backoff.pause_after, attempts=MOST_RETRIES + 1, timeout=None):
            with tried:
                self._wait_for_limit()
                return attempt()
        raise AssertionError("stamina raises the last error")

    def limited(self, error: RateLimited, pause_s: float) -> None:
        """Pause every call of the client: the limit is the account's, and not one call's."""
        with self._lock:
            # At most for the budget: a later call may ask again, and report the limit itself.
            self._resume_at = max(self._resume_at, time.monotonic() + min(pause_s, self.budget_s))
        if self._on_limit is not None:
            self._on_limit(pause_s, error)

    def _wait_for_limit(self) -> None:
        # Several threads wait for the same moment; another limit may have come meanwhile.
        while (left_s := self._resume_at - time.monotonic()) > 0:
            time.sleep(left_s)


class _Backoff:
    """The decisions for one call."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self._begun = time.monotonic()
        self._retries = 0

    def pause_after(self, error: Exception) -> float | bool:
        """Tell how long to wait before the next try; False for none (the form that stamina's hook has)."""
        if not isinstance(error, ServiceError) or not error.retryable:
            return False
        pause_s = _pause_s(error, self._retries)
        if isinstance(error, RateLimited):
            self._retry.limited(error, pause_s)
        is_late = time.monotonic() - self._begun + pause_s > self._retry.budget_s
        if self._retries >= MOST_RETRIES or is_late:
            return False
        self._retries += 1
        if self._retry.on_retry is not None:
            self._retry.on_retry(pause_s, error)
        return pause_s


def _pause_s(error: ServiceError, retries: int) -> float:
    if not isinstance(error, RateLimited):
        return growing_pause_s(0.25, retries)
    if error.retry_after_s is None:
        return growing_pause_s(1.0, retries)
    return max(error.retry_after_s, _SHORTEST_LIMIT_PAUSE_S)


def growing_pause_s(first_s: float, retries: int) -> float:
    """Double the pause with each retry, up to 30 s, with a quarter of jitter."""
    return float(min(_LONGEST_PAUSE_S, first_s * 2**retries) * random.uniform(0.75, 1.25))
