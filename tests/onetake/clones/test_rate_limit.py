"""Slots for paid calls: how many at once, how many per minute, and pauses after a rate limit of the service."""

from __future__ import annotations

import threading
import time

import pytest

from onetake.clones.rate_limit import RateLimiter
from tests.support.processes import wait_until


def never() -> bool:
    return False


def test_a_pause_delays_every_call() -> None:
    limiter = RateLimiter(at_once=2)
    started = time.monotonic()
    limiter.pause(0.4)
    limiter.pause(0.1)  # a shorter pause does not end the longer one
    with limiter.slot(never), limiter.slot(never):
        assert time.monotonic() - started >= 0.4


def test_a_pause_is_at_most_a_minute() -> None:
    limiter = RateLimiter()
    before = time.monotonic()
    limiter.pause(86_400)
    assert limiter._next_start <= time.monotonic() + 60
    assert limiter._next_start >= before + 60


def test_waiting_for_a_pause_can_be_stopped() -> None:
    limiter = RateLimiter()
    limiter.pause(86_400)
    with pytest.raises(KeyboardInterrupt), limiter.slot(lambda: True):
        raise AssertionError("no call may start")


def test_a_stopped_wait_gives_its_slot_back() -> None:
    limiter = RateLimiter(at_once=1)
    with pytest.raises(KeyboardInterrupt), limiter.slot(lambda: True):
        raise AssertionError("no call may start")
    with limiter.slot(never):
        pass


def test_a_failed_call_gives_its_slot_back() -> None:
    limiter = RateLimiter(at_once=1)
    with pytest.raises(ZeroDivisionError), limiter.slot(never):
        raise ZeroDivisionError
    with limiter.slot(never):
        pass


def test_waiting_for_a_slot_can_be_stopped() -> None:
    limiter = RateLimiter(at_once=1)
    with limiter.slot(never), pytest.raises(KeyboardInterrupt), limiter.slot(lambda: True):
        raise AssertionError("there is only one slot")


@pytest.mark.parametrize("at_once", [1, 3])
def test_no_more_calls_than_slots_run_at_once(at_once: int) -> None:
    limiter = RateLimiter(at_once)
    running, most = 0, 0
    lock = threading.Lock()
    released = threading.Event()

    def call() -> None:
        nonlocal running, most
        with limiter.slot(never):
            with lock:
                running += 1
                most = max(most, running)
            released.wait(60)
            with lock:
                running -= 1

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: running == at_once)
    released.set()
    for thread in threads:
        thread.join()
    assert most == at_once
    assert running == 0


def test_calls_start_evenly_spaced() -> None:
    limiter = RateLimiter(at_once=4, per_minute=60 / 0.05)  # one every 50 ms
    starts = []
    for _ in range(5):
        with limiter.slot(never):
            starts.append(time.monotonic())
    assert starts[-1] - starts[0] >= 4 * 0.05 - 0.001


def test_without_a_rate_calls_start_immediately() -> None:
    limiter = RateLimiter(at_once=1)
    for _ in range(1000):
        with limiter.slot(never):
            pass
    assert limiter._next_start <= time.monotonic()


def test_the_interval_is_kept_by_threads_that_start_together() -> None:
    limiter = RateLimiter(at_once=8, per_minute=60 / 0.03)
    starts: list[float] = []
    lock = threading.Lock()

    def call() -> None:
        with limiter.slot(never), lock:
            starts.append(time.monotonic())

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(starts) == 8
    assert max(starts) - min(starts) >= 7 * 0.03 - 0.02


def test_a_call_that_fails_uses_up_its_interval() -> None:
    """The service has counted it."""
    limiter = RateLimiter(at_once=1, per_minute=60 / 0.05)
    started = time.monotonic()
    with pytest.raises(ZeroDivisionError), limiter.slot(never):
        raise ZeroDivisionError
    with limiter.slot(never):
        assert time.monotonic() - started >= 0.05 - 0.001


def test_a_stopped_wait_uses_up_no_interval() -> None:
    limiter = RateLimiter(at_once=1, per_minute=1)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt), limiter.slot(lambda: True):
            raise AssertionError("no call may start")
    assert limiter._next_start == 0


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_a_pause_of_no_time_is_none(seconds: float) -> None:
    limiter = RateLimiter()
    limiter.pause(seconds)
    assert limiter._next_start <= time.monotonic()
