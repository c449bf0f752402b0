"""Ctrl-C and worse, at every stage: nothing is left behind, and no voice is lost."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onetake.sandbox.endpoint import StandInEndpoint
from tests.client.scripted_server import ScriptedServer, answers, stalls
from tests.onetake.services import FIXTURES, KEY, Services, onetake, paid_calls
from tests.uploader.scripted_server import Answer, Request
from tests.uploader.scripted_server import ScriptedServer as ScriptedStorage

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and the kernel's parent-death signal")
SANDBOX_CLONE = ("clone", str(FIXTURES / "voice-message.ogg"), "--sandbox", "--json")


class Running:
    """The command in a process of its own, and everything that it started."""

    def __init__(self, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "onetake", *arguments],
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def end(self, timeout_s: float = 30) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=timeout_s)
        assert b"Traceback" not in err
        return self.process.returncode, out.decode(), err.decode()


def mine() -> dict[int, str]:
    """The living processes whose temporary folder is that of this test, with their command lines."""
    wanted = f"{os.environ['TMPDIR']}".encode()
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                line = (folder / "cmdline").read_bytes()
                if line and wanted in (folder / "environ").read_bytes():
                    found[int(folder.name)] = line.replace(b"\0", b" ").decode()
            except OSError:
                continue
    return found


def wait_for(what: Callable[[], object], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def left_behind() -> list[str]:
    return sorted(path.name for path in Path(os.environ["TMPDIR"]).iterdir())


@pytest.fixture(autouse=True)
def _nothing_stays(home: Path) -> Iterator[None]:
    yield
    for pid in mine():
        os.kill(pid, signal.SIGKILL)


@linux_only
@pytest.mark.parametrize(
    ("number", "after_s"),
    [*((signal.SIGINT, moment) for moment in (0.5, 1.3, 2.1)), (signal.SIGTERM, 0.9), (signal.SIGTERM, 1.7)],
)
def test_nothing_is_left_at_whatever_moment_it_is_stopped(number: signal.Signals, after_s: float) -> None:
    running = Running(*SANDBOX_CLONE)
    time.sleep(after_s)
    running.process.send_signal(number)
    status, out, _ = running.end()
    # before Python is up a signal ends the process its own way; near the end the work may be done already
    assert status in {130, 0, -number} or (status == 1 and after_s < 0.6)
    if status == 130:
        document = json.loads(out)
        assert document.get("error", {}).get("kind") == "interrupted" or document["interrupted"]
    wait_for(lambda: not mine(), 5)
    assert left_behind() == []


@linux_only
def test_a_killed_command_takes_its_sandbox_along() -> None:
    running = Running("clone", str(FIXTURES / "good.wav"), "--sandbox", "--json")
    wait_for(lambda: any("weed" in line for line in mine().values()))
    for line in mine().values():  # whoever lists processes sees no key
        assert "sandbox-" not in line.replace("onetake-sandbox-", "")
    running.process.kill()
    running.process.communicate()
    wait_for(lambda: not mine(), 10)
    assert [name for name in left_behind() if "sandbox" in name] == []


@linux_only
def test_a_killed_supervisor_takes_the_storage_along_and_the_next_one_cleans_up() -> None:
    running = Running("sandbox")
    wait_for(lambda: any("weed" in line for line in mine().values()))
    running.process.kill()
    running.process.communicate()
    wait_for(lambda: not mine(), 5)
    assert len(left_behind()) == 1
    status, _, _ = Running("doctor", "--sandbox", "--json").end()
    assert status == 0
    assert left_behind() == []


@linux_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_in_the_foreground_ends_politely(number: signal.Signals) -> None:
    running = Running("sandbox")
    assert running.process.stdout is not None
    lines = [running.process.stdout.readline().decode() for _ in range(4)]
    assert lines[2].startswith("export ONETAKE_BASE_URL=http://127.0.0.1:")
    running.process.send_signal(number)
    status, _, _ = running.end()
    assert status == 0
    wait_for(lambda: not mine(), 5)
    assert left_behind() == []


@pytest.fixture
def slow(services: Services) -> Iterator[dict[str, str]]:
    """Settings that lead to an endpoint which does what it is asked at once, and answers late."""
    with StandInEndpoint(KEY, answer_delay_s=1.5) as endpoint:
        yield services.settings(ONETAKE_BASE_URL=endpoint.base_url)
        assert endpoint.account()["clones_charged"] == 1


def is_called(home: Path) -> Callable[[], bool]:
    return lambda: len(paid_calls(home)) == 1


def test_the_first_ctrl_c_waits_for_the_voice(home: Path, services: Services, slow: dict[str, str]) -> None:
    running = Running(
        "clone",
        str(FIXTURES / "good.wav"),
        "--json",
        "--text",
        "Hi.",
        "--model",
        "speech-2.8-hd",
        "--demo",
        "d.mp3",
        env=slow,
    )
    wait_for(is_called(home))
    time.sleep(0.4)
    running.process.send_signal(signal.SIGINT)
    status, out, err = running.end()
    document = json.loads(out)
    assert status == 130
    assert document["interrupted"]
    assert document["voice_id"]
    assert "waiting for its answer" in err
    assert paid_calls(home)[0]["voice_id"] == document["voice_id"]
    assert services.objects() == {}
    assert left_behind() == []


def test_the_second_ctrl_c_gives_the_answer_up(home: Path, services: Services, slow: dict[str, str]) -> None:
    running = Running("clone", str(FIXTURES / "good.wav"), "--json", env=slow)
    wait_for(is_called(home))
    time.sleep(0.4)
    running.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    running.process.send_signal(signal.SIGINT)
    status, out, _ = running.end()
    assert (status, json.loads(out)["error"]["kind"]) == (5, "outcome-unknown")
    (call,) = paid_calls(home)
    assert (call["state"], call["kind"]) == ("unknown", "interrupted")
    assert call["id"] in json.loads(out)["error"]["hint"]
    assert services.objects() == {}
    assert left_behind() == []


@pytest.mark.parametrize(("command", "times"), [("say", 1), ("say", 2), ("keep", 2)])
def test_ctrl_c_waits_for_a_speech_call_too(
    home: Path, services: Services, slow: dict[str, str], command: str, times: int
) -> None:
    assert onetake("clone", str(FIXTURES / "good.wav"), "--name", "ann", env=slow).status == 0
    what = ("say", "ann", "Hello.", "-o", "hello.mp3") if command == "say" else ("keep", "ann", "--yes")
    running = Running(*what, "--json", env=slow)
    time.sleep(1.2)
    for _ in range(times):
        running.process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    status, out, err = running.end()
    (voice,) = json.loads(onetake("voices", "--json").out)["voices"]
    document = json.loads(out)
    assert "(Ctrl-C again gives it up)" in err
    if times == 1:
        assert status == 130
        assert voice["kept_at"]
        assert command == "keep" or Path("hello.mp3").stat().st_size > 1000
    else:
        assert status == 5
        error = document["error"] if command == "say" else document["voices"][0]["error"]
        assert error["kind"] == "outcome-unknown"
        assert not voice["kept_at"]
        assert not Path("hello.mp3").exists()


def test_ctrl_c_during_the_demo_keeps_the_voice(home: Path, services: Services) -> None:
    with ScriptedServer(stalls) as demos:
        answer = {"voice_id": "voice_paid", "demo_audio_url": f"{demos.base_url}/demo.mp3"}
        with ScriptedServer(answers(200, answer)) as endpoint:
            trial = ("--text", "Hi.", "--model", "speech-2.8-hd", "--demo", "demo.mp3")
            env = services.settings(ONETAKE_BASE_URL=endpoint.base_url)
            running = Running("clone", str(FIXTURES / "good.wav"), "--json", *trial, env=env)
            wait_for(lambda: demos.requests)
            running.process.send_signal(signal.SIGINT)
            status, out, _ = running.end(5)
    assert (status, json.loads(out)["voice_id"], json.loads(out)["demo"]) == (130, "voice_paid", None)
    assert services.objects() == {}
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-", "2> >(exit)"])
def test_ctrl_c_is_told_by_the_status_where_nothing_can_be_written(where: str, home: Path) -> None:
    takes = " ".join([str(FIXTURES / "good.m4a")] * 200)
    running = subprocess.Popen(
        ["bash", "-c", f"exec {sys.executable} -m onetake check --format jsonl {takes} {where}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert running.stdout is not None
    running.stdout.readline()
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    assert running.returncode == 130


class SlowStorage(ScriptedStorage):
    """A storage that takes its time to delete."""

    def _behave(self, request: Request) -> Answer:
        return dataclasses.replace(super()._behave(request), wait_s=1.5 if request.method == "DELETE" else 0.0)


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_during_the_cleaning_keeps_the_voice(home: Path, services: Services, times: int) -> None:
    with SlowStorage() as storage, ScriptedServer(answers(200, {"voice_id": "voice_paid"})) as endpoint:
        env = services.settings(
            ONETAKE_BASE_URL=endpoint.base_url, ONETAKE_S3_ENDPOINT=storage.endpoint, ONETAKE_BUCKET="takes"
        )
        running = Running("clone", str(FIXTURES / "good.wav"), "--json", env=env)
        wait_for(lambda: storage.asked("DELETE object"))
        for _ in range(times):
            running.process.send_signal(signal.SIGINT)
            time.sleep(0.2)
        status, out, err = running.end(10)
    document = json.loads(out)
    assert (status, document["voice_id"]) == (130, "voice_paid")
    assert document["uploads"][0]["deleted"] == (times == 1)
    assert ("may still be stored" in err) == (times == 2)
