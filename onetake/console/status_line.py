"""One line at the bottom of standard error that shows progress, on terminals only.

Not `rich.progress`: importing it takes 63 ms of CPU time and 117 modules (rich 15, Python 3.11), as much as all of
`onetake --help`. Its `Live` display also replaces sys.stdout and sys.stderr, through which results must pass unchanged.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Final

from onetake.console.terminal import can_rewrite_lines, terminal_columns
from onetake.console.verbosity import is_quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Render = Callable[[int], str]

_DELAY_S: Final = 0.5
"""Work that ends sooner shows no progress."""
_INTERVAL_S: Final = 0.2
_ERASE_LINE: Final = "\x1b[K"
"""EL, erase in line (ECMA-48, 8.3.41): from the cursor to the end of the line."""


def can_show_progress() -> bool:
    """Whether standard error is a terminal that can rewrite a line, and ``-q`` is not given."""
    return can_rewrite_lines(sys.stderr) and not is_quiet()


class StatusLine:
    """A line that a thread redraws a few times a second, and only when it has changed, so that it does not flicker.

    Anything else that is printed to the terminal must be printed within `hidden`. Thread-safe.
    """

    def __init__(self) -> None:
        # reentrant: a signal handler prints in the main thread, which may hold the lock
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._render: Render | None = None
        self._drawn = ""

    def show(self, render: Render) -> None:
        """Show a status until `end` is called.

        Args:
            render: Called with the number of columns; returns one line of text.
        """
        with self._lock:
            if self._render is None:
                self._ended = threading.Event()
                threading.Thread(
                    target=self._keep_drawing, args=(self._ended,), name="status-line", daemon=True
                ).start()
            self._render = render

    def end(self) -> None:
        """Erase the line and stop drawing."""
        with self._lock:
            self._render = None
            self._ended.set()
            self._erase()

    @contextlib.contextmanager
    def hidden(self) -> Iterator[None]:
        """Erase the line while something else is printed, and draw it again afterwards."""
        with self._lock:
            was_drawn = bool(self._drawn)
            self._erase()
            try:
                yield
            finally:
                if was_drawn and self._render is not None:
                    self._draw(self._render)

    def _keep_drawing(self, ended: threading.Event) -> None:
        wait_s = _DELAY_S
        while not ended.wait(wait_s):
            wait_s = _INTERVAL_S
            with self._lock:
                if self._render is not None and not ended.is_set():
                    self._draw(self._render)

    def _draw(self, render: Render) -> None:
        # one column less: some terminals wrap a line that fills the last one. The width is read at each redraw,
        # which replaces a handler of SIGWINCH.
        columns = terminal_columns(sys.stderr) - 1
        text = render(columns)[:columns]
        if text != self._drawn:
            self._write(f"\r{text}{_ERASE_LINE}")
            self._drawn = text

    def _erase(self) -> None:
        if self._drawn:
            self._write(f"\r{_ERASE_LINE}")
            self._drawn = ""

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # the terminal was closed: the work continues
            sys.stderr.write(text)
            sys.stderr.flush()


status_line: Final = StatusLine()
