"""`check_many`: order, laziness, cancellation."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Final

import pytest

import preflight
from preflight.worker import pool as workers
from tests.support.make_audio import FIXTURES
from tests.support.processes import HANGS_AFTER_S

NAMES: Final = (
    "damaged.mp3",
    "text.mp3",
    "prompt.wav",
    "stereo.m4a",
    "missing.wav",
    "empty.wav",
    "good.mp3",
    "good.wav",
)
TAKES: Final = tuple(FIXTURES / name for name in NAMES)
SHORT: Final = FIXTURES / "too-short.wav"
AHEAD: Final = 4
PATIENCE_S: Final = HANGS_AFTER_S


@pytest.fixture(autouse=True, scope="module")
def _nothing_stays() -> Iterator[None]:
    yield
    workers.end_all()


@pytest.fixture(scope="module")
def alone() -> list[preflight.Report]:
    """Return the report of `check` for each of `TAKES`."""
    return [preflight.check(path) for path in TAKES]


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def threads_at_work() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("preflight-check")]


class Paths:
    """An endless iterator of recordings that counts how many were consumed."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[Path]:
        for _ in count():
            self.taken += 1
            yield SHORT


@pytest.mark.parametrize("workers", [None, 1, 3])
def test_reports_are_in_the_order_of_the_paths(workers: int | None, alone: list[preflight.Report]) -> None:
    assert list(preflight.check_many(TAKES, workers=workers)) == alone
    assert [report.verdict for report in alone].count("rejected") == 4


def test_no_recordings_give_no_reports() -> None:
    assert list(preflight.check_many([])) == []


def test_check_many_with_quick(alone: list[preflight.Report]) -> None:
    quick = list(preflight.check_many(TAKES, quick=True, workers=2))
    assert quick == [preflight.check(path, quick=True) for path in TAKES]
    assert {report.method for report in quick} == {"headers"}
    assert [report.path for report in quick] == [report.path for report in alone]


def test_check_many_uses_the_profile() -> None:
    profile = preflight.PROFILES["default"].changed(ignore=["too-short"])
    reports = list(preflight.check_many([SHORT, SHORT], profile=profile, workers=2))
    assert [report.verdict for report in reports] == ["ready", "ready"]


class BytesPath:
    """A path with a bytes name, like `os.DirEntry` of a bytes folder."""

    def __fspath__(self) -> bytes:
        return os.fsencode(SHORT)


def test_paths_of_every_kind() -> None:
    given: list[str | Path | BytesPath] = [str(SHORT), BytesPath(), SHORT]
    assert len({report.path for report in preflight.check_many(given, workers=2)}) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_paths_are_consumed_lazily(workers: int) -> None:
    paths = Paths()
    reports = preflight.check_many(paths, workers=workers)
    assert paths.taken == 0
    for done in range(1, 7):
        assert next(reports).path == str(SHORT)
        assert paths.taken <= done + AHEAD * workers
    reports.close()
    taken = paths.taken
    wait_for(lambda: not threads_at_work())
    assert paths.taken == taken


def test_the_first_report_does_not_wait_for_the_last_path() -> None:
    is_reported = threading.Event()

    def paths() -> Iterator[Path]:
        for _ in range(AHEAD):
            yield SHORT
        assert is_reported.wait(PATIENCE_S)
        yield SHORT

    reports = preflight.check_many(paths(), workers=1)
    next(reports)
    is_reported.set()
    assert len(list(reports)) == AHEAD


def test_an_abandoned_iteration_leaves_no_workers() -> None:
    for report in preflight.check_many(Paths(), workers=3):
        assert report.verdict == "rejected"
        break
    wait_for(lambda: not threads_at_work())
    assert preflight.check(SHORT).verdict == "rejected"


def test_an_exception_of_the_paths_is_propagated() -> None:
    def paths() -> Iterator[Path]:
        yield SHORT
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        list(preflight.check_many(paths(), workers=2))
    wait_for(lambda: not threads_at_work())


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_check_runs_in_any_executor(kind: str, alone: list[preflight.Report]) -> None:
    pool: Executor = (
        ThreadPoolExecutor(2)
        if kind == "threads"
        else ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))
    )
    with pool:
        assert list(preflight.check_many(TAKES, executor=pool, workers=2)) == alone
        reports = preflight.check_many(Paths(), executor=pool, workers=1)
        assert next(reports).path == str(SHORT)
        reports.close()
        assert pool.submit(len, "it is still open").result(PATIENCE_S) == 16
    assert threads_at_work() == []
