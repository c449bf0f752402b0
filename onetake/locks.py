"""Locks on open files, which the system lets go when their process ends."""

from __future__ import annotations

try:
    import fcntl
except ImportError:  # Windows: two processes do not see each other there
    fcntl = None  # type: ignore[assignment]


def try_lock(handle: int) -> bool:
    """Lock an open file for its process alone; False when another one has it. Always True without file locks."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_possible() -> bool:
    """Whether this system has locks on files."""
    return fcntl is not None
