"""Ctrl-C and the other polite ways to end a process."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_POLITE = (signal.SIGTERM, signal.SIGHUP) if hasattr(signal, "SIGHUP") else (signal.SIGTERM,)


def end_like_ctrl_c() -> None:
    """Let a polite end of the process clean up just as Ctrl-C does."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in _POLITE:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stop)


class Patience:
    """Whether somebody asked to stop while the work could not be interrupted."""

    def __init__(self) -> None:
        self.asked_to_stop = False


@contextmanager
def finishing(on_first: Callable[[], None]) -> Iterator[Patience]:
    """Let a paid call come to its end: the first request to stop is noted, the second one stops at once.

    Args:
        on_first: Called at the first request.
    """
    patience = Patience()

    def note(_number: int, _frame: FrameType | None) -> None:
        if patience.asked_to_stop:
            raise KeyboardInterrupt
        patience.asked_to_stop = True
        on_first()

    numbers = (signal.SIGINT, *_POLITE)
    try:
        before = {number: signal.signal(number, note) for number in numbers}
    except ValueError:
        # signals can only be handled in the main thread; in another one nothing interrupts
        yield patience
        return
    try:
        yield patience
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
