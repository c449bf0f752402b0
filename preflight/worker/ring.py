"""Memory that two processes share, through which blocks of sound pass from one to the other."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
from typing import TYPE_CHECKING, Final

from preflight import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOTS: Final = 4
"""Blocks that one side may be ahead of the other."""
_SLOT_BYTES: Final = 4 * limits.BLOCK_SAMPLES


class Ring:
    """Slots that are used in turn; who may use which when is agreed over the pipes.

    Args:
        descriptor: Of `shared_memory`.
    """

    def __init__(self, descriptor: int) -> None:
        self._memory = memoryview(mmap.mmap(descriptor, SLOTS * _SLOT_BYTES))
        self._turn = 0

    def begin(self) -> None:
        """Go back to the first slot: a new recording."""
        self._turn = 0

    def next_slot(self, length: int) -> memoryview:
        """The first `length` bytes of the next slot; ValueError where it has not so many."""
        if length > _SLOT_BYTES:
            raise ValueError("no block is so large")
        start = self._turn * _SLOT_BYTES
        self._turn = (self._turn + 1) % SLOTS
        return self._memory[start : start + length]


@contextlib.contextmanager
def shared_memory() -> Iterator[int | None]:
    """The descriptor of memory for a `Ring`, which lasts as long as somebody uses it; None where it is not to be had.

    A file on a disk would do as well, but to write to it kills the process when the disk is full.
    """
    if not hasattr(os, "memfd_create"):
        yield None
        return
    low = os.memfd_create("preflight")
    try:
        # not one that stands for a standard stream in the process it is passed to
        descriptor = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(low)
    try:
        yield descriptor if _has_room(descriptor) else None
    finally:
        os.close(descriptor)


def _has_room(descriptor: int) -> bool:
    try:
        os.ftruncate(descriptor, SLOTS * _SLOT_BYTES)
    except OSError:  # the user's limit on the size of files counts here, too
        return False
    return True
