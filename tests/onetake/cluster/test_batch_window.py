"""Batches on an engine: each recording exactly once, however workers end; a bounded number of tasks at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onetake.cluster.batch_window import BATCH, TRIES, Job, checked_in_order, checked_on
from onetake.cluster.task import ClusterFailed, NamedTake, Task, named, reports_of, run_task, unreadable
from preflight import PROFILES, Report, check
from preflight.input.recording import SpooledFile
from tests.support.services import FIXTURES

DEFAULT = PROFILES["default"]
GOOD, TEXT = str(FIXTURES / "good.wav"), str(FIXTURES / "text.mp3")


class Submitted:
    """A task of the engine below."""

    def __init__(self, task: Task, number: int) -> None:
        self.task, self.number, self.is_cancelled = task, number, False

    def cancel(self) -> None:
        self.is_cancelled = True


class InThisProcess:
    """An engine that runs tasks when results are wanted, in an order of its own, and whose workers end as asked.

    Args:
        killers: Names that end every worker.
        deaths: For one submission after the other: 0 lives, 1 ends before the task begins, 2 ends after that.
        size: The window.
    """

    def __init__(self, killers: frozenset[str] = frozenset(), deaths: Iterable[int] = (), size: int = 3) -> None:
        self.killers, self.deaths, self.size = killers, iter(deaths), size
        self.submitted: list[Submitted] = []
        self.alone: Counter[str] = Counter()
        self.open = self.most_open = 0

    def watch(self, on_begin: Callable[[int], object]) -> None:
        self.on_begin = on_begin

    def submit(self, task: Task, number: int, on_done: Callable[[], object]) -> Job:
        self.submitted.append(Submitted(task, number))
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        on_done()
        return self.submitted[-1]

    def result(self, job: Job) -> bytes | None:
        assert isinstance(job, Submitted)
        self.open -= 1
        death = next(self.deaths, 0)
        if death == 1:
            return None
        self.on_begin(job.number)
        names = [take.name for take in job.task.takes]
        if death == 2 or self.killers & set(names):
            if len(names) == 1:
                self.alone[names[0]] += 1
            return None
        return run_task(job.task)

    def window(self) -> int:
        return self.size


def takes(count: int) -> list[str]:
    return [f"missing/{number}.wav" for number in range(count)]  # a report without decoding


@given(
    count=st.integers(0, 120),
    killers=st.sets(st.integers(0, 119), max_size=4),
    deaths=st.lists(st.integers(0, 2), max_size=30),
    size=st.integers(1, 9),
)
@settings(max_examples=60, deadline=None)
def test_each_recording_is_reported_once(count: int, killers: set[int], deaths: list[int], size: int) -> None:
    names = takes(count)
    bad = frozenset(f"missing/{number}.wav" for number in killers)
    engine = InThisProcess(bad, deaths, size)
    found = list(checked_on(engine, names, DEFAULT, quick=True))
    assert sorted(index for index, _, _ in found) == list(range(count))
    assert all(take == names[index] and report.path == take for index, take, report in found)
    assert engine.most_open <= size
    blamed = {report.path for *_, report in found if "ended the worker" in report.findings[0].message}
    assert blamed >= bad & set(names)
    for name in blamed - bad:  # an innocent one was alone on workers that ended, or none ever began it
        assert engine.alone[name] >= TRIES or deaths.count(1) >= 5


def test_a_batch_that_had_not_begun_is_submitted_again_as_it_is() -> None:
    engine = InThisProcess(deaths=[1, 1, 1])
    assert len(list(checked_on(engine, takes(1 + 2), DEFAULT, quick=True))) == 3
    assert [len(each.task.takes) for each in engine.submitted] == [1, 2, 1, 2, 1]


def test_a_batch_that_had_begun_is_split() -> None:
    engine = InThisProcess(frozenset({"missing/2.wav"}))
    reports = [report for *_, report in sorted(checked_on(engine, takes(3), DEFAULT, quick=True), key=lambda x: x[0])]
    assert [len(each.task.takes) for each in engine.submitted] == [1, 2, 1, 1, 1]
    assert [report.findings[0].rule for report in reports] == ["unreadable"] * 3
    assert "its check ended the worker process 2 times" in reports[2].findings[0].message
    assert reports[2].method == "headers"


def test_recordings_are_consumed_as_the_window_moves() -> None:
    consumed = 0

    def endless() -> Iterator[str]:
        nonlocal consumed
        while True:
            consumed += 1
            yield "missing/take.wav"

    engine = InThisProcess(size=2)
    checked = checked_on(engine, endless(), DEFAULT, quick=True)
    for done in range(1, 200):
        next(checked)
        assert consumed <= done + 2 * BATCH
    checked.close()
    assert [each.is_cancelled for each in engine.submitted[-1:]] == [True]


def test_reports_in_order() -> None:
    class LastFirst(InThisProcess):
        def submit(self, task: Task, number: int, on_done: Callable[[], object]) -> Job:
            self.waiting = [on_done, *getattr(self, "waiting", [])]
            job = super().submit(task, number, lambda: None)
            if len(self.waiting) == self.size or task.takes[-1].name == names[-1]:
                for each in self.waiting:
                    each()
                self.waiting = []
            return job

    names = takes(6)  # batches of 1, 2 and 3
    assert [report.path for report in checked_in_order(LastFirst(), names, DEFAULT, quick=True)] == names


def test_a_task_checks_as_check_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from onetake import __version__

    monkeypatch.chdir(FIXTURES)
    batch = tuple(map(named, ("good.wav", "text.mp3", "missing.wav", str(tmp_path / "no folder" / "a.wav"))))
    monkeypatch.chdir(tmp_path)  # workers have another folder
    reports = reports_of(run_task(Task(batch, DEFAULT, False, __version__)))
    monkeypatch.chdir(FIXTURES)
    assert reports == [check(take.name) for take in batch]


def test_what_a_worker_cannot_do() -> None:
    from onetake import __version__

    with pytest.raises(ClusterFailed, match="this machine has 0"):
        run_task(Task((named(GOOD),), DEFAULT, False, "0"))
    elsewhere = NamedTake("a.wav", "/mounted/elsewhere/a.wav", is_there=True)
    with pytest.raises(ClusterFailed, match="has no folder /mounted/elsewhere"):
        run_task(Task((elsewhere,), DEFAULT, False, __version__))
    with pytest.raises(ClusterFailed, match="standard input"):
        named(SpooledFile("<stdin>", GOOD))


def test_the_report_of_a_recording_that_ends_workers_is_that_of_a_failure() -> None:
    report: Report = unreadable(NamedTake("a.wav", TEXT), DEFAULT, quick=False, tries=2)
    assert (report.verdict, report.quality, report.findings[0].rule) == ("rejected", None, "unreadable")
