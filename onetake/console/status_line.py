"""One line at the bottom of standard error that tells how far the work has come, where somebody looks."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING, Final

from onetake.console.terminal_size import columns_of_window, is_terminal
from onetake.console.verbosity import is_quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Told = Callable[[int], str]

_FIRST_S: Final = 0.5
"""What is done sooner is not told of."""
_AGAIN_S: Final = 0.2
_ERASE: Final = "\r\x1b[K"


def somebody_looks() -> bool:
    """Whether standard error is a terminal that can rewrite a line, and progress is wanted."""
    return is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb" and not is_quiet()


class StatusLine:
    """Rewrites its line a few times a second, and only when it has changed, so that nothing flickers.

    What else is printed to the terminal has to be printed within `hidden`. Threads may share it.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal's handler prints, too
        self._ended = threading.Event()
        self._told: Told | None = None
        self._drawn = ""

    def show(self, told: Told) -> None:
        """Tell, until `end`, what `told` says for so many columns."""
        with self._lock:
            if self._told is None:
                self._ended = threading.Event()
                threading.Thread(
                    target=self._keep_drawing, args=(self._ended,), name="status-line", daemon=True
                ).start()
            self._told = told

    def end(self) -> None:
        """Tell nothing any more."""
        with self._lock:
            self._told = None
            self._ended.set()
            self._erase()

    @contextlib.contextmanager
    def hidden(self) -> Iterator[None]:
        """Keep the line away while something else is printed; it comes back at once."""
        with self._lock:
            was_drawn = bool(self._drawn)
            self._erase()
            try:
                yield
            finally:
                if was_drawn and self._told is not None:
                    self._draw(self._told)

    def _keep_drawing(self, ended: threading.Event) -> None:
        wait_s = _FIRST_S
        while not ended.wait(wait_s):
            wait_s = _AGAIN_S
            with self._lock:
                if self._told is not None and not ended.is_set():
                    self._draw(self._told)

    def _draw(self, told: Told) -> None:
        room = columns_of_window(sys.stderr) - 1  # a full line would wrap in some terminals
        text = told(room)[:room]
        if text != self._drawn:
            self._write(f"\r{text}\x1b[K")
            self._drawn = text

    def _erase(self) -> None:
        if self._drawn:
            self._write(_ERASE)
            self._drawn = ""

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a terminal that is gone: the work goes on
            sys.stderr.write(text)
            sys.stderr.flush()


status_line: Final = StatusLine()
