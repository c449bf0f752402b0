"""How commands speak: results on standard output, steps and warnings on standard error."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from onetake.cli.progress import BYTES, SOUND, Progress, Unit
from onetake.cli.status_line import somebody_looks, status_line
from onetake.cli.streams import print_aside, print_line, print_text
from onetake.cli.verbosity import is_quiet, is_verbose
from onetake.render.text import describe_file, safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onetake.cloning.order import Stage
    from preflight import Fixed


def print_json(document: object, *, in_one_line: bool = False) -> None:
    """Print `document` as JSON on standard output, ending with a line break."""
    try:
        content = msgspec.json.encode(document)
    except UnicodeEncodeError:  # a name from the command line that is no UTF-8
        content = msgspec.json.encode(_encodable(msgspec.to_builtins(document)))
    # as bytes: JSON is UTF-8, whatever the terminal is
    print_line(content if in_one_line else msgspec.json.format(content, indent=1))


def _encodable(value: Any) -> Any:
    """`value` with the stray bytes in its strings escaped."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {_encodable(name): _encodable(content) for name, content in value.items()}
    return [_encodable(content) for content in value] if isinstance(value, list | tuple) else value


@contextlib.contextmanager
def named_problems(file: str) -> Iterator[None]:
    """Put the name of the file before what is wrong with it."""
    from preflight import BadProfile, BadSpeechModel, EngineMissing, PreflightError, display_name

    try:
        yield
    except (BadProfile, BadSpeechModel, EngineMissing):
        raise  # nothing is wrong with the file
    except PreflightError as error:
        error.message = f"{display_name(file)}: {error.message}"
        raise


def print_written(fixed: Fixed) -> None:
    """Say what was written, if anything was."""
    from preflight import display_name

    if fixed.path is not None and fixed.after is not None:
        print_text(f"{safe(display_name(fixed.path))}: {describe_file(fixed.after.file)}")


_DOING: Final[dict[Stage, tuple[str, Unit]]] = {
    "check": ("checking", SOUND),
    "upload": ("uploading", BYTES),
    "clone": ("waiting for the service to clone", SOUND),
    "demo": ("fetching the trial", BYTES),
}
"""What each stage is called while it lasts, and in what it is counted."""


class Steps:
    """Shows each step of the work on standard error as it is done, and how far the one under way has come.

    Args:
        quiet: Show warnings only, unless everything is asked for.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = is_quiet() or (quiet and not is_verbose())
        self._started = time.monotonic()
        self._stage: Stage | None = None
        self._progress: Progress | None = None
        if is_verbose():
            self._tell_requests()

    def step(self, name: str, detail: str) -> None:
        """A step is done."""
        if name == self._stage:
            self._stage = None
            status_line.end()
        if not self._quiet:
            elapsed = time.monotonic() - self._started
            print_aside(f"{elapsed:5.1f} s  {name:<9} {safe(detail)}")

    def progress(self, stage: Stage, done: float, total: float | None) -> None:
        """A step is under way."""
        if stage != self._stage and somebody_looks():
            self._stage, self._progress = stage, Progress(*_DOING[stage])
            status_line.show(self._progress.told)
        if self._progress is not None:
            self._progress.update(done, total)

    def _tell_requests(self) -> None:
        """Show what the libraries log: each request and its answer, without the queries of URLs."""
        import logging

        shown = self.step

        class Shown(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if is_verbose():
                    shown(record.name, record.getMessage())

        for name in ("uploader", "client"):
            log = logging.getLogger(name)
            log.handlers = [Shown()]
            log.setLevel(logging.DEBUG)

    def warn(self, message: str) -> None:
        """Something went wrong that does not end the work."""
        print_aside(f"{click.style('warning:', fg='yellow')} {safe(message)}")
