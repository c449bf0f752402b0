"""Run the command with a Windows CPython under Wine, and compare its output with that on this system.

    python -m tests.wine.run --cache FOLDER

Needs wine, x86_64-w64-mingw32-gcc (Debian: wine wine64 gcc-mingw-w64-x86-64-win32) and Python 3.12 (any, for its
standard library).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.wine.windows_python import build

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


class Wine:
    """The command under Wine.

    Args:
        interpreter: ``python.exe``.
        folder: For the Wine prefix, the ledger and outputs.
    """

    def __init__(self, interpreter: Path, folder: Path) -> None:
        self._interpreter = interpreter
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
        # through pipes: Wine cannot tell Python what kind of file a redirected standard stream is
        done = subprocess.run(
            ["wine", self._interpreter, *arguments],
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
    print("wine: done")


if __name__ == "__main__":
    main()
