"""The pace of paid calls: a limit that the service reports holds all of them."""

from __future__ import annotations

import time

import pytest

from onetake.clones.rate_limit import RateLimiter


def test_a_limit_holds_every_call() -> None:
    pace = RateLimiter(at_once=2)
    begun = time.monotonic()
    pace.pause(0.4)
    pace.pause(0.1)  # a shorter one does not end the longer one
    with pace.turn(lambda: False), pace.turn(lambda: False):
        assert time.monotonic() - begun >= 0.4


def test_whoever_waits_for_a_limit_can_stop() -> None:
    pace = RateLimiter()
    pace.pause(86_400)
    with pytest.raises(KeyboardInterrupt), pace.turn(lambda: True):
        raise AssertionError("no call may begin")
