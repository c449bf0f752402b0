"""Trying again: for how long, and how soon."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from uploader.errors import StorageError

_log = logging.getLogger("uploader")
_Answer = TypeVar("_Answer")

BRIEF_S = 2.5
"""For what is probably a mistake in the settings (refused, no such host): about four tries."""
SOME_S = 30.0
"""For what a few repeats mend or nothing does."""
LONG_S = float("inf")
"""For what passes: as long as the budget lasts."""


class Patience:
    """A time budget, in seconds, for one piece of work and all its repeats. It starts when it is made.

    A try that is under way is not cut short when the budget ends; there is just no further one.
    """

    def __init__(self, budget_s: float) -> None:
        self._started = time.monotonic()
        self._budget_s = budget_s

    def call(self, attempt: Callable[[], _Answer]) -> _Answer:
        """What `attempt` returns; it is repeated, with growing jittered pauses, while a repeat may help.

        Raises:
            StorageError: The last try's, when it is final, or the budget or the error's patience is used up.
        """
        tries = 0
        first = time.monotonic()
        while True:
            try:
                return attempt()
            except StorageError as error:
                pause_s = random.uniform(0.5, 1.0) * min(8.0, 0.25 * 2**tries)
                now = time.monotonic()
                if now - first + pause_s > error.patience_s or now - self._started + pause_s > self._budget_s:
                    raise
                _log.debug("try %d failed (%s), next in %.1f s", tries + 1, error.kind, pause_s)
            tries += 1
            time.sleep(pause_s)
