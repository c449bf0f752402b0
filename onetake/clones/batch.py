"""Many recordings: checked on all cores while earlier ones are uploaded and cloned; one bad take stops no other."""

from __future__ import annotations

import queue
import shutil
import threading
from collections import deque
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import msgspec

from onetake.clones.cleanup import clean_up_after_others
from onetake.clones.prepare import Notes, Prepared, prepare_apart
from onetake.errors import Failure, NotSettled, Status, UnderWayElsewhere, failure_of, stopped_before_turn
from onetake.io.scratch import scratch_folder
from preflight.batch import usable_cores
from preflight.input.source import display_name
from preflight.worker.pool import Dismissed, WorkerPool

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from onetake.clones.pipeline import Pipeline
    from onetake.clones.request import Cloned, Observer, Order

Ending = Literal["cloned", "known", "refused", "failed", "unknown", "not-started"]

_AHEAD: Final = 4
"""Recordings prepared or under way for each worker: prepared copies wait on disk."""
_SENDERS_PER_CALL: Final = 2
"""One uploads or cleans up while another one's call is under way."""
_LOOK_S: Final = 0.25
_HOPELESS: Final = {
    *("key-refused", "balance-too-low", "not-permitted", "ledger-failed", "no-room"),
    *("bad-setting", "credentials-missing", "credentials-expired", "wrong-key", "wrong-secret", "no-such-bucket"),
    *("wrong-region", "clock-skewed", "url-not-public", "tls-failed", "bad-speech-model", "engine-missing"),
}
"""Kinds of errors that every further recording would meet as well."""
_REFUSED_BY_SERVICE: Final = {"audio-refused", "text-refused", "request-refused", "invalid-argument"}
_PASSING: Final = {"service-unreachable", "rate-limited", "server-failed", "unreachable", "storage-failed"}
_MOST_PASSING: Final = 5
"""So many of them one after the other, and the service is taken to be down."""
_MOST_UNKNOWN: Final = 10
"""So many paid calls with an unknown outcome one after the other: each further one would have to be settled, too."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one recording of many.

    Attributes:
        path: Where it is, for people.
        ending: ``cloned`` now, ``known`` from before, ``refused`` since the recording is not fit or the service did
            not want it, ``failed`` on the way and harmless to try again, ``unknown`` whether it was paid for, or
            ``not-started``.
        cloned: The voice, if there is one.
        failure: Why there is none.
        warnings: What went wrong besides.
    """

    path: str
    ending: Ending
    cloned: Cloned | None = None
    failure: Failure | None = None
    warnings: tuple[str, ...] = ()


@dataclass(eq=False)
class _Job:
    """One recording on its way: prepared, then sent, then at its end; or waiting for another run that is at it."""

    order: Order
    folder: Path
    prepared: Prepared | None = None
    notes: Notes = field(default_factory=Notes)
    waits_for: str = ""
    outcome: Outcome | None = None


