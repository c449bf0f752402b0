"""What `-v` shows of the libraries: each request and its answer, without the queries of URLs."""

from __future__ import annotations

import logging
import time

from onetake.console.steps import print_step
from onetake.console.verbosity import is_verbose


class _Shown(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self._started = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        if is_verbose():
            print_step(time.monotonic() - self._started, record.name, record.getMessage())


def tell_requests() -> None:
    """Show from now on what the libraries log."""
    for name in ("uploader", "client"):
        log = logging.getLogger(name)
        log.handlers = [_Shown()]
        log.setLevel(logging.DEBUG)
