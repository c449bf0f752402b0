"""The output formats of `onetake check` that consist of lines. Each is a module in this folder that defines `FORM`."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from onetake.errors import Failure
    from onetake.render.text import FailOn
    from preflight import Report

    Lines = Iterable[str | bytes]

LINE_FORMS: Final = (
    "text",
    "junit",
    "github",
)
"""The values of `--format`; each is also the name of its module."""


def _no_lines(*_: object) -> Lines:
    return ()


@dataclass(frozen=True)
class Form:
    """What a format prints on standard output, and when.

    Attributes:
        each: Called with each report, in order, as soon as it is ready; None if everything is printed at the end.
        end: Called at the end with all reports, the value of ``--fail-on``, and the run time of each take in seconds.
        failure: Called if the command fails before it has checked anything; standard error gets the message anyway.
    """

    each: Callable[[Report], Lines] | None = None
    end: Callable[[Sequence[Report], FailOn, Sequence[float]], Lines] = _no_lines
    failure: Callable[[Failure], Lines] = _no_lines


def form_called(name: str) -> Form:
    """One of `LINE_FORMS`. Its module is imported on demand: most runs need only one."""
    form: Form = importlib.import_module(f"onetake.render.{name}").FORM
    return form
