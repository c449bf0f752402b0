"""Print to standard output and standard error, including when they are closed, full or a broken pipe.

Everything the command prints goes through here: `print_line` (raw, for machines and for copying), `print_text` (for
people: wrapped to the terminal), `print_json`, and `print_stderr`. Only the status line, which rewrites itself, writes
to standard error directly.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

from onetake.console.progress import status_line
from onetake.console.terminal import is_terminal, terminal_columns, wants_color, wrap
from onetake.errors import OutputClosed, OutputLost

if TYPE_CHECKING:
    from collections.abc import Iterator


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
        yield from wrap(line, terminal_columns(stream)) if is_terminal(stream) else (line,)


def _encodable(value: Any) -> Any:
    """`value` with the bytes of its strings that are not UTF-8 (surrogate escapes, PEP 383) written in hexadecimal."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {_encodable(name): _encodable(content) for name, content in value.items()}
    return [_encodable(content) for content in value] if isinstance(value, list | tuple) else value
