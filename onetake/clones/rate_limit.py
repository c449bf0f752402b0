"""Limit concurrent paid calls and the rate at which they start."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from onetake.errors import LedgerFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onetake.ledger import Ledger

_POLL_S: Final = 0.2
"""How often a waiting thread checks whether it should stop."""
_MAX_PAUSE_S: Final = 60.0
"""The longest pause that a rate limit causes, see `RateLimiter.pause`."""


class RateLimiter:
    """Slots for paid calls, shared by threads.

    Args:
        at_once: Maximum number of concurrent calls.
        per_minute: Maximum number of calls started per minute, evenly spaced; None for no limit.

    Attributes:
        at_once: As given.
    """

    def __init__(self, at_once: int = 1, per_minute: float | None = None) -> None:
        self.at_once = at_once
        self._slots = threading.Semaphore(at_once)
        self._interval_s = 60.0 / per_minute if per_minute else 0.0
        self._lock = threading.Lock()
        self._next_start = 0.0
        self._ledger: Ledger | None = None
        self._limit = ""

    def share(self, ledger: Ledger, limit: str) -> None:
        """Share the rate and pauses with other machines, if the ledger is in a database.

        Args:
            ledger: The ledger that they use.
            limit: Name of the limit, such as the service's URL.
        """
        self._ledger, self._limit = ledger, limit

    @contextmanager
    def slot(self, stopping: Callable[[], bool]) -> Iterator[None]:
        """Wait for a slot, and hold it while the block runs.

        Args:
            stopping: Returns whether to give up waiting.

        Raises:
            KeyboardInterrupt: `stopping` returned True.
        """
        while not self._slots.acquire(timeout=_POLL_S):
            _raise_if(stopping)
        try:
            self._wait_for_start(stopping)
            yield
        finally:
            self._slots.release()

    def pause(self, seconds: float, _: object = None) -> None:
        """Start no call for that long: the callback for a rate limit of `client.CloneClient`.

        At most one minute: if the service asks for a day, the next call fails and reports that.
        """
        with self._lock:
            self._next_start = max(self._next_start, time.monotonic() + min(seconds, _MAX_PAUSE_S))
        if self._ledger is not None:
            # a callback during a paid call: an error here would make its outcome unknown; the next turn raises it
            with suppress(LedgerFailed):
                self._ledger.pause(self._limit, min(seconds, _MAX_PAUSE_S))

    def _wait_for_start(self, stopping: Callable[[], bool]) -> None:
        while True:
            _raise_if(stopping)
            with self._lock:
                now = time.monotonic()
                if now >= self._next_start:
                    shared_s = self._ledger.take_turn(self._limit, self._interval_s) if self._ledger else None
                    self._next_start = now + (shared_s or self._interval_s)
                    if not shared_s:
                        return
                wait_s = self._next_start - now
            time.sleep(min(_POLL_S, wait_s))


def _raise_if(stopping: Callable[[], bool]) -> None:
    if stopping():
        raise KeyboardInterrupt
