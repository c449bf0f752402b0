"""Standard output is one JSON document in every case; closed, full and broken streams are handled."""

from __future__ import annotations

import array
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from onetake.render.formats import LINE_FORMS
from tests.onetake.conftest import Say
from tests.support.processes import HANGS_AFTER_S, ONETAKE, default_signals, wait_until
from tests.support.selection import parametrize_some
from tests.support.services import FIXTURES, Services, onetake, paid_calls

GOOD, SHORT = str(FIXTURES / "good.wav"), str(FIXTURES / "too-short.wav")
SPEAKING = [f"check --format {form} {GOOD}" for form in ("json", "jsonl", *LINE_FORMS)]  # text is the default
SPEAKING += ["check --schema", "completion bash"]
FAILING = ["nope --json", "check --format junit", "check --format github"]
full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("check", GOOD, "--format", "json"), 0),
        (("check", GOOD, SHORT, "missing.wav", "--format=json"), 1),
        (("check", "--format", "json"), 2),
        (("check", GOOD, "--format", "json", "--nope"), 2),
        (("check", GOOD, "--prompt-text", "x", "--format", "json"), 2),
        (("check", GOOD, "--fail-on", "nothing", "--format", "json"), 2),
        (("fix", SHORT, "-o", "x.wav", "--json"), 1),
        (("fix", GOOD, "-o", "x.flac", "--json"), 2),
        (("fix", GOOD, "-o", "no/such/folder/x.wav", "--json"), 2),
        (("fix", GOOD, "--json"), 0),
        (("fix", GOOD, "--to", "wav", "--keep", "nonesuch", "--json"), 2),
        (("fix", GOOD, "-o", "x.wav", "--json"), 0),
        (("fix", GOOD, "--dry-run", "--json"), 0),
        (("clone", "--json"), 2),
        (("clone", GOOD, "--json"), 2),
        (("clone", SHORT, "--json", "--dry-run", "--sandbox"), 1),
        (("clone", GOOD, "--json", "--dry-run", "--sandbox"), 0),
        (("clone", GOOD, "--json", "--accuracy", "2"), 2),
        (("clone", GOOD, "--json", "--accuracy", "much"), 2),
        (("clone", GOOD, "--json", "--accuracy", "nan"), 2),
        (("clone", GOOD, "--json", "--text", "Hi."), 2),
        (("clone", GOOD, "--json", "--text", "x" * 2001, "--model", "speech-2.8-hd"), 2),
        (("clone", GOOD, "--json", "--text", "Hi.", "--model", "nonesuch"), 2),
        (("clone", GOOD, "--json", "--text", "\udcff", "--model", "speech-2.8-hd"), 2),
        (("clone", GOOD, "--json", "--prompt", GOOD), 2),
        (("clone", GOOD, "--json", "--prompt-text", "Hi."), 2),
        (("clone", GOOD, "--json", "--demo", "d.mp3"), 2),
        (("upload", GOOD, "--json"), 2),
        (("doctor", "--json"), 2),
        (("config", "--json"), 0),
        (("config", "--json", "surplus\udcff"), 2),
        (("config", "--json", "--url-expires-s", "soon"), 2),
        (("nonesuch", "--json"), 2),
        (("--nonesuch\udcff", "--json"), 2),
    ],
)
def test_standard_output_is_exactly_one_document(say: Say, arguments: tuple[str, ...], status: int) -> None:
    ran = say(*arguments)
    assert ran.status == status, ran.err
    document = json.loads(ran.out)
    assert isinstance(document, dict)
    assert ("error" in document) == (status != 0 and "takes" not in document and "parts" not in document)
    if "error" in document:
        assert set(document["error"]) == {"kind", "message", "hint"}
        assert len([line for line in ran.err.splitlines() if line.startswith("onetake: ")]) == 1


def test_each_json_line_is_a_document(say: Say) -> None:
    ran = say("check", GOOD, SHORT, "--format", "jsonl")
    assert [json.loads(line)["verdict"] for line in ran.out.splitlines()] == ["ready", "rejected"]
    ran = say("check", "--format", "jsonl")
    assert json.loads(ran.out)["error"]["kind"] == "usage"
    assert len(ran.out.splitlines()) == 1


