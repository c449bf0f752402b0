"""The forms of `onetake check` that are lines: a renderer is a file beside this one and its name in the table here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from onetake.errors import Failure
    from preflight import Report

    Lines = Iterable[str | bytes]

LINE_FORMS: Final = (
    "text",
    "junit",
    "github",
)
"""Each is what `--format` calls it and the name of its file, which says `FORM`."""


def _nothing(*_: object) -> Lines:
    return ()


@dataclass(frozen=True)
class Form:
    """What is printed on standard output, and when.

    Attributes:
        each: Of a take, as soon as it and those before it are checked; None where all of it is said at the end.
        end: Of all takes; a finding of one of the severities makes a take unfit. The last argument is the run time of
            each take in seconds.
        failure: Of what kept the command from checking; standard error says it in any case.
    """

    each: Callable[[Report], Lines] | None = None
    end: Callable[[Sequence[Report], Collection[str], Sequence[float]], Lines] = _nothing
    failure: Callable[[Failure], Lines] = _nothing


def form_called(name: str) -> Form:
    """One of `LINE_FORMS`; its file is read only now, since few runs need more than one."""
    found: Form = importlib.import_module(f"onetake.render.{name}").FORM
    return found
