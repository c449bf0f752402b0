"""Memory, imports and sockets of the library."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support import make_audio as making
from tests.support.make_audio import FIXTURES, talk
from tests.support.processes import HANGS_AFTER_S

pytestmark = pytest.mark.slow

# not getrusage: a child inherits the peak of its parent
PEAK = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")


def run(program: str, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER_S,
        check=True,
    )
    return done.stdout


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """WAV takes of 10 and 60 minutes."""
    folder = tmp_path_factory.mktemp("hours")
    piece = making.integers(making.at_rate(talk(60), 8000))
    paths = {minutes: folder / f"{minutes}.wav" for minutes in (10, 60)}
    for minutes, path in paths.items():
        with soundfile.SoundFile(path, "w", 8000, 1, "PCM_16") as file:
            for _ in range(minutes):
                file.write(np.frombuffer(piece, np.int16))
    return paths


@LINUX
@pytest.mark.parametrize("call", ["check(sys.argv[1])", "fix(sys.argv[1], sys.argv[2], force=True)"])
def test_memory_does_not_grow_with_the_duration(call: str, hours: dict[int, Path], tmp_path: Path) -> None:
    program = f"import sys, preflight; preflight.{call}; {PEAK}"
    peak_kb = {minutes: int(run(program, path, tmp_path / "out.wav")) for minutes, path in hours.items()}
    assert peak_kb[60] < 200_000
    # the levels of 50 minutes take 1.2 MB, also in the message with which they come
    assert peak_kb[60] < max(1.1 * peak_kb[10], peak_kb[10] + 4_000)


@LINUX
def test_memory_does_not_grow_with_the_channels(tmp_path: Path) -> None:
    path = tmp_path / "array.wav"
    soundfile.write(path, np.tile(making.at_rate(talk(11), 8000)[:, None], 500), 8000)
    peak_kb = int(run(f"import sys, preflight; preflight.check(sys.argv[1]); {PEAK}", path))
    assert peak_kb < 150_000


def modules_after(program: str) -> set[str]:
    return set(json.loads(run(f"{program}\nimport json, sys; print(json.dumps(list(sys.modules)))")))


def test_import_loads_no_decoder() -> None:
    assert not modules_after("import preflight") & {"numpy", "av", "soundfile", "pydub", "ctypes", "asyncio"}


def test_a_quick_check_of_a_wav_loads_no_decoder() -> None:
    modules = modules_after(f"import preflight; preflight.check({str(FIXTURES / 'good.wav')!r}, quick=True)")
    assert not modules & {"numpy", "av", "soundfile", "pydub"}


def test_a_check_loads_no_decoder_into_this_process() -> None:
    modules = modules_after(f"import preflight; preflight.check({str(FIXTURES / 'good.m4a')!r})")
    assert not modules & {"soundfile", "av", "pydub"}


def test_no_socket_is_opened_and_no_other_package_imported(tmp_path: Path) -> None:
    program = (
        "import socket, sys\n"
        "opened = []\n"
        "def note(event, arguments):\n"
        "    if event == 'socket.__new__' and arguments[1] != socket.AF_UNIX:  # a pair passes open files to workers\n"
        "        opened.append(arguments)\n"
        "    elif event in ('socket.bind', 'socket.connect', 'socket.getaddrinfo'):\n"
        "        opened.append(event)\n"
        "sys.addaudithook(note)\n"
        "import preflight\n"
        f"for name in {[str(FIXTURES / name) for name in ('good.mp3', 'good.m4a', 'voice-message.ogg')]!r}:\n"
        "    preflight.check(name)\n"
        f"    preflight.fix(name, {str(tmp_path)!r})\n"
        "assert not opened, opened\n"
    )
    roots = {name.split(".")[0] for name in modules_after(program)}
    assert "av" in roots
    assert not roots & {"uploader", "client", "onetake", "requests", "boto3", "urllib3"}
