"""Run the command with a Windows CPython under Wine, and compare its output with that on this system.

    python -m tests.wine.run --cache FOLDER

Needs wine, x86_64-w64-mingw32-gcc (Debian: wine wine64 gcc-mingw-w64-x86-64-win32) and Python 3.12 (any, for its
standard library).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from preflight.display.shell_arguments import quoted
from tests.wine.windows_python import build

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
_LIMIT_S: Final = 600
_TAKES: Final = ("good.wav", "good.m4a", "good.mp3", "voice-message.ogg", "stereo.m4a", "damaged.mp3", "text.mp3")
_LOCKS: Final = """
import os, subprocess, sys
from onetake.io.locks import LockState, acquire
path = sys.argv[1]
if len(sys.argv) > 2:
    print(acquire(os.open(path, os.O_RDWR)).name)
else:
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    assert acquire(handle) is LockState.ACQUIRED
    print(acquire(os.open(path, os.O_RDWR)).name)
    print(subprocess.run([sys.executable, "-c", SOURCE, path, "x"], capture_output=True, text=True).stdout.strip())
"""
_OPEN: Final = """
import _winapi, subprocess, sys
# no sharing, as programs that record or play open their files
handle = _winapi.CreateFile(sys.argv[1], _winapi.GENERIC_READ, 0, 0, _winapi.OPEN_EXISTING, 0, 0)
for command in sys.argv[2:]:
    done = subprocess.run([sys.executable, "-m", "onetake", *command.split("|")], capture_output=True, text=True)
    print(done.stdout, done.stderr, f"[status {done.returncode}]")
"""
_PORTS: Final = """
import socket
from onetake.loopback import claim_port
with socket.socket() as first, socket.socket() as second:
    claim_port(first)
    first.bind(("127.0.0.1", 0))
    first.listen()
    second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        second.bind(first.getsockname())
    except OSError:
        print("REFUSED")
"""
_STUDIO: Final = """
import re, subprocess, sys, urllib.request
process = subprocess.Popen(
    [sys.executable, "-u", "-m", "onetake", "studio", "--no-open"], stdout=subprocess.PIPE, text=True
)
try:
    address = re.search(r"http://\\S+", process.stdout.readline())[0]
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    print("HTTP", opener.open(address).status, flush=True)
finally:
    process.kill()
