"""Clone many recordings: prepared on all cores while earlier ones are uploaded and cloned.

    requests ─ find_known ─ executor: prepare ─ to_send queue ─ sender threads: claim, upload, call ─ outcomes
                                  │                                        │
                                  └── one `changed` queue back to `run` ───┘

A recording that fails does not stop the others, unless every further one would fail for the same reason.
"""

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

from onetake.clones.dedupe import repeated
from onetake.clones.observer import WarningCollector
from onetake.clones.prepare import Prepared, prepare_in_executor
from onetake.clones.uploads import try_delete_abandoned
from onetake.errors import CloneInProgress, Failure, NotSettled, failure_of, stopped_before_turn
from onetake.exit_status import Status
from onetake.io.temporary_folders import scratch_folder
from preflight.input.source import display_name
from preflight.worker.pool import Cancelled, WorkerPool, usable_cores

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from onetake.clones.cloner import Cloner
    from onetake.clones.observer import Observer
    from onetake.clones.request import Cloned, CloneRequest

Ending = Literal["cloned", "known", "refused", "failed", "unknown", "not-started"]

_QUEUED_PER_WORKER: Final = 4
"""Recordings that are prepared or in progress for each worker: their fixed copies use disk space."""
_SENDERS_PER_CALL: Final = 2
"""While one sender waits for the answer to its call, another one uploads or cleans up."""
_POLL_S: Final = 0.25
_FATAL_KINDS: Final = {
    *("key-refused", "balance-too-low", "not-permitted", "ledger-failed", "no-room"),
    *("bad-setting", "credentials-missing", "credentials-expired", "wrong-key", "wrong-secret", "no-such-bucket"),
    *("wrong-region", "clock-skewed", "url-not-public", "tls-failed", "bad-speech-model", "engine-missing"),
}
"""Kinds of errors that every further recording would meet as well."""
_REFUSED_BY_SERVICE: Final = {"audio-refused", "text-refused", "request-refused", "invalid-argument"}
_TRANSIENT_KINDS: Final = {"service-unreachable", "rate-limited", "server-failed", "unreachable", "storage-failed"}
_MAX_TRANSIENT: Final = 5
"""After this many transient failures in a row, the service counts as down."""
_MAX_UNKNOWN: Final = 10
"""After this many unknown outcomes in a row the batch stops: each one may be charged, and the user must settle it."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The result for one recording of a batch.

    Attributes:
        path: The recording, for display.
        ending: ``cloned``; ``known`` from an earlier clone; ``refused`` by the check or by the service; ``failed``
            without a charge; ``unknown`` whether it was paid for; or ``not-started``.
        cloned: The voice, if there is one.
        failure: Why there is none.
        warnings: Other problems.
    """

    path: str
    ending: Ending
    cloned: Cloned | None = None
    failure: Failure | None = None
    warnings: tuple[str, ...] = ()


@dataclass(eq=False)
class _Job:
    """One recording: in preparation, then sent until it has an outcome, or waiting for another run that clones it."""

    request: CloneRequest
    folder: Path
    number: int
    prepared: Prepared | None = None
    observer: WarningCollector = field(default_factory=WarningCollector)
    waits_for: str = ""
    outcome: Outcome | None = None


