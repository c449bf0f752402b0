"""Fetch objects ahead of their check, within a number of bytes."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Final, TypeVar

from onetake.io.s3_objects import ObjectRecording

_MAX_AHEAD_BYTES: Final = 256 << 20
_T = TypeVar("_T")


class ByteBudget:
    """A number of bytes that threads share.

    Args:
        limit: How many there are; one that needs more waits until it is alone.
    """

    def __init__(self, limit: int = _MAX_AHEAD_BYTES) -> None:
        self._limit, self._used = limit, 0
        self._is_closed = False
        self._changed = threading.Condition()

    def take(self, count: int) -> None:
        """Wait for `count` bytes. Raises `CancelledError` after `close`."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or not self._used or self._used + count <= self._limit)
            if self._is_closed:
                raise CancelledError
            self._used += count

    def give_back(self, count: int) -> None:
        """Return bytes."""
        with self._changed:
            self._used -= count
            self._changed.notify_all()

    def close(self) -> None:
        """Let nothing wait any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


@contextlib.contextmanager
def fetched_ahead(takes: Iterable[_T], workers: int) -> Iterator[Iterator[_T]]:
    """Start to fetch each recording when it is taken from the iterator, so that storage and decoder work at once.

    Args:
        takes: Recordings; those that are not in a bucket pass through.
        workers: How many are fetched at the same time.
    """
    budget = ByteBudget()
    pool = ThreadPoolExecutor(workers, "onetake-fetch")

    ahead: deque[ObjectRecording] = deque()

    def started() -> Iterator[_T]:
        for take in takes:
            while ahead and not ahead[0].is_ahead:
                ahead.popleft()
            if isinstance(take, ObjectRecording):
                take.fetch_ahead(pool, budget)
                ahead.append(take)
            yield take

    try:
        yield started()
    finally:
        budget.close()
        pool.shutdown(wait=False, cancel_futures=True)
        for unwanted in ahead:
            unwanted.discard()