"""
_NAMES: Final = ("a b.wav", "it's.wav", "a&b.wav", "C:\\my takes\\", "(1).wav", "a;b,c=d.wav", "^x.wav")


class Wine:
    """The command under Wine.

    Args:
        interpreter: ``python.exe``.
        folder: For the Wine prefix, the ledger and outputs.
    """

    def __init__(self, interpreter: Path, folder: Path) -> None:
        self.interpreter = interpreter
        self._env = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            "WINEPREFIX": str(folder / "prefix"),
            "WINEDEBUG": "-all",
            "PYTHONPATH": windows_path(ROOT),
            "PYTHONUTF8": "1",
            "ONETAKE_HOME": windows_path(folder / "home"),
        }

    def python(self, *arguments: str) -> tuple[int, str]:
        """Run the interpreter; return its status and all output."""
        return self._run(self.interpreter, *arguments)

    def cmd(self, batch: Path) -> tuple[int, str]:
        """Run a batch file with cmd; return its status and all output."""
        return self._run("cmd", "/c", windows_path(batch))

    @contextlib.contextmanager
    def sandbox(self) -> Iterator[None]:
        """Run `onetake sandbox` during the block; the commands in it use its services."""
        command = ["wine", str(self.interpreter), "-u", "-m", "onetake", "sandbox"]
        before = dict(self._env)
        with subprocess.Popen(
            command, env=before, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    if setting := re.fullmatch(r"\$env:(\w+) = '(.*)'", line.decode().strip()):
                        self._env[setting[1]] = setting[2].replace("''", "'")
                    elif b"Stop it with" in line:
                        break
                assert len(self._env) > len(before), "the sandbox did not start"
                yield
            finally:
                self._env = before
                process.kill()

    def _run(self, program: Path | str, *arguments: str) -> tuple[int, str]:
        # through pipes: Wine cannot tell Python what kind of file a redirected standard stream is
        done = subprocess.run(
            ["wine", program, *arguments],
            env=self._env,
            cwd=ROOT,
            input=b"\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LIMIT_S,
            check=False,
        )
        return done.returncode, done.stdout.decode("utf-8", "replace").replace("\r\n", "\n")

    def onetake(self, *arguments: str) -> tuple[int, str]:
        """Run the command, and print it as a transcript."""
        print(f"$ onetake {' '.join(arguments)}", flush=True)
        status, output = self.python("-m", "onetake", *arguments)
        print(output, f"[status {status}]", sep="", flush=True)
        return status, output


def windows_path(path: Path) -> str:
    """The path as Wine shows it to Windows programs."""
    return "Z:" + str(path).replace("/", "\\")


def _documents(text: str) -> object:
    return json.loads(text[text.index("{") :])


def check_results(wine: Wine) -> None:
    """All reports are those of this system."""
    takes = [f"fixtures/{name}" for name in _TAKES]
    status, output = wine.python("-m", "onetake", "check", *takes, "--json")
    here = subprocess.run(
        [sys.executable, "-m", "onetake", "check", *takes, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert status == here.returncode, output
    assert _documents(output) == _documents(here.stdout)
    print(f"check: {len(takes)} reports are those of {sys.platform}, to the last digit", flush=True)


def check_files_in_use(wine: Wine, out: Path) -> None:
    """What another program has open is reported as that, not as a missing permission."""
    take, target = windows_path(out / "open.wav"), windows_path(out / "target.wav")
    shutil.copy(ROOT / "fixtures/good.wav", out / "open.wav")
    shutil.copy(ROOT / "fixtures/good.wav", out / "target.wav")
    _, output = wine.python("-c", _OPEN, take, f"check|{take}")
    assert "another program has this file open" in output, output
    _, output = wine.python("-c", _OPEN, target, f"fix|fixtures/voice-message.ogg|-o|{target}|--force")
    assert "another program has" in output, output
    assert (out / "target.wav").read_bytes() == (ROOT / "fixtures/good.wav").read_bytes()
    print("files in use: named as such, and not replaced", flush=True)


def check_quoting(wine: Wine, out: Path) -> None:
    """The command processor and the C runtime of Windows read suggested arguments as they were."""
    batch = out / "arguments.bat"
    show = windows_path(out / "show.py")
    (out / "show.py").write_text("import json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    arguments = " ".join(quoted(name, windows=True) for name in _NAMES)
    batch.write_text(f"@{windows_path(wine.interpreter)} {show} {arguments}\n")
    _, output = wine.cmd(batch)
    assert json.loads(output[output.index("[") :]) == list(_NAMES), output
    print("arguments: cmd passes them on as they are", flush=True)


def check_services(wine: Wine, out: Path) -> None:
    """Commands that use the services one after the other, with `onetake sandbox` beside them."""
    with wine.sandbox():
        clone = ("clone", "fixtures/good.m4a", "--name", "anna", "--text", "Hello.", "--model", "speech-2.8-hd")
        commands = (
            (*clone, "--demo", windows_path(out / "anna.mp3")),
            ("say", "anna", "It rained all night.", "-o", windows_path(out / "rain.mp3")),
            ("voices",),
            ("doctor",),
        )
        for command in commands:
            status, output = wine.onetake(*command)
            assert status == 0, output
    assert (out / "rain.mp3").stat().st_size > 1000


def check_studio(wine: Wine) -> None:
    """The studio's page is served. Without a console, Wine cannot send it Ctrl-C."""
    _, output = wine.python("-c", _STUDIO)
    assert "HTTP 200" in output, output
    print("studio: serves its page", flush=True)


def main() -> None:
    """Run all, and exit with status 1 if something fails."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path, required=True)
    cache = parser.parse_args().cache.resolve()
    interpreter = build(cache / "python")
    wine = Wine(interpreter, cache)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        wine.onetake("check", "fixtures/good.wav", "fixtures/good.m4a")
        check_results(wine)
        assert wine.onetake("fix", "fixtures/voice-message.ogg", "-o", windows_path(out / "fixed.wav"))[0] == 0
        assert (out / "fixed.wav").stat().st_size > 100_000
        assert wine.onetake("fix", "fixtures/good.m4a", "-o", windows_path(out / "con.wav"))[0] == 2
        assert (
            wine.onetake("prompt", "fixtures/prompt.wav", "--pick", "1", "-o", windows_path(out / "clip.m4a"))[0] == 0
        )
        takes = ("fixtures/good.wav", "fixtures/good.m4a")
        assert wine.onetake("join", *takes, "-o", windows_path(out / "joined.wav"))[0] == 0
        check_files_in_use(wine, out)
        check_quoting(wine, out)
        assert wine.python("-c", _PORTS)[1].strip() == "REFUSED"
        _, output = wine.python("-c", f"SOURCE = {_LOCKS!r}\nexec(SOURCE)", windows_path(out / "lock"))
        assert output.split() == ["HELD_ELSEWHERE"] * 2, output
        # Go programs look for it only there
        shutil.copy(interpreter.with_name("bcryptprimitives.dll"), cache / "prefix/drive_c/windows/system32")
        clone = (
            "clone",
            "fixtures/good.m4a",
            "--text",
            "Hello.",
            "--model",
            "speech-2.8-hd",
            "--demo",
            windows_path(out / "demo.mp3"),
        )
        status, output = wine.onetake(*clone, "--sandbox")
        assert status == 0, output
        assert (out / "demo.mp3").stat().st_size > 1000
        check_services(wine, out)
        check_studio(wine)
    print("wine: done")


if __name__ == "__main__":
    main()
