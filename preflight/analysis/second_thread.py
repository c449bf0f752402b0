"""A second thread, which does a part of the work of a block while the caller does the rest."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class SecondThread:
    """Runs one call at a time beside its caller.

    A call gets a thread of its own, which takes 0.1 ms: nothing is left to end when its caller fails.

    >>> done = []
    >>> second = SecondThread()
    >>> second.start(lambda: done.append("first"))
    >>> second.start(lambda: done.append("second"))  # waits for the first
    >>> second.wait()
    >>> done
    ['first', 'second']
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def start(self, call: Callable[[], object]) -> None:
        """Run `call`, as soon as the one before has ended.

        Raises:
            BaseException: What the call before raised.
        """
        self.wait()
        self._thread = threading.Thread(target=self._run, args=(call,), name="preflight-meters", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait for the call.

        Raises:
            BaseException: What it raised.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self, call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            self._error = error
