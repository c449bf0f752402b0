"""Retries: which error is worth another try, for how long, and after what pause.

`stamina` runs the loop; each error says how long a retry may help. Loggers hear of retries at debug level. stamina
itself would announce each one through a logger that Python prints to standard error when nobody set logging up; the
null handler keeps that quiet. Programs that configure logging, or stamina's hooks, still see it.
"""

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
SETTLING_S = 20.0
"""For an object or a link that is not visible yet: storage behind caches needs some seconds after an upload."""
SOME_S = 30.0
"""For what either goes away with a few retries or not at all."""
LONG_S = float("inf")
"""For what passes: as long as the budget lasts."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0


class RetryBudget:
    """A time budget, in seconds, for one piece of work with all its retries. It starts when it is made.

    A try that is under way is not interrupted when the budget ends; there is just no further one.
    """

    def __init__(self, budget_s: float) -> None:
        self._started = time.monotonic()
        self._budget_s = budget_s

    def call(self, attempt: Callable[[], _Answer]) -> _Answer:
        """Return what `attempt` returns; repeat it, with growing jittered pauses, while a retry may help.

        Raises:
            StorageError: The last try's, when a retry cannot help, or the budget or the error's own time is used up.
        """
        import stamina

        logging.getLogger("stamina").addHandler(_SILENT)  # adding it twice adds it once
        decide = _Decision(self._started + self._budget_s)
        for one_try in stamina.retry_context(on=decide, attempts=None, timeout=None):
            with one_try:
                return attempt()
        raise AssertionError("stamina ends with a result or an exception")


_SILENT = logging.NullHandler()


class _Decision:
    """stamina's hook: the pause before the next try in seconds, or False."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._first = time.monotonic()
        self._tries = 0

    def __call__(self, error: Exception) -> float | bool:
        if not isinstance(error, StorageError):
            return False
        longest_s: float = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**self._tries)
        pause_s = random.uniform(0.5, 1.0) * longest_s
        next_try = time.monotonic() + pause_s
        if next_try - self._first > error.retry_for_s or next_try > self._deadline:
            return False
        self._tries += 1
        _log.debug("try %d failed (%s), next in %.1f s", self._tries, error.kind, pause_s)
        return pause_s
