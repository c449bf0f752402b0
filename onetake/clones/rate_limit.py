"""How many paid calls are under way at a time, and how soon one follows another."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LOOK_S: Final = 0.2
_LONGEST_HOLD_S: Final = 60.0


class RateLimiter:
    """Turns for paid calls; threads share one.

    Args:
        at_once: Calls under way at a time.
        per_minute: Calls begun in a minute, evenly spaced; None for as many as can be.

    Attributes:
        at_once: As given.
    """

    def __init__(self, at_once: int = 1, per_minute: float | None = None) -> None:
        self.at_once = at_once
        self._places = threading.Semaphore(at_once)
        self._gap_s = 60.0 / per_minute if per_minute else 0.0
        self._lock = threading.Lock()
        self._next = 0.0

    @contextmanager
    def turn(self, stopping: Callable[[], bool]) -> Iterator[None]:
        """Wait for a turn, and have it for the block.

        Args:
            stopping: Whether to give up waiting.

        Raises:
            KeyboardInterrupt: `stopping` said so.
        """
        while not self._places.acquire(timeout=_LOOK_S):
            _require_going(stopping)
        try:
            self._wait(stopping)
            yield
        finally:
            self._places.release()

    def hold_for_limit(self, seconds: float, _: object = None) -> None:
        """Let no call begin for that long, since the service reports a limit: what `client.CloneClient` calls.

        For a minute at most: a service may ask for a day, and then the next call reports that.
        """
        with self._lock:
            self._next = max(self._next, time.monotonic() + min(seconds, _LONGEST_HOLD_S))

    def _wait(self, stopping: Callable[[], bool]) -> None:
        while True:
            _require_going(stopping)
            with self._lock:
                now = time.monotonic()
                if now >= self._next:
                    self._next = now + self._gap_s
                    return
                pause = self._next - now
            time.sleep(min(_LOOK_S, pause))


def _require_going(stopping: Callable[[], bool]) -> None:
    if stopping():
        raise KeyboardInterrupt
