"""How numpy is set up for the time of an analysis."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import threadpoolctl

from preflight.analysis.numpy_runtime import keep_memory, one_thread


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}


def test_linear_algebra_uses_one_thread_for_the_time_of_an_analysis() -> None:
    np.ones((4, 4)) @ np.ones((4, 4))  # loads BLAS
    before = blas_threads()
    with one_thread():
        assert blas_threads() <= {1}
    assert blas_threads() == before


def test_the_limit_is_left_alone_where_the_environment_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert isinstance(one_thread(), contextlib.nullcontext)


def test_keeping_memory_allocates_nothing_for_long() -> None:
    import tracemalloc

    tracemalloc.start()
    keep_memory()
    current, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert current < 100_000
    assert peak >= 8 << 20