class BatchClone:
    """Clones the voices of many recordings, as many as are not known yet.

    Args:
        pipeline: The parts.
        orders: What is to be cloned.
        observer: Is told what concerns no single recording.
        most_clones: How many may be paid for; None for no limit.
        executor: Where recordings are prepared: any that finds the paths. By default this machine's cores.
        workers: How many it has; by default one for each core.

    Attributes:
        left: What is still to be cloned; after `survey` what is not known yet.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        orders: Sequence[Order],
        observer: Observer,
        *,
        most_clones: int | None = None,
        executor: Executor | None = None,
        workers: int | None = None,
    ) -> None:
        self._pipeline = pipeline
        self.left = list(orders)
        self._observer = observer
        self._senders = pipeline.pace.at_once * _SENDERS_PER_CALL
        self._most_clones = most_clones
        self._executor = executor
        self._workers = workers or usable_cores()
        self._stopping = False
        self._why_stopped: Failure | None = None
        self._changed: queue.Queue[_Job] = queue.Queue()
        self._to_send: queue.Queue[_Job | None] = queue.Queue()
        self._preparing: dict[_Job, Future[Any]] = {}
        self._waiting: list[_Job] = []
        self._sending: list[_Job] = []
        self._paid = 0
        self._failed_in_a_row = 0
        self._unknown_in_a_row = 0

    @property
    def to_clone(self) -> int:
        """How many recordings are left to be cloned; fewer may be fit, or allowed."""
        return len(self.left) if self._most_clones is None else min(len(self.left), self._most_clones)

    def survey(self) -> Iterator[Outcome]:
        """Those whose end is known already: nothing is sent for them. The others are left for `run`.

        Raises:
            LedgerFailed: The ledger cannot be read.
        """
        left = []
        for order in self.left:
            path = display_name(order.take)
            try:
                known = self._pipeline.known(order)
            except NotSettled as error:
                yield Outcome(path=path, ending="unknown", failure=failure_of(error))
                continue
            if known is None:
                left.append(order)
            else:
                yield Outcome(path=path, ending="known", cloned=known, warnings=known.warnings)
        self.left = left

    def stop(self) -> None:
        """Begin nothing more; what is paid for comes to its end. A signal handler may call this."""
        self._stopping = True

    def run(self) -> Generator[Outcome, None, None]:
        """Prepare, send and pay, and yield each recording's outcome as it is known.

        Closing the generator gives up what is under way; a paid call among it is then `unknown`.

        Raises:
            LedgerFailed: The ledger cannot be read any more.
        """
        with scratch_folder() as folder:
            yield from self._run_in(folder)

    def _run_in(self, folder: Path) -> Generator[Outcome, None, None]:
        crew = WorkerPool()
        pool = self._executor or ThreadPoolExecutor(self._workers, "onetake-prepare", initializer=crew.join)
        for number in range(self._senders):
            threading.Thread(target=self._send_in_turn, name=f"onetake-send-{number}", daemon=True).start()
        try:
            yield from self._work(pool, folder, crew)
            clean_up_after_others(self._pipeline.storage, self._pipeline.ledger, self._observer)
        finally:
            self._stopping = True
            for _ in range(self._senders):
                self._to_send.put(None)
            if pool is not self._executor:
                pool.shutdown(wait=False, cancel_futures=True)
            crew.dismiss()

    def _work(self, pool: Executor, folder: Path, crew: WorkerPool) -> Iterator[Outcome]:
        jobs = deque(_Job(order, folder / str(number)) for number, order in enumerate(self.left))
        while jobs or self._preparing or self._waiting or self._sending:
            if self._stopping:
                for job in [*self._waiting, *jobs]:
                    yield self._not_started(job)
                jobs.clear()
                self._waiting.clear()
                for future in self._preparing.values():
                    future.cancel()
                crew.dismiss()
            self._prepare_more(pool, jobs)
            self._send_more(jobs)
            try:
                job = self._changed.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            self._preparing.pop(job, None)
            if job in self._sending:
                self._sending.remove(job)
            if job.outcome is None:
                self._waiting.append(job)
                continue
            shutil.rmtree(job.folder, ignore_errors=True)
            self._look_for_trouble(job.outcome)
            yield job.outcome

    def _prepare_more(self, pool: Executor, jobs: deque[_Job]) -> None:
        """Let preparation run ahead, but not so far that the copies fill the disk."""
        most = _AHEAD * self._workers + self._senders
        while jobs and not self._stopping:
            if len(self._preparing) + len(self._waiting) + len(self._sending) >= most:
                return
            job = jobs.popleft()
            self._preparing[job] = future = pool.submit(prepare_apart, job.order, job.folder)
            future.add_done_callback(lambda future, job=job: self._note_prepared(job, future))  # type: ignore[misc]

    def _note_prepared(self, job: _Job, future: Future[tuple[Prepared, tuple[str, ...]]]) -> None:
        try:
            job.prepared, warnings = future.result()
            job.notes.warnings.extend(warnings)
        except (Exception, CancelledError) as error:  # noqa: BLE001 - one bad take does not stop the others
            job.outcome = self._without_voice(job, error)
        self._changed.put(job)

    def _send_more(self, jobs: deque[_Job]) -> None:
        """Hand over what is prepared, as far as more may be paid for."""
        for job in list(self._waiting):
            if self._most_clones is not None and self._paid + len(self._sending) >= self._most_clones:
                break
            if job.waits_for and self._pipeline.ledger.attempts.under_way(job.waits_for):
                continue
            self._waiting.remove(job)
            self._sending.append(job)
            self._to_send.put(job)
        if (self._waiting or jobs) and not self._sending and self._paid == self._most_clones:
            self._halt(Failure("limit-reached", "as many are cloned as were allowed", "", Status.DONE))

    def _send_in_turn(self) -> None:
        while (job := self._to_send.get()) is not None:
            try:
                cloned = self._pipeline.send(job.order, cast(Prepared, job.prepared), job.notes, lambda: self._stopping)
                ending: Ending = "known" if cloned.known else "cloned"
                path = display_name(job.order.take)
                job.outcome = Outcome(path=path, ending=ending, cloned=cloned, warnings=_warnings(job, cloned))
            except UnderWayElsewhere as error:
                job.waits_for = error.attempt
            except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - one bad take does not stop the others
                job.outcome = self._without_voice(job, error)
            self._changed.put(job)

    def _without_voice(self, job: _Job, error: BaseException) -> Outcome:
        if self._stopping and isinstance(error, KeyboardInterrupt | CancelledError | Dismissed):
            return self._not_started(job)
        failure = failure_of(error)
        if failure.status == Status.UNKNOWN:
            ending: Ending = "unknown"
        elif failure.status == Status.NOT_FIT or failure.kind in _REFUSED_BY_SERVICE:
            ending = "refused"
        else:
            ending = "failed"
        warnings = tuple(job.notes.warnings)
        return Outcome(path=display_name(job.order.take), ending=ending, failure=failure, warnings=warnings)

    def _not_started(self, job: _Job) -> Outcome:
        why = self._why_stopped or stopped_before_turn()
        return Outcome(path=display_name(job.order.take), ending="not-started", failure=why)

    def _look_for_trouble(self, outcome: Outcome) -> None:
        """Stop where every further recording would fail alike."""
        failure = outcome.failure
        was_called = failure is None or failure.kind != NotSettled.kind
        self._paid += outcome.ending in {"cloned", "unknown"} and was_called
        if outcome.ending == "failed" and failure is not None:
            self._failed_in_a_row += failure.kind in _PASSING
            if failure.kind in _HOPELESS or self._failed_in_a_row >= _MOST_PASSING:
                self._halt(failure)
        elif outcome.ending == "unknown" and failure is not None and was_called:
            self._unknown_in_a_row += 1
            if self._unknown_in_a_row >= _MOST_UNKNOWN:
                self._halt(failure)
        elif outcome.ending == "cloned":
            self._failed_in_a_row = self._unknown_in_a_row = 0

    def _halt(self, why: Failure) -> None:
        if not self._stopping:
            self._why_stopped = why
            self._stopping = True


def _warnings(job: _Job, cloned: Cloned) -> tuple[str, ...]:
    """Each once: what the sender warned of stands in both."""
    return tuple(dict.fromkeys((*job.notes.warnings, *cloned.warnings)))
