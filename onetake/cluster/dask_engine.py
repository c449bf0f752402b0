"""Dask as the engine: a scheduler that runs somewhere, or a cluster on this machine that ends with the command."""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, Final

from onetake.cluster.task import ClusterFailed, Task, run_task
from onetake.errors import UsageError
from preflight.worker.pool import usable_cores

if TYPE_CHECKING:
    from onetake.cluster.batch_window import Job

LOCAL: Final = "dask"
_SCHEME: Final = "dask://"
_CONNECT_S: Final = 20
_TASKS_PER_THREAD: Final = 3
"""One in progress, one that waits at the worker, one whose result is on its way."""
_COUNT_EVERY_S: Final = 2.0
_LOCAL_CONFIG: Final = {
    # the scheduler reports at once that a worker ended; `onetake.cluster.batch_window` retries
    "distributed.scheduler.allowed-failures": 0,
    # no pages about tasks and logs, which any user of this machine could read
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # for these pages, each process measures itself up to a hundred times a second
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.system-monitor.disk": False,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.diagnostics.nvml": False,
    # with it, malloc returns the memory of each fetched object to the system at once
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
}
_IGNORE_CTRL_C: Final = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
"""Python code for workers on this machine: Ctrl-C reaches them, too, but is for the command, which ends them."""
_RESTART: Final = "the same command continues"


def require_engine_name(name: str, jobs: int | None) -> None:
    """Raise `UsageError` if ``--on`` is not ``dask`` or ``dask://HOST:PORT``, or does not go with ``--jobs``."""
    if name != LOCAL and not (name.startswith(_SCHEME) and name.rpartition(":")[2].isdecimal()):
        raise UsageError(f"{name!r} is not a cluster", "write --on dask, or --on dask://HOST:8786")
    if name != LOCAL and jobs is not None:
        raise UsageError("--jobs is for this machine; the cluster has as many workers as were started", "omit --jobs")


@contextlib.contextmanager
def open_engine(name: str, jobs: int | None = None) -> Iterator[DaskEngine]:
    """Connect to a cluster for the block, or start one on this machine.

    Args:
        name: ``dask``, or ``dask://HOST:PORT`` of a scheduler.
        jobs: How many workers to start; None for one on each core.

    Raises:
        UsageError: The name is not valid, or does not go with `jobs`.
        ClusterFailed: Dask is not installed, or the scheduler does not answer, or has no workers.
    """
    require_engine_name(name, jobs)
    try:
        from distributed import Client, LocalCluster
        from distributed.security import Security
    except ImportError as error:
        raise ClusterFailed(f"--on {name} needs Dask", 'pip install "onetake[cluster]"') from error
    import dask.config

    for logger in [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]:
        logging.getLogger(logger).setLevel(logging.CRITICAL)  # workers that end are retried here
    with contextlib.ExitStack() as stack:
        address: Any
        if name == LOCAL:
            stack.enter_context(dask.config.set(_LOCAL_CONFIG))
            # with keys of its own: any user of this machine could run code in workers that listen without them
            address = stack.enter_context(
                LocalCluster(
                    n_workers=jobs or usable_cores(),
                    threads_per_worker=1,
                    dashboard_address="127.0.0.1:0",
                    security=Security.temporary(),
                    silence_logs=logging.CRITICAL,
                    preload=[_IGNORE_CTRL_C],
                )
            )
        else:
            # certificates come from Dask's own configuration
            encrypted = Security().require_encryption
            address = f"{'tls' if encrypted else 'tcp'}://{name.removeprefix(_SCHEME)}"
        try:
            client = stack.enter_context(Client(address, timeout=_CONNECT_S, set_as_default=False))
        except OSError as error:
            raise ClusterFailed(f"no scheduler answers at {name}", "start one: dask scheduler") from error
        try:
            client.wait_for_workers(1, timeout=_CONNECT_S)
        except TimeoutError as error:
            raise ClusterFailed(f"{name} has no workers", "start some: dask worker HOST:PORT --nthreads 1") from error
        yield DaskEngine(client, name, jobs or usable_cores() if name == LOCAL else 0)


class DaskEngine:
    """Tasks at a Dask scheduler.

    Args:
        client: The connection.
        name: Of the cluster, for messages.
        workers: How many the cluster on this machine has; 0 for one elsewhere.
    """

    def __init__(self, client: Any, name: str, workers: int = 0) -> None:
        self._client, self._name, self._workers = client, name, workers
        self._topic = f"onetake-{secrets.token_hex(8)}"
        self._window = 0
        self._counted_at = float("-inf")

    def watch(self, on_begin: Callable[[int], object]) -> None:
        """As `batch_window.Engine`."""
        self._client.subscribe_topic(self._topic, lambda event: on_begin(event[1]))

    def submit(self, task: Task, number: int, on_done: Callable[[], object]) -> Job:
        """As `batch_window.Engine`."""
        future = self._client.submit(_run_in_worker, task, number, self._topic, pure=False)
        future.add_done_callback(lambda _: on_done())
        job: Job = future
        return job

    def result(self, job: Any) -> bytes | None:
        """As `batch_window.Engine`; raises `ClusterFailed` where the scheduler is lost."""
        from distributed import KilledWorker

        try:
            result: bytes = job.result(timeout=_CONNECT_S)
        except KilledWorker:
            return None
        except (CancelledError, TimeoutError) as error:
            raise ClusterFailed(f"the scheduler of {self._name} has stopped answering", _RESTART) from error
        except ImportError as error:
            message = f"a worker of {self._name} cannot import {error.name}"
            raise ClusterFailed(message, "install the same version of onetake everywhere") from error
        return result

    def window(self) -> int:
        """As `batch_window.Engine`: a few tasks for each thread that the cluster has now."""
        if time.monotonic() - self._counted_at >= _COUNT_EVERY_S:
            try:
                threads = sum(self._client.nthreads().values())
            except OSError as error:
                raise ClusterFailed(f"the scheduler of {self._name} has stopped answering", _RESTART) from error
            if threads < self._workers:
                # Dask restarts a worker that ends, but gives up one that ends while it starts
                self._client.cluster.scale(self._workers)
            self._window = max(1, _TASKS_PER_THREAD * threads)
            self._counted_at = time.monotonic()
        return self._window


def _run_in_worker(task: Task, number: int, topic: str) -> bytes:
    from distributed import get_worker

    get_worker().log_event(topic, number)
    return run_task(task)
