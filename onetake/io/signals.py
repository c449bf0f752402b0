"""Signals that terminate the command: Ctrl-C (SIGINT), SIGTERM, and SIGHUP or on Windows Ctrl-Break (SIGBREAK).

A handler runs between two arbitrary bytecodes of the main thread, and must not raise everywhere:

    start ─ imports ─┬─ an `interruptible` function ──────────┬─ report, exit
                     │   raise KeyboardInterrupt,             │
       deliver again │   but not within an import or __del__, │ deliver again, exit after a few seconds
                     │   or while the one document is printed │

An exception within an import can be replaced (numpy reports an ImportError) or printed by C code; within ``__del__``
Python prints it and continues; outside an `interruptible` function nothing would catch it. There the signal is
delivered again a moment later. Signals that are ignored when the command starts (nohup, a shell's background) stay
ignored.
"""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType, FunctionType

Work = TypeVar("Work", bound="Callable[..., object]")

if sys.platform == "win32":
    _NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGBREAK)
    """SIGBREAK: Ctrl-Break, and the end of the console's window."""
else:
    _NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MAIN_THREAD: Final = threading.main_thread().ident or 0
_AGAIN_S: Final = 0.01
_LOOK_S: Final = 0.5
_LONGEST_DELAY_S: Final = 5.0
"""Redelivery ends after this time: the code that cannot be interrupted hangs."""
# FFmpeg calls these files through PyAV, which prints an exception of theirs other than an Exception, and drops it.
_FILES_OF_FFMPEG: Final = frozenset({"preflight.media.byte_ranges", "preflight.fixes.encode"})
_FILE_METHODS: Final = frozenset({"read", "readinto", "seek", "tell", "write"})
_interruptible_code: Final[set[CodeType]] = set()


class _Received:
    """The first signal received, and the time since which one is being redelivered."""

    number: int | None = None
    waiting_since: float | None = None


def received() -> int | None:
    """The number of the first signal received, if any."""
    return _Received.number


def forget_received() -> None:
    """Reset the state, as if no signal had been received."""
    _Received.number = _Received.waiting_since = None


def install_handlers() -> None:
    """Handle the signals that have their default disposition; those that are ignored stay ignored."""
    sys.unraisablehook = _deliver_unraisable
    # registered first, and so called last: the interpreter then restores the default of signals that are handled, and
    # the process would end by the signal instead of with its status
    atexit.register(_ignore_handled)
    for number in _NUMBERS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _interrupt)


def keep_status(status: int) -> None:
    """Let the process end with `status`, also if a signal arrives before it has ended: its work is done."""

    def exit_now(_number: int, _frame: FrameType | None) -> None:
        os._exit(status)

    for number in _handled():
        signal.signal(number, exit_now)


def _ignore_handled() -> None:
    for number in _handled():
        signal.signal(number, signal.SIG_IGN)


def _handled() -> list[signal.Signals]:
    return [number for number in _NUMBERS if callable(signal.getsignal(number))]


def interruptible(work: Work) -> Work:
    """Let the handlers raise KeyboardInterrupt while `work` runs, and only then; usable as a decorator."""
    _interruptible_code.add(cast("FunctionType", work).__code__)
    return work


def _interrupt(number: int, frame: FrameType | None) -> None:
    _note(number)
    if _is_within(frame, _is_guarded) and (_is_late() or not _is_within(frame, _is_fragile)):
        _Received.waiting_since = None
        raise KeyboardInterrupt
    if _is_late():
        os._exit(128 + number)
    _deliver_again(number)


def _note(number: int) -> None:
    if _Received.number is None:
        _Received.number = number


def _is_late() -> bool:
    since = _Received.waiting_since
    return since is not None and time.monotonic() - since > _LONGEST_DELAY_S


def _is_within(frame: FrameType | None, wanted: Callable[[FrameType], bool]) -> bool:
    while frame is not None:
        if wanted(frame):
            return True
        frame = frame.f_back
    return False


def _is_guarded(frame: FrameType) -> bool:
    return frame.f_code in _interruptible_code


def _is_fragile(frame: FrameType) -> bool:
    code = frame.f_code
    if code.co_filename.startswith("<frozen importlib") or code.co_name in {"__del__", "_deliver_unraisable"}:
        return True
    if code.co_name == "print_document" and frame.f_globals.get("__name__") == "onetake.console.streams":
        return True
    return code.co_name in _FILE_METHODS and frame.f_globals.get("__name__") in _FILES_OF_FFMPEG


def _is_printing(frame: FrameType) -> bool:
    # a buffered stream is not reentrant: a handler that prints while the stream prints raises RuntimeError
    return str(frame.f_globals.get("__name__")).startswith("onetake.console")


def _deliver_again(number: int) -> None:
    """Deliver the signal again a moment later; with _thread, because this may interrupt an import of anything else."""

    def deliver() -> None:
        time.sleep(_AGAIN_S)
        if sys.platform != "win32":  # it also wakes the main thread where it waits for input
            signal.pthread_kill(_MAIN_THREAD, number)
        else:
            _thread.interrupt_main(signal.Signals(number))

    if _Received.waiting_since is None:
        _Received.waiting_since = time.monotonic()
    try:
        _thread.start_new_thread(deliver, ())
    except RuntimeError:  # the interpreter is shutting down
        os._exit(128 + number)


def _deliver_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Deliver an interrupt again that a callback of the garbage collector raised, where Python would only print it."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        _deliver_again(_Received.number or signal.SIGINT)
    else:
        sys.__unraisablehook__(unraisable)


def wait_for_signal() -> NoReturn:
    """Wait until a handler raises KeyboardInterrupt, in a function that is `interruptible`."""
    while True:
        # Python runs handlers after the sleep: on Windows, Ctrl-C ends it early, but Ctrl-Break does not, and neither
        # ends a wait for a lock, such as that of an Event
        time.sleep(_LOOK_S)


class StopRequest:
    """Whether the user requested to stop, while a paid call must finish.

    Attributes:
        asked_to_stop: Set by the first signal.
    """

    def __init__(self) -> None:
        self.asked_to_stop = False


@contextmanager
def finishing(on_first: Callable[[], None]) -> Iterator[StopRequest]:
    """Let a paid call finish: the first signal is recorded, the second raises KeyboardInterrupt.

    Signals that are ignored stay ignored. Outside the main thread, where Python runs no signal handlers, nothing
    changes.

    Args:
        on_first: Called at the first signal.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, frame: FrameType | None) -> None:
        is_awkward = _is_within(frame, _is_fragile) or (not request.asked_to_stop and _is_within(frame, _is_printing))
        if is_awkward and not _is_late():
            _deliver_again(number)
            return
        _Received.waiting_since = None
        _note(number)
        if request.asked_to_stop:
            raise KeyboardInterrupt
        request.asked_to_stop = True
        on_first()

    before = {}
    try:
        for number in _NUMBERS:
            handler = signal.getsignal(number)
            if handler not in (signal.SIG_IGN, None):  # None: installed by C code, which could not be restored
                before[number] = handler
                signal.signal(number, note)
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
