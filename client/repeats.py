"""When a call is made again: only after failures that surely cost nothing, within a budget of time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from msgspec import Struct

from client.errors import RateLimited, ServiceError, ServiceUnreachable

T = TypeVar("T")

_CONNECTION_TRIES: Final = 3
_RATE_TRIES: Final = 8
_LONGEST_PAUSE_S: Final = 30.0


class Repeats(Struct, frozen=True):
    """The policy of repetition.

    A paid call is repeated after two kinds of failure: the request was surely not sent, or it was turned
    away by a limit before anything was done. Nothing else is ever repeated: that might pay twice.

    Attributes:
        budget_s: Seconds from the first try within which the last one must begin.
        on_retry: Called with the pause in seconds and the error, before each pause.
    """

    budget_s: float
    on_retry: Callable[[float, ServiceError], None] | None = None

    def call(self, attempt: Callable[[], T]) -> T:
        """Make the attempt, again where that is harmless; raises the last `ServiceError`."""
        begun = time.monotonic()
        tries = 0
        while True:
            try:
                return attempt()
            except (RateLimited, ServiceUnreachable) as error:
                tries += 1
                pause = _pause_s(error, tries)
                if pause is None or time.monotonic() - begun + pause > self.budget_s:
                    raise
                if self.on_retry is not None:
                    self.on_retry(pause, error)
            time.sleep(pause)


def _pause_s(error: ServiceError, tries: int) -> float | None:
    """Tell how long to wait after the given number of tries; None when the call must not be repeated."""
    if isinstance(error, ServiceUnreachable):
        return _backoff_s(0.25, tries) if error.retryable and tries < _CONNECTION_TRIES else None
    # A limit that a server error speaks of says nothing about how far the call came.
    if not isinstance(error, RateLimited) or (error.http_status or 0) >= 500 or tries >= _RATE_TRIES:
        return None
    if error.retry_after_s is None:
        return _backoff_s(1.0, tries)
    return max(error.retry_after_s, 0.1)  # "at once" must not become a flood


def _backoff_s(first_s: float, tries: int) -> float:
    return float(min(_LONGEST_PAUSE_S, first_s * 2 ** (tries - 1)) * random.uniform(0.75, 1.25))
