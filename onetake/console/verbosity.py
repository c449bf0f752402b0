"""How much is printed besides the results: ``-q`` and ``-v``."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Verbosity(Enum):
    """From results and warnings only to every request."""

    QUIET = "quiet"
    NORMAL = "normal"
    VERBOSE = "verbose"


_verbosity = Verbosity.NORMAL  # not in click's context, which is local to a thread: other threads print, too


def set_verbosity(verbosity: Verbosity) -> None:
    """Set the verbosity of this run."""
    global _verbosity  # noqa: PLW0603 - a process has one standard error
    _verbosity = verbosity


def is_quiet() -> bool:
    """Whether to print only results, warnings and errors."""
    return _verbosity is Verbosity.QUIET


def is_verbose() -> bool:
    """Whether to print everything, requests and measurements included."""
    return _verbosity is Verbosity.VERBOSE


def log_requests(print_request: Callable[[float, str, str], None]) -> None:
    """Print what `uploader` and `client` log: each request and its answer, without the queries of URLs.

    Args:
        print_request: Called with elapsed seconds, the logger's name and the message.
    """
    import logging  # here, because only -v needs it
    import time

    started = time.monotonic()

    class RequestHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if is_verbose():
                print_request(time.monotonic() - started, record.name, record.getMessage())

    for name in ("uploader", "client"):
        logger = logging.getLogger(name)
        logger.handlers = [RequestHandler()]
        logger.setLevel(logging.DEBUG)
