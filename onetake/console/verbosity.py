"""How much is told besides the results: `-q` and `-v`."""

from __future__ import annotations

from enum import Enum


class Verbosity(Enum):
    """From results and warnings alone to every request."""

    QUIET = "quiet"
    USUAL = "usual"
    VERBOSE = "verbose"


_chosen = Verbosity.USUAL  # not click's context, which other threads do not see: they tell something, too


def choose(verbosity: Verbosity) -> None:
    """Set it for this run of the command."""
    global _chosen  # noqa: PLW0603 - a process has one standard error
    _chosen = verbosity


def is_quiet() -> bool:
    """Whether only results, warnings and errors are wanted."""
    return _chosen is Verbosity.QUIET


def is_verbose() -> bool:
    """Whether everything is wanted."""
    return _chosen is Verbosity.VERBOSE
