"""Checks on Dask: a real cluster on this machine, workers that are killed, objects of a bucket."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from onetake.cluster import dask_engine
from onetake.cluster.batch_window import checked_in_order
from onetake.cluster.dask_engine import open_engine, require_engine_name
from onetake.cluster.task import ClusterFailed
from onetake.errors import UsageError
from onetake.results.parts import Parts
from preflight import PROFILES
from tests.onetake.conftest import Say
from tests.support.processes import wait_until
from tests.support.services import FIXTURES, Services

GOOD = FIXTURES / "good.wav"


@pytest.mark.parametrize("name", ["", "ray", "dask://", "dask://host", "dask://host:port", "tcp://host:8786"])
def test_what_is_not_a_cluster(name: str) -> None:
    with pytest.raises(UsageError, match="is not a cluster"):
        require_engine_name(name, None)


def test_what_does_not_go_with_a_cluster(say: Say) -> None:
    require_engine_name("dask://[::1]:8786", None)
    assert "--jobs is for this machine" in say("check", str(GOOD), "--on", "dask://h:8786", "--jobs", "2").err
    refused = say("check", str(GOOD), "--on", "dask", "--format", "html")
    assert (refused.status, "--out FOLDER/" in refused.err) == (2, True)


def test_without_dask(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    refused = say("check", str(GOOD), "--on", "dask")
    assert (refused.status, "onetake[cluster]" in refused.err) == (2, True)


def test_dask_knows_the_options_of_the_cluster_on_this_machine() -> None:
    pytest.importorskip("distributed", reason="the extra cluster is not installed")
    import dask.config

    for name in dask_engine._LOCAL_CONFIG:
        dask.config.get(name)  # raises KeyError: Dask ignores options that it does not know


def test_a_scheduler_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="the extra cluster is not installed")
    monkeypatch.setattr(dask_engine, "_CONNECT_S", 0.3)
    with (
        pytest.raises(ClusterFailed, match="no scheduler answers"),
        open_engine("dask://127.0.0.1:1"),
    ):
        pass


class Killer(threading.Thread):
    """Kills every worker of this process's cluster that has a certain file open."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path, self.killed, self.is_over = str(path), 0, False

    def run(self) -> None:
        while not self.is_over:
            for child in psutil.Process().children():
                if self._has_open(child.pid):
                    child.kill()
                    self.killed += 1
            time.sleep(0.002)

    def _has_open(self, pid: int) -> bool:
        try:
            return any(str(link.readlink()) == self.path for link in Path(f"/proc/{pid}/fd").iterdir())
        except OSError:  # it has ended, or closed the file
            return False


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="open files are found in /proc")
def test_a_file_that_kills_workers_does_not_stop_the_rest(say: Say, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the extra cluster is not installed")
    folder = tmp_path / "takes"
    folder.mkdir()
    for number in range(24):
        shutil.copy(GOOD, folder / f"{number:02}.wav")
    bad = folder / "bad.wav"
    shutil.copy(FIXTURES / "good.wav", bad)
    killer = Killer(bad)
    killer.start()
    out = f"{tmp_path / 'results'}/"
    ran = say("check", str(folder), "--on", "dask", "--jobs", "2", "--out", out, "--json")
    killer.is_over = True
    killer.join()
    found = json.loads(ran.out)
    assert (found["takes"], found["failed"], found["verdicts"]) == (25, 1, {"ready": 24, "rejected": 1}), ran.err
    assert killer.killed >= 2
    (failed,) = [entry for entry in Parts(out).newest_first() if entry.is_failed]
    assert failed.name == str(bad)
    assert "its check ended the worker process" in failed.report.findings[0].message
    # afterward only what failed is checked, here without a killer
    again = json.loads(say("check", str(folder), "--out", out, "--retry-failed", "--json").out)
    assert (again["takes"], again["skipped"], again["failed"]) == (1, 24, 0)


@pytest.mark.slow
def test_objects_are_checked_at_a_scheduler_that_runs_elsewhere(
    say: Say, services: Services, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    distributed: Any = pytest.importorskip("distributed", reason="the extra cluster is not installed")
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)
    from onetake.io.s3_objects import Buckets

    bucket = Buckets().bucket(services.storage.bucket)
    for number in range(5):
        bucket.write(f"in/{number}.wav", GOOD, "audio/wav")
    prefix = f"s3://{services.storage.bucket}/in/"
    local = json.loads(say("check", prefix, str(GOOD), "--format", "json").out)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address=None, silence_logs=50
    ) as cluster:
        on = ("--on", cluster.scheduler_address.replace("tcp://", "dask://"))
        assert json.loads(say("check", prefix, str(GOOD), *on, "--format", "json").out) == local
        ran = say("check", prefix, *on, "--out", f"{tmp_path / 'results'}/", "--json")
        assert json.loads(ran.out)["takes"] == 5
        # errors of a worker have their usual status
        lost = say("check", f"{prefix}missing.wav", *on)
        assert (lost.status, "unreadable" in lost.out) == (1, True)
        monkeypatch.delenv("ONETAKE_BUCKET", raising=False)
        unknown = say("check", "s3://no-such-bucket/a.wav", *on)
        assert unknown.status == 3, unknown.err
    services.empty()


@pytest.mark.slow
def test_workers_that_end_while_they_start_are_replaced() -> None:
    pytest.importorskip("distributed", reason="the extra cluster is not installed")
    with open_engine("dask", 2) as engine:
        workers = set(started(set()))
        for worker in workers:
            psutil.Process(worker).kill()
        wait_until(lambda: len(started(workers)) == 2)
        for worker in started(workers):
            psutil.Process(worker).kill()
        reports = list(checked_in_order(engine, [str(GOOD)] * 4, PROFILES["default"]))
    assert [report.verdict for report in reports] == ["ready"] * 4


def started(before: set[int]) -> list[int]:
    """Return the workers of this process's cluster that are not among some others."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if child.pid not in before and "spawn_main" in " ".join(child.cmdline()):
                found.append(child.pid)
    return found
