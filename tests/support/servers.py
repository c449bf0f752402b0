"""Servers whose answers a test holds back."""

from __future__ import annotations

import threading

from tests.support.processes import HANGS_AFTER_S


class HeldAnswers:
    """The log of a stand-in endpoint: each paid call is done, and answered only when the test releases it.

    Attributes:
        calls: The paid calls that were done until now.
        released: Set it to let the answers go.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.released = threading.Event()

    def __call__(self, line: str) -> None:
        """Called by the stand-in between its work and its answer."""
        if " POST " in line:
            self.calls += 1
            self.released.wait(HANGS_AFTER_S)
