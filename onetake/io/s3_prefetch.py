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
_GROUP: Final = 8
"""Objects are fetched in groups: a get that follows a check, not another get, takes almost twice the CPU time."""
_GROUP_BYTES: Final = 32 << 20
_MIN_REQUESTS: Final = 4
"""At a time: the answer of a storage that is far away takes longer than a check."""
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
        """End all waiting."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


@contextlib.contextmanager
def fetched_ahead(takes: Iterable[_T], workers: int) -> Iterator[Iterator[_T]]:
    """Start to fetch recordings before they are taken from the iterator, so that storage and decoder work at once.

    Args:
        takes: Recordings; those that are not in a bucket pass through. A few more than were taken are consumed.
        workers: How many are checked at the same time.
    """
    budget = ByteBudget()
    pool = ThreadPoolExecutor(max(_MIN_REQUESTS, workers), "onetake-fetch")

    ahead: deque[ObjectRecording] = deque()

    def started() -> Iterator[_T]:
        group: deque[_T] = deque()
        group_bytes = 0
        for take in takes:
            while ahead and not ahead[0].is_ahead:
                ahead.popleft()
            if isinstance(take, ObjectRecording):
                take.fetch_ahead(pool, budget)
                ahead.append(take)
                group_bytes += take.listed.bytes if take.listed else 0
            group.append(take)
            if len(group) == _GROUP or group_bytes >= _GROUP_BYTES:
                while group:
                    yield group.popleft()
                group_bytes = 0
        yield from group

    try:
        yield started()
    finally:
        budget.close()
        pool.shutdown(wait=False, cancel_futures=True)
        for unwanted in ahead:
            unwanted.discard()
