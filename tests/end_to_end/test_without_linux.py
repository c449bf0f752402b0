"""The command on a system without memfd, /proc, prctl, pipe2, pidfd, poll and limits on memory: only POSIX remains."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from onetake.sandbox.endpoint import StandInEndpoint
from tests.soak.kills import disturb, settle_and_count
from tests.soak.rig import rig
from tests.support.faulty_decoders import children_of, gone
from tests.support.make_audio import talk, wav
from tests.support.processes import Running, processes_with, wait_until
from tests.support.servers import HeldAnswers
from tests.support.services import FIXTURES, KEY, Services, onetake, paid_calls

WITHOUT = (sys.executable, "-P", str(FIXTURES.parent / "tests" / "support" / "without_linux.py"))
TAKE = str(FIXTURES / "good.wav")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="removes what Linux has")]


def running(*arguments: str, env: dict[str, str] | None = None) -> Running:
    return Running(*arguments, env=env, before=WITHOUT)


def mine() -> dict[int, str]:
    """The processes started by this test that still run."""
    return processes_with(os.environ["TMPDIR"])


@pytest.fixture(autouse=True)
def _nothing_stays(home: Path) -> Iterator[None]:
    yield
    for pid in mine():
        os.kill(pid, signal.SIGKILL)


def test_reports_are_the_same() -> None:
    names = [str(FIXTURES / name) for name in ("good.wav", "good.m4a", "damaged.mp3", "text.mp3")]
    status, out, err = running("check", *names, "--json").end()
    usual = onetake("check", *names, "--json")
    assert status == usual.status, err
    assert json.loads(out) == json.loads(usual.out)


def test_fix_prompt_and_clone_work() -> None:
    commands = (
        ("fix", str(FIXTURES / "voice-message.ogg"), "-o", "fixed.wav"),
        ("prompt", str(FIXTURES / "prompt.wav"), "--pick", "1", "-o", "clip.m4a"),
        ("clone", str(FIXTURES / "good.m4a"), "--text", "Hello.", "--model", "speech-2.8-hd", "--demo", "demo.mp3",
         "--prompt", "clip.m4a", "--prompt-text", (FIXTURES / "prompt.txt").read_text().strip(), "--sandbox"),
    )  # fmt: skip
    for command in commands:
        status, _, err = running(*command).end()
        assert status == 0, err
    assert {path.name for path in Path().iterdir()} == {"fixed.wav", "clip.m4a", "demo.mp3"}
    wait_until(lambda: not mine())


def test_a_killed_paid_batch_is_resumed(tmp_path: Path) -> None:
    with rig(tmp_path / "rig", takes=8) as made:
        made.program = WITHOUT
        hits = disturb(made, "kill", times=2, seed=3)
        assert hits.calls >= 1
        settle_and_count(made, 8)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_during_a_paid_call(home: Path, services: Services, number: signal.Signals) -> None:
    """A stop waits for the voice; after a kill the call is unknown, is not made again, and its upload is listed."""
    held = HeldAnswers()
    with StandInEndpoint(KEY, log=held) as endpoint:
        env = services.settings(ONETAKE_BASE_URL=endpoint.base_url)
        first = running("clone", TAKE, "--json", env=env)
        wait_until(lambda: held.calls)
        first.send(number)
        if number != signal.SIGKILL:
            first.wait_for_line("waiting for its answer")
            held.released.set()
        status, out, _ = first.end()
        held.released.set()
        again, repeated, _ = running("clone", TAKE, "--json", env=env).end()
        (call,) = paid_calls(home)
        if number == signal.SIGKILL:
            assert (status, again) == (-number, 5)
            assert json.loads(repeated)["error"]["kind"] == "not-settled"
            assert call["state"] == "unknown"
            assert running("storage", "clean", env=env).end()[0] == 0
        else:
            assert (status, again) == (128 + number, 0)
            assert call["voice_id"] == json.loads(out)["voice_id"] == json.loads(repeated)["voice_id"]
        assert endpoint.account()["clones_charged"] == 1
        assert services.objects() == {}
    wait_until(lambda: not mine())


def test_a_killed_clone_takes_its_sandbox_and_workers_along() -> None:
    first = running("clone", TAKE, "--sandbox", "--json")
    wait_until(lambda: any("weed" in line for line in mine().values()))
    first.send(signal.SIGKILL)
    assert first.process.wait() == -signal.SIGKILL
    wait_until(lambda: not mine())
    status, out, _ = running("clone", TAKE, "--sandbox", "--json").end()
    assert status == 0
    assert json.loads(out)["voice_id"]
    wait_until(lambda: not mine())
    assert list(Path(os.environ["TMPDIR"]).iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("command", ["fix", "prompt"])
def test_a_killed_command_leaves_no_worker_and_no_part_of_a_file(command: str, number: signal.Signals) -> None:
    Path("long.wav").write_bytes(wav(talk(290)))
    more = ["--pick", "1"] if command == "prompt" else ["--edit", "remove-dc,high-pass"]
    first = running(command, "long.wav", "-o", "out.wav", *more)
    wait_until(lambda: children_of(first.process.pid))
    children = children_of(first.process.pid)
    first.send(number)
    first.process.wait()
    assert gone(children)
    if Path("out.wav").exists():  # it may have been complete before the signal
        assert onetake("check", "out.wav").status in {0, 1}
    else:
        assert first.process.returncode in {-signal.SIGKILL, 128 + number}, first.err
    assert [path.name for path in Path().iterdir() if path.name not in {"long.wav", "out.wav"}] == []
