"""Print to standard output and standard error, including when they are closed, full or a broken pipe.

Everything the command prints goes through here: `print_line` (raw, for machines and for copying), `print_text` (for
people: wrapped to the terminal), `print_json`, and on standard error `print_stderr`, `print_step` and `print_warning`.
The status line, which rewrites itself, is erased while anything else is printed.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from onetake.console.terminal import safe, terminal_columns, wants_color, wrap
from onetake.errors import OutputClosed, OutputLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Render = Callable[[int], str]

_DELAY_S: Final = 0.5
"""Work that ends sooner shows no progress."""
_INTERVAL_S: Final = 0.2
_ERASE_LINE: Final = "\x1b[K"
"""EL, erase in line (ECMA-48, 8.3.41): from the cursor to the end of the line."""


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


def print_line(text: str | bytes) -> None:
    """Print a line on standard output as it is; control characters must already be escaped by `render`.

    Raises:
        OutputClosed: The reader has closed the pipe.
        OutputLost: Standard output cannot be written.
    """
    with map_output_errors(), status_line.hidden():
        click.echo(text, color=wants_color(sys.stdout))


def print_text(text: str) -> None:
    """Print a line for people on standard output, wrapped between words if it is a terminal; raises as `print_line`."""
    print_line("\n".join(_wrapped(text, sys.stdout)))


class _Printed:
    """Whether a document was printed completely: nothing may follow it."""

    document = False


def print_document(text: str | bytes) -> None:
    """Print what is the whole of standard output, such as JSON or XML; raises as `print_line`.

    Signals arrive before or after it (`onetake.io.signals`): a failure after it does not print a second document.
    """
    print_line(text)
    _Printed.document = True


def is_document_printed() -> bool:
    """Whether the document of this command was printed."""
    return _Printed.document


def begin_output() -> None:
    """Note that a command begins: it has printed nothing."""
    _Printed.document = False


def print_json(document: object, *, in_one_line: bool = False) -> None:
    """Print a document as UTF-8 JSON on standard output, for any encoding of the terminal.

    Args:
        document: Anything that msgspec encodes.
        in_one_line: Without indentation, as JSON Lines need it.
    """
    import msgspec  # not needed by `--help` and `completion`

    try:
        content = msgspec.json.encode(document)
    except UnicodeEncodeError:  # a file name from the command line that is not valid UTF-8
        content = msgspec.json.encode(_encodable(msgspec.to_builtins(document)))
    if in_one_line:
        print_line(content)
    else:
        print_document(msgspec.json.format(content, indent=1))


def print_stderr(text: str) -> None:
    """Print lines for people on standard error, wrapped if it is a terminal; a broken standard error is ignored."""
    try:
        with status_line.hidden():
            click.echo("\n".join(_wrapped(text, sys.stderr)), err=True, color=wants_color(sys.stderr))
    except OSError:
        redirect_to_null(sys.stderr)


def print_step(elapsed_s: float, name: str, detail: str) -> None:
    """Print a completed step as one line on standard error."""
    print_stderr(f"{elapsed_s:5.1f} s  {name:<9} {safe(detail)}")


def print_warning(message: str) -> None:
    """Print a warning on standard error."""
    print_stderr(f"{click.style('warning:', fg='yellow')} {safe(message)}")


def flush() -> None:
    """Flush standard output; raises as `print_line`."""
    with map_output_errors():
        sys.stdout.flush()


@contextlib.contextmanager
def map_output_errors() -> Iterator[None]:
    """Turn an OSError of standard output into `OutputClosed` (broken pipe) or `OutputLost` (any other)."""
    try:
        yield
    except BrokenPipeError as error:
        raise OutputClosed("standard output was closed by its reader") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputLost(f"standard output cannot be written: {reason}", "write it elsewhere") from error


def redirect_to_null(stream: TextIO) -> None:
    """Redirect a broken stream to the null device, including what is left in its buffers.

    Otherwise the interpreter flushes the buffers at exit, fails again, prints "Exception ignored" and exits with 120.
    """
    with contextlib.suppress(OSError, ValueError):  # a stream without a descriptor is not flushed to one either
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _wrapped(text: str, stream: TextIO) -> Iterator[str]:
    for line in text.split("\n"):
        yield from wrap(line, terminal_columns(stream)) if stream.isatty() else (line,)


def _encodable(value: Any) -> Any:
    """`value` with the bytes of its strings that are not UTF-8 (surrogate escapes, PEP 383) written in hexadecimal."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {_encodable(name): _encodable(content) for name, content in value.items()}
    return [_encodable(content) for content in value] if isinstance(value, list | tuple) else value
