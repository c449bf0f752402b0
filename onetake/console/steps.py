"""Each step of a long piece of work, and how far the one under way has come."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click

from onetake.console.progress import BYTES, SOUND, Progress, Unit
from onetake.console.status_line import somebody_looks, status_line
from onetake.console.streams import print_aside
from onetake.console.verbosity import is_quiet, is_verbose
from onetake.render.text import safe

if TYPE_CHECKING:
    from onetake.clones.observer import Stage


_DOING: Final[dict[Stage, tuple[str, Unit]]] = {
    "check": ("checking", SOUND),
    "fix": ("mending", SOUND),
    "upload": ("uploading", BYTES),
    "clone": ("waiting for the service to clone", SOUND),
    "demo": ("fetching the trial", BYTES),
}
"""What each stage is called while it lasts, and in what it is counted."""


def print_step(elapsed_s: float, name: str, detail: str) -> None:
    """What was done by then, in one line."""
    print_aside(f"{elapsed_s:5.1f} s  {name:<9} {safe(detail)}")


def print_warning(message: str) -> None:
    """Print what went wrong without ending the work."""
    print_aside(f"{click.style('warning:', fg='yellow')} {safe(message)}")


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

    def step(self, name: str, detail: str) -> None:
        """A step is done."""
        if name == self._stage:
            self._stage = None
            status_line.end()
        if not self._quiet:
            print_step(time.monotonic() - self._started, name, detail)

    def progress(self, stage: Stage, done: float, total: float | None) -> None:
        """A step is under way."""
        if stage != self._stage and somebody_looks():
            self._stage, self._progress = stage, Progress(*_DOING[stage])
            status_line.show(self._progress.told)
        if self._progress is not None:
            self._progress.update(done, total)

    def warn(self, message: str) -> None:
        """Something went wrong that does not end the work."""
        print_warning(message)
