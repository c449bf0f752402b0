"""Signals at every stage of a command, from its first line to its exit, and signals that it must ignore."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from onetake.sandbox.endpoint import StandInEndpoint
from tests.support.processes import HANGS_AFTER_S, Running, ignored_signals, wait_until
from tests.support.servers import HeldAnswers
from tests.support.services import FIXTURES, KEY, Services

GOOD = str(FIXTURES / "good.wav")
AT_EVENT = (sys.executable, str(Path(__file__).parents[2] / "support" / "signal_at_event.py"))
CHECK = ("check", GOOD, "--format", "json")
NUMBERS = (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM))

WAIT = """
import _thread, threading
from onetake.io.signals import install_handlers, interruptible, wait_for_signal
@interruptible
def main():
    # like Ctrl-Break on Windows, this notes a signal and ends neither a sleep nor a wait for a lock
    threading.Timer(0.1, _thread.interrupt_main).start()
    try:
        wait_for_signal()
    except KeyboardInterrupt:
        print("stopped")
install_handlers()
main()
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")


def interrupted(event: int, number: int, *arguments: str) -> tuple[int, str, str]:
    return Running(str(event), str(number), *arguments, before=AT_EVENT).end()


# start, imports of click and msgspec, the decoding process, numpy, the check itself
@pytest.mark.parametrize("event", [1, 2, 4, 40, 150, 300, 600, 900])
def test_a_signal_at_any_stage_gives_one_document_and_no_traceback(home: Path, event: int) -> None:
    number = NUMBERS[event % 3]
    status, out, err = interrupted(event, number, *CHECK)
    assert status == 128 + number
    assert json.loads(out)["error"]["kind"] == "interrupted"
    assert err.strip().count("\n") == 0
    assert "onetake: " in err


@pytest.mark.parametrize("arguments", [("--version",), CHECK, ("--help",)], ids=lambda words: words[0])
def test_a_signal_at_exit_leaves_the_result_complete(home: Path, arguments: tuple[str, ...]) -> None:
    status, out, err = interrupted(-1, signal.SIGINT, *arguments)
    assert status in {0, 130}
    assert out
    assert err == ""


PRINTING = """
import click, os, signal, sys
echo = click.echo

def signalling(message, **settings):
    for send in (True, False):
        if not settings.get("err"):
            os.kill(os.getpid(), signal.SIGINT)
        if send:
            echo(message, **settings)

click.echo = signalling
sys.argv[0] = "onetake"
from onetake.__main__ import main
main()
"""


@pytest.mark.parametrize(("form", "end"), [("json", "}"), ("junit", "</testsuites>")])
def test_a_signal_before_or_after_the_document_gives_no_second_one(home: Path, form: str, end: str) -> None:
    arguments = ("check", GOOD, "--format", form)
    status, out, err = Running(*arguments, before=(sys.executable, "-c", PRINTING)).end()
    assert (status, err) in {(0, ""), (130, "onetake: interrupted\n")}  # it ends as quickly as the signal comes back
    assert out.count("schema_version" if form == "json" else "<testsuites") == 1
    assert "interrupted" not in out
    assert out.rstrip().endswith(end)


@pytest.mark.parametrize("event", [1, 2, 3])
def test_the_version_is_printed_or_interrupted(home: Path, event: int) -> None:
    status, out, err = interrupted(event, signal.SIGINT, "--version")
    assert (status, bool(out)) in {(0, True), (130, False), (130, True)}
    assert err == ""


AWKWARD = """
import gc, os, signal, sys, weakref
from onetake.io.signals import install_handlers, interruptible

def send(*_):
    os.kill(os.getpid(), signal.SIGINT)

class Finalized:
    def __del__(self):
        send()

class Referenced:
    pass

@interruptible
def work():
    {moment}
    for _ in range(10**9):
        pass

install_handlers()
try:
    work()
except KeyboardInterrupt:
    print("interrupted", sys.modules.get("signalling_module") and sys.modules["signalling_module"].finished)
"""

SIGNALLING = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
    finished = True
except BaseException:
    pass
"""


@pytest.mark.parametrize(
    "moment",
    [
        "Finalized()",
        "it = Referenced(); reference = weakref.ref(it, send); del it",
        "it = Finalized(); it.itself = it; del it; gc.collect()",
        "import signalling_module",
    ],
)
def test_a_signal_in_code_that_must_not_raise_is_delivered_later(tmp_path: Path, moment: str) -> None:
    (tmp_path / "signalling_module.py").write_text(SIGNALLING, encoding="utf-8")
    program = (sys.executable, "-c", AWKWARD.format(moment=moment))
    status, out, err = Running(before=program, env={"PYTHONPATH": str(tmp_path)}).end()
    assert (status, err) == (0, "")
    assert out == ("interrupted True\n" if "import" in moment else "interrupted None\n")


def test_a_signal_that_is_delivered_later_interrupts_a_read(tmp_path: Path) -> None:
    program = AWKWARD.format(moment="Finalized(); os.read(os.pipe()[0], 1)")
    assert Running(before=(sys.executable, "-c", program)).end() == (0, "interrupted None\n", "")


def test_ignored_signals_stay_ignored_in_the_command_and_in_a_paid_call(home: Path, services: Services) -> None:
    held = HeldAnswers()
    with StandInEndpoint(KEY, log=held) as endpoint:
        env = services.settings(ONETAKE_BASE_URL=endpoint.base_url)
        running = Running("clone", GOOD, "--json", env=env, signals=ignored_signals)
        wait_until(lambda: held.calls)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGINT):
            running.send(number)
        if sys.platform == "linux":
            lines = Path(f"/proc/{running.process.pid}/status").read_text(encoding="ascii").splitlines()
            (ignored,) = (int(line.split()[1], 16) for line in lines if line.startswith("SigIgn"))
            assert all(ignored >> (number - 1) & 1 for number in (signal.SIGINT, signal.SIGHUP))
        held.released.set()
        status, out, err = running.end()
    assert status == 0, err
    assert json.loads(out)["interrupted"] is False
    assert "Ctrl-C" not in err


def test_nohup_is_respected(home: Path) -> None:
    command = f'trap "" HUP INT; "{sys.executable}" -m onetake check "{GOOD}" & pid=$!; '
    command += "kill -HUP $pid; kill -INT $pid; wait $pid"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ready" in done.stdout


def test_a_signal_that_does_not_wake_the_main_thread_ends_the_wait() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WAIT], capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped\n", "")


@pytest.mark.parametrize(
    "moment", ["atexit.register(interrupt)", "late = Late()", "threading.Thread(target=later).start()"]
)
@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_after_the_result_does_not_change_the_status(moment: str, number: signal.Signals) -> None:
    """The interpreter restores the default disposition of handled signals while it ends."""
    script = f"""
import atexit, os, signal, sys, threading, time
from onetake.io.signals import install_handlers, keep_status
def interrupt(): os.kill(os.getpid(), {int(number)})
def later():
    time.sleep(0.2)
    interrupt()
class Late:
    def __del__(self, kill=os.kill, process=os.getpid()): kill(process, {int(number)})
signal.signal({int(number)}, signal.SIG_DFL)
install_handlers()
{moment}
keep_status(5)
sys.exit(5)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=HANGS_AFTER_S, check=False)
    assert (done.returncode, done.stderr) == (5, b"")
