"""One call at a time runs beside the caller, and its errors reach the caller."""

from __future__ import annotations

import threading

import pytest

from preflight.analysis.second_thread import SecondThread


def test_a_call_runs_beside_its_caller() -> None:
    second, may_end, threads = SecondThread(), threading.Event(), []

    def call() -> None:
        threads.append(threading.current_thread())
        assert may_end.wait(60)

    second.start(call)
    may_end.set()  # the caller goes on while the call waits for it
    second.wait()
    assert threads != [threading.current_thread()]


def test_the_next_call_waits_for_the_one_before() -> None:
    second, order = SecondThread(), []
    may_end = threading.Event()

    def first() -> None:
        assert may_end.wait(60)
        order.append(1)

    second.start(first)
    threading.Timer(0.05, may_end.set).start()
    second.start(lambda: order.append(2))
    second.wait()
    assert order == [1, 2]


@pytest.mark.parametrize("then", ["wait", "start"])
def test_an_error_is_raised_once_in_the_caller(then: str) -> None:
    second, done = SecondThread(), []

    def fail() -> None:
        raise MemoryError("too large")

    second.start(fail)
    with pytest.raises(MemoryError, match="too large"):
        second.wait() if then == "wait" else second.start(lambda: done.append(1))
    second.start(lambda: done.append(2))
    second.wait()
    assert done == [2]
