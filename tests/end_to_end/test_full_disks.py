"""Full and read-only disks: no paid call that the ledger cannot store, and no lost voice."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onetake.ledger import Ledger
from tests.onetake.conftest import Say
from tests.soak.rig import make_takes
from tests.support.scripted_service import ScriptedServer, answers
from tests.support.services import FIXTURES, Services, paid_calls

GOOD = str(FIXTURES / "good.wav")
Disk = Callable[[int], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Make a small disk, its size in kibibytes; only root may mount one."""
    mounted: list[Path] = []

    def make(kibibytes: int) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(folder)]
        if os.getuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("a small disk can only be mounted as root")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(autouse=True)
def _real(services: Services, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)


def fill(folder: Path) -> Path:
    """Fill a disk."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(512))
    return filler


@contextlib.contextmanager
def filling_endpoint(folder: Path) -> Iterator[ScriptedServer]:
    """An endpoint that makes a voice for each call, and fills a disk at the second one."""

    def answer(line: socket.socket, server: ScriptedServer) -> None:
        if server.connections == 2:
            fill(folder)
        answers(200, {"voice_id": f"voice_{uuid.uuid4()}"})(line, server)

    with ScriptedServer(answer) as endpoint:
        yield endpoint


@pytest.mark.slow
def test_the_disk_of_the_ledger_fills_during_calls(
    say: Say, disk: Disk, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = disk(1024)
    monkeypatch.setenv("ONETAKE_HOME", str(home / "onetake"))
    make_takes(Path("many"), 6)
    with filling_endpoint(home) as endpoint:
        monkeypatch.setenv("ONETAKE_BASE_URL", endpoint.base_url)
        ran = say("clone", "many", "--format", "jsonl", "--calls-at-once", "2")
        paid = endpoint.connections
        assert ran.status == 5
        read = {outcome["voice_id"] for outcome in map(json.loads, ran.out.splitlines()) if "voice_id" in outcome}
        assert len(read) == paid  # every voice was printed, noted or not
        (home / "filler").unlink()
        noted = {call["voice_id"] for call in paid_calls(home)} - {None}
        shouted = dict(re.findall(r"onetake voices settle (\w+) --voice (voice_[\w-]+)", ran.err))
        assert noted | set(shouted.values()) == read
        assert noted.isdisjoint(shouted.values())
        for attempt, voice in shouted.items():
            assert say("voices", "settle", attempt, "--voice", voice).status == 0
        assert say("clone", "many", "--format", "jsonl", "--calls-at-once", "1").status == 0
        assert endpoint.connections == 6
    with Ledger(home / "onetake") as ledger:
        assert read <= {voice.voice_id for voice in ledger.voices.all()}
    assert services.objects() == {}


def test_nothing_is_sent_with_a_read_only_ledger(say: Say, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    home = disk(512)
    monkeypatch.setenv("ONETAKE_HOME", str(home / "onetake"))
    assert say("clone", GOOD).status == 0
    subprocess.run(["mount", "-o", "remount,ro", str(home)], check=True)
    with ScriptedServer(answers(200, {"voice_id": "bought"})) as endpoint:
        monkeypatch.setenv("ONETAKE_BASE_URL", endpoint.base_url)
        ran = say("clone", GOOD, "--json")
        assert (ran.status, json.loads(ran.out)["error"]["kind"]) == (2, "ledger-failed")
        assert str(home) in ran.err
        assert endpoint.connections == 0


def test_a_full_disk_for_fixed_copies_is_reported_in_one_line(
    say: Say, disk: Disk, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(disk(64)))
    monkeypatch.setattr("tempfile.tempdir", None)
    with ScriptedServer(answers(200, {"voice_id": "bought"})) as endpoint:
        monkeypatch.setenv("ONETAKE_BASE_URL", endpoint.base_url)
        shutil.copy(FIXTURES / "voice-message.ogg", "take.ogg")
        for arguments in (("take.ogg",), ("take.ogg", GOOD, "--format", "jsonl")):
            ran = say("clone", *arguments)
            assert ran.status == 2
            assert "take.ogg: its fixed copy cannot be written: the disk is full" in ran.err + ran.out
        assert endpoint.connections == 1  # the other one needs no copy


def test_a_full_disk_for_fix_and_join_names_the_file(say: Say, disk: Disk) -> None:
    out = str(disk(64) / "out.wav")
    ran = say("join", GOOD, GOOD, "-o", out)
    assert (ran.status, f"{out}: the disk is full" in ran.err) == (2, True)
    ran = say("fix", str(FIXTURES / "voice-message.ogg"), "-o", out)
    assert (ran.status, f"{out}: the disk is full" in ran.err) == (2, True)


def test_a_full_disk_for_the_preview_does_not_lose_the_voice(
    say: Say, disk: Disk, home: Path, services: Services
) -> None:
    folder = disk(16)
    fill(folder)
    demo = str(folder / "demo.mp3")
    ran = say("clone", GOOD, "--json", "--text", "Hi.", "--model", "speech-2.8-hd", "--demo", demo)
    document = json.loads(ran.out)
    assert (ran.status, document["demo"]) == (0, None)
    assert "could not be saved" in document["warnings"][0]
    assert paid_calls(home)[0]["voice_id"] == document["voice_id"]
    assert services.objects() == {}
