"""Check recordings that were not checked before, and write their reports in parts."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from onetake.console.progress import can_show_progress, format_seconds
from onetake.console.streams import status_line
from onetake.exit_status import Status
from onetake.io.inputs import report_with_remote
from onetake.render.text import is_unfit
from onetake.results.part_formats import Entry
from onetake.results.parts import Parts, number_of, rules_version
from onetake.results.summary import Summary
from preflight.batch import check_many
from preflight.display.text import megabytes
from preflight.input.source import display_name
from preflight.worker.pool import usable_cores

if TYPE_CHECKING:
    from onetake.cluster.batch_window import Engine
    from onetake.io.inputs import Take
    from onetake.render.text import FailOn
    from onetake.results.journal import Journal
    from preflight import Profile, Report

_PART_TAKES: Final = 500
_REQUESTS_AT_ONCE: Final = 16
_PART_S: Final = 30.0
"""A part is written after so many recordings or seconds; until then reports are in the journal."""


class CheckRun:
    """One run over a set of recordings.

    Args:
        parts: Where the results are.
        journal: Keeps the reports that are not in a part yet.
        profile: Severities and thresholds.
        quick: Read headers only.
        fail_on: What makes a recording unfit, for the status.
        jobs: How many recordings at a time; None for one on each core.
        engine: Where to check instead of on this machine.
        retry_failed: Check recordings again that could not be examined.

    Attributes:
        summary: Counts of what this run checked.
        skipped: Number of recordings that were done before.
        written: Number of reports of this run that are in parts.
    """

    def __init__(
        self,
        parts: Parts,
        journal: Journal,
        profile: Profile,
        *,
        quick: bool = False,
        fail_on: FailOn = "error",
        jobs: int | None = None,
        engine: Engine | None = None,
        retry_failed: bool = False,
    ) -> None:
        self.summary = Summary()
        self.skipped = self.written = self._unfit = 0
        self._fail_on = fail_on
        self._parts, self._journal, self._profile, self._quick = parts, journal, profile, quick
        self._jobs, self._engine = jobs or usable_cores(), engine
        self._rules = rules_version(profile, quick=quick)
        journal.recover(parts.write)
        self._done = {
            number_of(entry.name, entry.stamp)
            for entry in parts.newest_first()
            if entry.rules == self._rules and not (retry_failed and entry.is_failed)
        }
        self._pending: list[Entry] = []
        self._written_at = self._started = time.monotonic()
        self._total: int | None = None

    def run(self, names: Callable[[], Iterable[Take]]) -> None:
        """Check what `names` returns; it is called a second time, in a thread, to count for the progress line.

        What is done when this is interrupted is written before the exception leaves.

        Raises:
            CannotWrite, uploader.StorageError: A part cannot be written.
        """
        if can_show_progress():
            threading.Thread(target=self._count, args=(names,), name="onetake-count", daemon=True).start()
            status_line.show(self.progress)
        try:
            self._check(names())
        finally:
            status_line.end()
            self._flush()

    def status(self, *, exit_zero: bool) -> Status:
        """Return the exit status for what this run checked; `exit_zero`: unfit recordings do not fail it."""
        if self.summary.rules["not-examined"]:
            return Status.BUG
        return Status.NOT_FIT if self._unfit and not exit_zero else Status.DONE

    def progress(self, _columns: int = 0) -> str:
        """Return recordings per second, done, left, bytes, failures and time left in one line."""
        elapsed_s = max(0.001, time.monotonic() - self._started)
        rate = self.summary.takes / elapsed_s
        parts = [f"checked {self.summary.takes}"]
        if self.skipped:
            parts.append(f"skipped {self.skipped}")
        parts += [f"{rate:.1f} files/s", megabytes(self.summary.bytes), f"{self.summary.failed} failed"]
        if self._total is not None:
            left = max(0, self._total - self.skipped - self.summary.takes)
            parts.append(f"{left} left")
            if rate:
                parts.append(f"about {format_seconds(left / rate)}")
        return "  ".join(parts)

    def _check(self, names: Iterable[Take]) -> None:
        reports = self._reports(names) if self._engine is None else self._reports_of(self._engine, names)
        with contextlib.closing(reports):
            for take, stamp, report in reports:
                self._add(take, stamp, report)

    def _new(self, names: Iterable[Take]) -> Iterator[tuple[Take, str]]:
        """Yield the recordings that are not done, each with its stamp."""
        with contextlib.closing(with_stamps(names)) as stamped:
            for take, stamp in stamped:
                if number_of(display_name(take), stamp) in self._done:
                    self.skipped += 1
                else:
                    yield take, stamp

    def _reports(self, names: Iterable[Take]) -> Generator[tuple[Take, str, Report], None, None]:
        taken: deque[tuple[Take, str]] = deque()

        def takes() -> Iterator[Take]:
            for new in self._new(names):
                taken.append(new)
                yield new[0]

        with _fetched(takes(), self._jobs) as ready:
            many = check_many(ready, quick=self._quick, profile=self._profile, workers=self._jobs)
            with contextlib.closing(many) as reports:
                for report in reports:
                    take, stamp = taken.popleft()
                    yield take, stamp, report_with_remote(take, report)

    def _reports_of(self, engine: Engine, names: Iterable[Take]) -> Generator[tuple[Take, str, Report], None, None]:
        from onetake.cluster.batch_window import checked_on

        stamps: dict[int, str] = {}

        def takes() -> Iterator[Take]:
            for number, (take, stamp) in enumerate(self._new(names)):
                stamps[number] = stamp
                yield take

        with contextlib.closing(checked_on(engine, takes(), self._profile, quick=self._quick)) as checked:
            for number, take, report in checked:
                yield take, stamps.pop(number), report

    def _add(self, take: Take, stamp: str, report: Report) -> None:
        entry = Entry(name=display_name(take), stamp=stamp, rules=self._rules, report=report)
        self.summary.add(entry)
        self._unfit += is_unfit(report, self._fail_on)  # pyright: ignore[reportArgumentType]
        self._pending.append(entry)
        self._journal.add(entry)
        if len(self._pending) >= _PART_TAKES or time.monotonic() - self._written_at > _PART_S:
            self._flush()

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        if pending:
            self._parts.write(pending)
            self.written += len(pending)
            self._journal.clear()
        self._written_at = time.monotonic()

    def _count(self, names: Callable[[], Iterable[Take]]) -> None:
        from uploader import StorageError

        with contextlib.suppress(StorageError):  # the check meets it, too, and reports it
            self._total = sum(1 for _ in names())


def with_stamps(takes: Iterable[Take]) -> Generator[tuple[Take, str], None, None]:
    """Yield recordings with their stamps; objects that were not listed cost a request each, several at a time."""
    from onetake.io.s3_objects import ObjectRecording

    waiting: deque[tuple[Take, Future[str]]] = deque()
    pool = ThreadPoolExecutor(_REQUESTS_AT_ONCE, "onetake-stamp")
    try:
        for take in takes:
            if isinstance(take, ObjectRecording) and take.listed is None:
                waiting.append((take, pool.submit(stamp_of, take)))
                yield from _answered(waiting, _REQUESTS_AT_ONCE)
            else:
                yield from _answered(waiting, 0)
                yield take, stamp_of(take)
        yield from _answered(waiting, 0)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _answered(waiting: deque[tuple[Take, Future[str]]], left: int) -> Iterator[tuple[Take, str]]:
    while len(waiting) > left:
        take, stamp = waiting.popleft()
        yield take, stamp.result()


def stamp_of(take: Take) -> str:
    """Return what identifies the content of a recording without reading it."""
    from onetake.io.s3_objects import ObjectRecording

    if isinstance(take, ObjectRecording):
        return take.etag() or "missing"
    try:
        status = os.stat(take)  # noqa: PTH116 - names of any bytes
    except (OSError, ValueError):
        return "missing"
    return f"{status.st_size}-{status.st_mtime_ns}"


def _fetched(takes: Iterator[Take], jobs: int) -> contextlib.AbstractContextManager[Iterator[Take]]:
    from onetake.io.s3_prefetch import fetched_ahead

    return fetched_ahead(takes, jobs)
