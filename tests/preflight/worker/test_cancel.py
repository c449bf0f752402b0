"""Whoever no longer wants a report does not wait for it: Ctrl-C, a loop that is left, a parent that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import preflight
from preflight.worker.pool import end_all
from tests.support import make_audio as making
from tests.support.faulty_decoders import START, children_of, gone, install
from tests.support.make_audio import FIXTURES
from tests.support.processes import HANGS_AFTER_S, wait_until

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
SHORT = FIXTURES / "too-short.wav"
HANGING_S = 3600


@pytest.mark.slow
@LINUX
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_its_parent(how: signal.Signals, long_take: Path) -> None:
    program = f"import preflight\nwhile True: preflight.check({str(long_take)!r}); print('.', flush=True)"
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert parent.stdout is not None
    parent.stdout.readline()
    children = children_of(parent.pid)
    assert children
    parent.send_signal(how)
    parent.communicate(timeout=HANGS_AFTER_S)
    assert gone(children)


@LINUX
def test_ctrl_c_ends_a_check_of_many(tmp_path: Path) -> None:
    data = making.wav(making.talk(60))
    for number in range(40):
        (tmp_path / f"{number}.wav").write_bytes(data)
    command = [str(Path(sys.executable).with_name("onetake")), "check", str(tmp_path), "--format", "jsonl"]
    ran = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert ran.stdout is not None
    assert ran.stdout.readline().startswith("{")
    children = children_of(ran.pid)
    os.killpg(ran.pid, signal.SIGINT)
    _, err = ran.communicate(timeout=HANGS_AFTER_S)
    assert ran.returncode in {130, -signal.SIGINT}
    assert "Traceback" not in err
    assert err.strip() == "onetake: interrupted"
    assert gone(children)


def test_ctrl_c_between_two_answers_ends_the_worker(long_take: Path) -> None:
    def interrupted(seconds: float, total_s: float | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        preflight.check(long_take, on_progress=interrupted)
    # not the rest of the answers to the job that was given up
    assert preflight.check(FIXTURES / "good.wav").file.duration_s == 11.495


HANGING = """
import os, sys
from preflight.worker import child
child._START = {start!r}
from onetake.cli.main import run
sys.exit(run(["check", *sys.argv[1:]]))
"""


@LINUX
def test_ctrl_c_does_not_wait_for_decoders(faulty: Path) -> None:
    """Two recordings are under way, and would be for an hour."""
    program = HANGING.format(start=START.format(fault=f"time.sleep({HANGING_S})"))
    ran = subprocess.Popen(
        [sys.executable, "-c", program, "--format", "jsonl", str(SHORT), *[str(faulty)] * 4],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert ran.stdout is not None
    assert ran.stdout.readline().startswith("{")
    wait_until(lambda: len(children_of(ran.pid)) >= 2)
    children = children_of(ran.pid)
    ran.send_signal(signal.SIGINT)
    _, err = ran.communicate(timeout=HANGS_AFTER_S)
    assert (ran.returncode, err.strip()) == (130, "onetake: interrupted")
    assert gone(children)


def test_a_loop_that_is_left_ends_what_is_under_way(faulty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(f"time.sleep({HANGING_S})", monkeypatch)
    reports = preflight.check_many([SHORT, faulty, faulty, faulty], workers=2)
    assert next(reports).verdict == "rejected"
    reports.close()  # the others would take an hour
    assert preflight.check(SHORT).verdict == "rejected"  # the processes of others go on


class Listing(ThreadPoolExecutor):
    """An executor that keeps what it was given."""

    def __init__(self) -> None:
        super().__init__(1)
        self.futures: list[Future[Any]] = []

    def submit(self, *arguments: Any, **named: Any) -> Future[Any]:
        self.futures.append(super().submit(*arguments, **named))
        return self.futures[-1]


@pytest.mark.slow
def test_an_executor_of_ones_own_is_left_without_work(long_take: Path) -> None:
    with Listing() as pool:
        reports = preflight.check_many([SHORT, *[long_take] * 3], executor=pool, workers=1)
        next(reports)
        reports.close()
        assert [future.cancelled() for future in pool.futures[2:]] == [True, True]
    end_all()


@LINUX
def test_a_parent_that_has_its_children_reaped_hears_of_a_crash(faulty: Path) -> None:
    """If SIGCHLD is ignored, the exit status of a process is unknown."""
    program = (
        "import os, signal, sys, preflight\n"
        "from preflight.worker import child\n"
        f"child._START = {START.format(fault='os.abort()')!r}\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "print(preflight.check(sys.argv[1]).findings[0].message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(faulty)], capture_output=True, text=True, timeout=HANGS_AFTER_S, check=True
    )
    assert "crash" in done.stdout
