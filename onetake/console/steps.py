"""Print the steps of a long operation on standard error: completed steps, progress of the current one, warnings."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click

from onetake.console.progress import AUDIO, BYTES, Progress, Unit, can_show_progress, status_line
from onetake.console.streams import print_stderr
from onetake.console.terminal import is_quiet, is_verbose
from onetake.render.text import safe

if TYPE_CHECKING:
    from onetake.clones.observer import Stage


_LABELS: Final[dict[Stage, tuple[str, Unit]]] = {
    "check": ("checking", AUDIO),
    "fix": ("fixing", AUDIO),
    "upload": ("uploading", BYTES),
    "clone": ("waiting for the service to clone", AUDIO),
    "demo": ("downloading the preview", BYTES),
}
"""The label of each stage, and the unit of its progress."""


def print_step(elapsed_s: float, name: str, detail: str) -> None:
    """Print a completed step as one line on standard error."""
    print_stderr(f"{elapsed_s:5.1f} s  {name:<9} {safe(detail)}")


def print_warning(message: str) -> None:
    """Print a warning on standard error."""
    print_stderr(f"{click.style('warning:', fg='yellow')} {safe(message)}")


class Steps:
    """An observer of a clone, an upload or a speech call that prints what happens on standard error.

    Args:
        quiet: Print warnings only, unless ``-v`` is given.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = is_quiet() or (quiet and not is_verbose())
        self._started = time.monotonic()
        self._stage: Stage | None = None
        self._progress: Progress | None = None

    def step(self, name: str, detail: str) -> None:
        """Print a completed step."""
        if name == self._stage:
            self._stage = None
            status_line.end()
        if not self._quiet:
            print_step(time.monotonic() - self._started, name, detail)

    def progress(self, stage: Stage, done: float, total: float | None) -> None:
        """Show progress of the current stage, in the unit of that stage."""
        if stage != self._stage and can_show_progress():
            self._stage, self._progress = stage, Progress(*_LABELS[stage])
            status_line.show(self._progress.render)
        if self._progress is not None:
            self._progress.update(done, total)

    def warn(self, message: str) -> None:
        """Print a warning; the operation continues."""
        print_warning(message)