def test_lines_are_printed_as_takes_finish(home: Path) -> None:
    """The first take of a folder is printed while the others are still being checked."""
    Path("takes").mkdir()
    for number in range(30):
        shutil.copy(GOOD, f"takes/{number:02}.wav")
    command = [sys.executable, "-m", "onetake", "check", "takes", "--format", "jsonl", "--jobs", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        first = running.stdout.readline()
        assert running.poll() is None
        lines = [first, *running.stdout]
    assert [json.loads(line)["path"] for line in lines] == [f"takes/{number:02}.wav" for number in range(30)]


def test_a_file_named_like_an_option_does_not_request_json(say: Say) -> None:
    assert say("fix", "--", "--json").out == ""


def test_without_arguments_the_help_is_printed(say: Say) -> None:
    for arguments in ((), ("--help",), ("-h",)):
        ran = say(*arguments)
        assert ran.status == 0
        assert ran.out.startswith("Usage: onetake")


def piped(command: str) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-c", command.replace("onetake", f"{sys.executable} -m onetake", 1) + "; exit ${PIPESTATUS[0]}"],
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER_S,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done.returncode, done.stderr


@parametrize_some("arguments", [*SPEAKING, "--help", "check --help"], fast=3)
def test_a_broken_pipe_is_not_a_failure(home: Path, arguments: str) -> None:
    assert piped(f"onetake {arguments} | head -0") == (0, "")


@full_disk
@parametrize_some("arguments", [*SPEAKING, "--version", *FAILING], fast=4)
def test_a_full_standard_output_is_reported(home: Path, arguments: str) -> None:
    status, err = piped(f"onetake {arguments} > /dev/full")
    assert status == 2
    assert "bug" not in err
    assert len(err.splitlines()) == 2


@full_disk
@parametrize_some("where", ["<&- >&- 2>&-", ">&-", "2>&-", ">&- 2>&-", "2>/dev/full"], fast=1)
def test_closed_streams_do_not_change_the_status(home: Path, where: str) -> None:
    assert piped(f"onetake check {GOOD} {where}")[0] == 0
    assert piped(f"onetake check {SHORT} {where}")[0] == 1
    assert piped(f"onetake nonesuch {where}")[0] == 2


@full_disk
@parametrize_some("where", ["> /dev/full", "| head -0", "2>/dev/full", ">&-"], fast=1)
def test_a_broken_stream_does_not_lose_a_voice(
    home: Path, services: Services, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)
    status, err = piped(f"onetake clone {GOOD} --json {where}")
    assert status == (2 if "/dev/full" in where and "2>" not in where else 0)
    voice = paid_calls(home)[0]["voice_id"]
    assert voice in err or where in {"2>/dev/full", ">&-"}
    assert services.objects() == {}


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_signal_does_not_cut_off_a_document(home: Path, unbuffered: str) -> None:
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
    command = subprocess.Popen(
        [*ONETAKE, "check", "--quick", "--json", *[GOOD] * 300],
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        stdout=subprocess.PIPE,
        preexec_fn=default_signals,  # noqa: PLW1509 - it only makes system calls
    )
    with command:
        assert command.stdout is not None
        pipe, held = command.stdout.fileno(), array.array("i", [0])
        capacity = fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)

        def is_full() -> bool:
            fcntl.ioctl(pipe, termios.FIONREAD, held)
            assert command.poll() is None
            return bool(held[0] == capacity)

        wait_until(is_full)
        command.send_signal(signal.SIGINT)
        document = command.stdout.read()
    assert len(document) > capacity
    assert len(json.loads(document)["takes"]) == 300
    assert command.returncode in {0, 130}  # it may come after the last byte


def test_a_bug_report_contains_no_values(home: Path) -> None:
    """The stack is enough to find a bug; values may be secret."""
    script = (
        "import sys\nfrom onetake.errors import failure_of\n"
        "try:\n    int('sk-' + 'secret' * 2)\nexcept ValueError as error:\n    print(failure_of(error).hint)\n"
    )
    ran = onetake("-c", script, before=(sys.executable,))
    log = Path(ran.out.strip().rpartition(" ")[2])
    assert "ValueError" in log.read_text()
    assert "secretsecret" not in log.read_text() + ran.out
