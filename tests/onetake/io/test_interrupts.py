"""Ctrl-C and kills at every stage: nothing is left behind, and no voice is lost."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from onetake.sandbox.endpoint import StandInEndpoint
from tests.support.processes import HANGS_AFTER_S, Running, processes_with, wait_until
from tests.support.scripted_service import ScriptedServer, answers, stalls
from tests.support.scripted_storage import Answer, Request
from tests.support.scripted_storage import ScriptedServer as ScriptedStorage
from tests.support.selection import parametrize_some
from tests.support.servers import HeldAnswers
from tests.support.services import FIXTURES, KEY, Services, onetake, paid_calls

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and the kernel's parent-death signal")
SANDBOX_CLONE = ("clone", str(FIXTURES / "voice-message.ogg"), "--sandbox", "--json")
AT_EVENT = (sys.executable, str(Path(__file__).parents[2] / "support" / "signal_at_event.py"))
NOTE = "waiting for its answer"


def mine() -> dict[int, str]:
    """The processes started by this test that still run."""
    return processes_with(os.environ["TMPDIR"])


def left_behind() -> list[str]:
    return sorted(path.name for path in Path(os.environ["TMPDIR"]).iterdir())


@pytest.fixture(autouse=True)
def _nothing_stays(home: Path) -> Iterator[None]:
    yield
    for pid in mine() if sys.platform == "linux" else ():
        os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
@linux_only
@pytest.mark.parametrize(
    ("event", "number"),
    [(500, signal.SIGINT), (2000, signal.SIGINT), (4000, signal.SIGTERM), (5500, signal.SIGINT), (7000, signal.SIGHUP)],
)
def test_nothing_is_left_behind_at_any_moment_of_a_stop(event: int, number: signal.Signals) -> None:
    status, out, _ = Running(str(event), str(int(number)), *SANDBOX_CLONE, before=AT_EVENT).end()
    document = json.loads(out)
    assert status == 128 + number
    assert document.get("error", {}).get("kind") == "interrupted" or document["interrupted"]
    wait_until(lambda: not mine())
    assert left_behind() == []


@linux_only
def test_the_sandbox_of_a_killed_command_stops() -> None:
    running = Running("clone", str(FIXTURES / "good.wav"), "--sandbox", "--json")
    wait_until(lambda: any("weed" in line for line in mine().values()))
    for line in mine().values():  # whoever lists processes sees no key
        assert "sandbox-" not in line.replace("onetake-sandbox-", "")
    running.process.kill()
    running.process.wait()
    wait_until(lambda: not mine())
    assert [name for name in left_behind() if "sandbox" in name] == []


@pytest.mark.slow
@linux_only
def test_the_storage_of_a_killed_supervisor_stops_and_the_next_one_cleans_up() -> None:
    running = Running("sandbox")
    wait_until(lambda: any("weed" in line for line in mine().values()))
    running.process.kill()
    running.process.wait()
    wait_until(lambda: not mine())
    assert len(left_behind()) == 1
    status, _, _ = Running("doctor", "--sandbox", "--json").end()
    assert status == 0
    assert left_behind() == []


@linux_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_in_the_foreground_stops_cleanly(number: signal.Signals) -> None:
    running = Running("sandbox")
    running.wait_for_line("# Stop it with Ctrl-C.")
    wait_until(lambda: len(running.out.splitlines()) > 2)  # the other stream may be read later
    assert running.out.splitlines()[2].startswith("export ONETAKE_BASE_URL=http://127.0.0.1:")
    running.send(number)
    status, _, _ = running.end()
    assert status == 0
    wait_until(lambda: not mine())
    assert left_behind() == []


@dataclasses.dataclass
class Held:
    """An endpoint that delays its answers until they are released."""

    answers: HeldAnswers
    endpoint: StandInEndpoint
    env: dict[str, str]


@pytest.fixture
def held(services: Services) -> Iterator[Held]:
    answers = HeldAnswers()
    with StandInEndpoint(KEY, log=answers) as endpoint:
        yield Held(answers, endpoint, services.settings(ONETAKE_BASE_URL=endpoint.base_url))
        answers.released.set()
        assert endpoint.account()["clones_charged"] == 1


@parametrize_some("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], fast=1)
def test_the_first_signal_waits_for_the_voice(
    home: Path, services: Services, held: Held, number: signal.Signals
) -> None:
    preview = ("--text", "Hi.", "--model", "speech-2.8-hd", "--demo", "d.mp3")
    running = Running("clone", str(FIXTURES / "good.wav"), "--json", *preview, env=held.env)
    wait_until(lambda: held.answers.calls)
    running.send(number)
    running.wait_for_line(NOTE)
    held.answers.released.set()
    status, out, _ = running.end()
    document = json.loads(out)
    assert status == 128 + number
    assert document["interrupted"]
    assert document["voice_id"]
    assert paid_calls(home)[0]["voice_id"] == document["voice_id"]
    assert services.objects() == {}
    assert left_behind() == []


def test_the_second_ctrl_c_stops_waiting_for_the_answer(home: Path, services: Services, held: Held) -> None:
    running = Running("clone", str(FIXTURES / "good.wav"), "--json", env=held.env)
    wait_until(lambda: held.answers.calls)
    running.send(signal.SIGINT)
    running.wait_for_line(NOTE)
    running.send(signal.SIGINT)
    status, out, _ = running.end()
    assert (status, json.loads(out)["error"]["kind"]) == (5, "outcome-unknown")
    (call,) = paid_calls(home)
    assert (call["state"], call["kind"]) == ("unknown", "interrupted")
    assert call["id"] in json.loads(out)["error"]["hint"]
    assert services.objects() == {}
    assert left_behind() == []


@pytest.mark.slow
@pytest.mark.parametrize(("command", "times"), [("say", 1), ("say", 2), ("keep", 2)])
def test_ctrl_c_waits_for_a_speech_call(home: Path, held: Held, command: str, times: int) -> None:
    held.answers.released.set()
    assert onetake("clone", str(FIXTURES / "good.wav"), "--name", "ann", env=held.env).status == 0
    held.answers.released.clear()
    before = held.answers.calls
    what = ("say", "ann", "Hello.", "-o", "hello.mp3") if command == "say" else ("keep", "ann", "--yes")
    running = Running(*what, "--json", env=held.env)
    wait_until(lambda: held.answers.calls > before)
    running.send(signal.SIGINT)
    running.wait_for_line("(Ctrl-C again stops waiting)")
    if times == 2:
        running.send(signal.SIGINT)
    else:
        held.answers.released.set()
    status, out, _ = running.end()
    (voice,) = json.loads(onetake("voices", "--json").out)["voices"]
    document = json.loads(out)
    if times == 1:
        assert status == 130
        assert voice["kept_at"]
        assert Path("hello.mp3").stat().st_size > 1000
    else:
        assert status == 5
        error = document["error"] if command == "say" else document["voices"][0]["error"]
        assert error["kind"] == "outcome-unknown"
        assert not voice["kept_at"]
        assert not Path("hello.mp3").exists()


def test_ctrl_c_during_the_preview_keeps_the_voice(home: Path, services: Services) -> None:
    with ScriptedServer(stalls) as demos:
        answer = {"voice_id": "voice_paid", "demo_audio_url": f"{demos.base_url}/demo.mp3"}
        with ScriptedServer(answers(200, answer)) as endpoint:
            preview = ("--text", "Hi.", "--model", "speech-2.8-hd", "--demo", "demo.mp3")
            env = services.settings(ONETAKE_BASE_URL=endpoint.base_url)
            running = Running("clone", str(FIXTURES / "good.wav"), "--json", *preview, env=env)
            wait_until(lambda: demos.requests)
            running.send(signal.SIGINT)
            status, out, _ = running.end()
    assert (status, json.loads(out)["voice_id"], json.loads(out)["demo"]) == (130, "voice_paid", None)
    assert services.objects() == {}
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-", "2> >(exit)"])
def test_ctrl_c_sets_the_status_even_without_output(where: str, home: Path) -> None:
    takes = " ".join([str(FIXTURES / "good.m4a")] * 200)
    running = subprocess.Popen(
        ["bash", "-c", f"exec {sys.executable} -m onetake check --format jsonl {takes} {where}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert running.stdout is not None
    running.stdout.readline()
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=HANGS_AFTER_S)
    assert running.returncode == 130


class HoldingStorage(ScriptedStorage):
    """A storage that delays the answer to DELETE until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def _behave(self, request: Request) -> Answer:
        if request.method == "DELETE":
            self.released.wait(HANGS_AFTER_S)
        return super()._behave(request)


@parametrize_some("times", [1, 2], fast=1)
def test_ctrl_c_during_the_cleanup_keeps_the_voice(home: Path, services: Services, times: int) -> None:
    with HoldingStorage() as storage, ScriptedServer(answers(200, {"voice_id": "voice_paid"})) as endpoint:
        env = services.settings(
            ONETAKE_BASE_URL=endpoint.base_url, ONETAKE_S3_ENDPOINT=storage.endpoint, ONETAKE_BUCKET="takes"
        )
        running = Running("clone", str(FIXTURES / "good.wav"), "--json", env=env)
        wait_until(lambda: storage.asked("DELETE object"))
        running.send(signal.SIGINT)
        running.wait_for_line("Ctrl-C again leaves them")
        if times == 2:
            running.send(signal.SIGINT)
            running.wait_for_line("may still be stored")
        storage.released.set()
        status, out, err = running.end()
    document = json.loads(out)
    assert (status, document["voice_id"]) == (130, "voice_paid")
    assert document["uploads"][0]["deleted"] == (times == 1)
    assert ("may still be stored" in err) == (times == 2)