class BatchClone:
    """Clone the voices of many recordings.

    Args:
        cloner: Clones each of them.
        requests: The requests.
        observer: Receives warnings that concern no single recording.
        most_clones: Maximum number of paid calls; None for no limit.
        executor: Prepares recordings; its workers must see the same paths. By default threads on this machine.
        workers: Number of its workers; by default one for each core.

    Attributes:
        pending: Requests that are left to clone; `find_known` removes those with a known outcome.
    """

    def __init__(
        self,
        cloner: Cloner,
        requests: Sequence[CloneRequest],
        observer: Observer,
        *,
        most_clones: int | None = None,
        executor: Executor | None = None,
        workers: int | None = None,
    ) -> None:
        self._cloner, self._context = cloner, cloner.context
        self.pending = list(requests)
        self._observer = observer
        self._senders = self._context.rate_limiter.at_once * _SENDERS_PER_CALL
        self._most_clones = most_clones
        self._executor, self._workers = executor, workers or usable_cores()
        self._stopping = False
        self._stop_reason: Failure | None = None
        self._changed: queue.Queue[_Job] = queue.Queue()
        self._to_send: queue.Queue[_Job | None] = queue.Queue()
        self._preparing: dict[_Job, Future[Any]] = {}
        self._waiting: list[_Job] = []
        self._sending: list[_Job] = []
        self._paid = self._transient_in_a_row = self._unknown_in_a_row = 0

    def most_to_clone(self) -> int:
        """Read the recordings of equal size, and return how many will be cloned at most: equal ones count once."""
        most = len(self.pending) - len(repeated(self.pending, self._context.client.base_url))
        return most if self._most_clones is None else min(most, self._most_clones)

    def find_known(self) -> Iterator[Outcome]:
        """Yield the outcomes that the ledger knows, without sending anything; the other requests stay `pending`.

        Raises:
            LedgerFailed: The ledger cannot be read.
        """
        pending = []
        for request in self.pending:
            path = display_name(request.take)
            try:
                known = self._cloner.find_known(request)
            except NotSettled as error:
                yield Outcome(path=path, ending="unknown", failure=failure_of(error))
                continue
            if known is None:
                pending.append(request)
            else:
                yield Outcome(path=path, ending="known", cloned=known, warnings=known.warnings)
        self.pending = pending

    def stop(self) -> None:
        """Start nothing new; paid calls in progress finish. A signal handler may call this."""
        self._stopping = True

    def run(self) -> Generator[Outcome, None, None]:
        """Prepare, upload and clone, and yield each outcome when it is known.

        Closing the generator abandons the calls in progress; `Attempts.mark_interrupted` then marks them as unknown.

        Raises:
            LedgerFailed: The ledger can no longer be read.
        """
        with scratch_folder() as folder:
            yield from self._run_in(folder)

    def _run_in(self, folder: Path) -> Generator[Outcome, None, None]:
        worker_pool = WorkerPool()
        pool = self._executor or ThreadPoolExecutor(self._workers, "prepare", initializer=worker_pool.add_thread)
        for number in range(self._senders):
            # daemon threads: after a second Ctrl-C the command ends although they wait for answers
            threading.Thread(target=self._send_from_queue, name=f"onetake-send-{number}", daemon=True).start()
        try:
            yield from self._process(pool, folder, worker_pool)
            try_delete_abandoned(self._context.storage, self._context.ledger, self._observer)
        finally:
            self._stopping = True
            for _ in range(self._senders):
                self._to_send.put(None)
            if pool is not self._executor:
                pool.shutdown(wait=False, cancel_futures=True)
            worker_pool.cancel()

    def _process(self, pool: Executor, folder: Path, worker_pool: WorkerPool) -> Iterator[Outcome]:
        jobs = deque(_Job(request, folder / str(number), number) for number, request in enumerate(self.pending))
        while jobs or self._preparing or self._waiting or self._sending:
            if self._stopping:
                yield from map(self._not_started, [*self._waiting, *jobs])
                jobs.clear()
                self._waiting.clear()
                for future in self._preparing.values():
                    future.cancel()
                worker_pool.cancel()
            self._prepare_more(pool, jobs)
            self._send_more(jobs)
            try:
                job = self._changed.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            self._preparing.pop(job, None)
            self._sending = [other for other in self._sending if other is not job]
            if job.outcome is None:
                self._waiting.append(job)
                continue
            shutil.rmtree(job.folder, ignore_errors=True)
            self._count(job.outcome)
            yield job.outcome

    def _prepare_more(self, pool: Executor, jobs: deque[_Job]) -> None:
        """Prepare ahead, but not so many that their fixed copies fill the disk."""
        most = _QUEUED_PER_WORKER * self._workers + self._senders
        while jobs and not self._stopping:
            if len(self._preparing) + len(self._waiting) + len(self._sending) >= most:
                return
            job = jobs.popleft()
            self._preparing[job] = future = pool.submit(prepare_in_executor, job.request, job.folder)
            future.add_done_callback(lambda future, job=job: self._on_prepared(job, future))  # type: ignore[misc]

    def _on_prepared(self, job: _Job, future: Future[tuple[Prepared, tuple[str, ...]]]) -> None:
        try:
            job.prepared, warnings = future.result()
            job.observer.warnings.extend(warnings)
        except (Exception, CancelledError) as error:  # noqa: BLE001 - one recording does not stop the others
            job.outcome = self._failed(job, error)
        self._changed.put(job)

    def _send_more(self, jobs: deque[_Job]) -> None:
        """Queue prepared recordings for the senders, up to the maximum number of paid calls."""
        again = [job.number for job in (*self._preparing, *self._waiting, *self._sending) if job.request.again]
        for job in list(self._waiting):
            # every recording that is being sent may be charged, so it counts before its outcome is known
            if self._most_clones is not None and self._paid + len(self._sending) >= self._most_clones:
                break
            if job.waits_for and self._context.ledger.attempts.is_active(job.waits_for):
                continue
            if not job.request.again and min(again, default=job.number) < job.number:
                continue  # it may get the voice that the earlier request pays for: see `paid_once`
            self._waiting.remove(job)
            self._sending.append(job)
            self._to_send.put(job)
        if (self._waiting or jobs) and not self._sending and self._paid == self._most_clones:
            self._stop_because(Failure("limit-reached", "the maximum number of clones is reached", "", Status.DONE))

    def _send_from_queue(self) -> None:
        while (job := self._to_send.get()) is not None:
            try:
                prepared = cast(Prepared, job.prepared)
                cloned = self._cloner.send(job.request, prepared, job.observer, lambda: self._stopping)
                ending: Ending = "known" if cloned.known else "cloned"
                warnings = tuple(dict.fromkeys((*job.observer.warnings, *cloned.warnings)))  # without duplicates
                path = display_name(job.request.take)
                job.outcome = Outcome(path=path, ending=ending, cloned=cloned, warnings=warnings)
            except CloneInProgress as error:
                job.waits_for = error.attempt
            except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - one recording does not stop the others
                job.outcome = self._failed(job, error)
            self._changed.put(job)

    def _failed(self, job: _Job, error: BaseException) -> Outcome:
        if self._stopping and isinstance(error, KeyboardInterrupt | CancelledError | Cancelled):
            return self._not_started(job)
        failure = failure_of(error)
        if failure.status == Status.UNKNOWN:
            ending: Ending = "unknown"
        elif failure.status == Status.NOT_FIT or failure.kind in _REFUSED_BY_SERVICE:
            ending = "refused"
        else:
            ending = "failed"
        warnings = tuple(job.observer.warnings)
        return Outcome(path=display_name(job.request.take), ending=ending, failure=failure, warnings=warnings)

    def _not_started(self, job: _Job) -> Outcome:
        failure = self._stop_reason or stopped_before_turn()
        return Outcome(path=display_name(job.request.take), ending="not-started", failure=failure)

    def _count(self, outcome: Outcome) -> None:
        """Count paid calls, and stop if every further recording would fail for the same reason."""
        failure = outcome.failure
        was_called = failure is None or failure.kind != NotSettled.kind
        self._paid += outcome.ending in {"cloned", "unknown"} and was_called
        if outcome.ending == "failed" and failure is not None:
            self._transient_in_a_row += failure.kind in _TRANSIENT_KINDS
            if failure.kind in _FATAL_KINDS or self._transient_in_a_row >= _MAX_TRANSIENT:
                self._stop_because(failure)
        elif outcome.ending == "unknown" and failure is not None and was_called:
            self._unknown_in_a_row += 1
            if self._unknown_in_a_row >= _MAX_UNKNOWN:
                self._stop_because(failure)
        elif outcome.ending == "cloned":
            self._transient_in_a_row = self._unknown_in_a_row = 0

    def _stop_because(self, reason: Failure) -> None:
        if not self._stopping:
            self._stop_reason, self._stopping = reason, True
