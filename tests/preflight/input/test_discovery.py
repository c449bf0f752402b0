"""Finding the recordings of a folder, in the library and in the command, and the progress bar."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

import pytest

import preflight
from tests.support.make_audio import FIXTURES
from tests.support.processes import HANGS_AFTER_S

SHORT: Final = FIXTURES / "too-short.wav"
PATIENCE_S: Final = HANGS_AFTER_S


class Folder:
    """A folder whose files are copies of the shortest fixture."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, *names: str | bytes) -> None:
        for name in names:
            path = Path(os.fsdecode(os.fsencode(self.path) + b"/" + os.fsencode(name)))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(SHORT.read_bytes())

    def found(self) -> list[bytes]:
        """What is found in it, relative to it."""
        within = len(os.fsencode(self.path)) + 1
        return [os.fsencode(path)[within:] for path in preflight.recordings_in(str(self.path))]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "takes").mkdir()
    return Folder(tmp_path / "takes")


def test_recordings_are_found_by_extension_in_order(folder: Folder) -> None:
    folder.add(
        "b.wav", "a.MP3", "a/z.m4a", "a/b/c.ogg", "a-b/x.flac", "c.qta", "notes.txt", "wav", "take.wav.part", "B.wav"
    )
    expected = [b"B.wav", b"a.MP3", b"b.wav", b"c.qta", b"a/z.m4a", b"a/b/c.ogg", b"a-b/x.flac"]
    assert folder.found() == expected
    assert folder.found() == expected


def test_an_empty_folder_has_no_recordings(folder: Folder) -> None:
    assert folder.found() == []
    folder.add("notes.txt")
    assert folder.found() == []


def test_a_missing_path_or_a_file_is_yielded_itself(folder: Folder) -> None:
    for path in (str(folder.path / "missing"), str(SHORT)):
        assert list(preflight.recordings_in(path)) == [path]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_reported(folder: Folder) -> None:
    folder.add("a.wav", "closed/b.wav", "open/c.wav")
    closed = folder.path / "closed"
    closed.chmod(0)
    try:
        assert folder.found() == [b"a.wav", b"closed", b"open/c.wav"]
        assert "no permission" in preflight.check(closed).findings[0].message
    finally:
        closed.chmod(0o700)


def test_hidden_files_and_folders_are_skipped(folder: Folder) -> None:
    folder.add(".hidden.wav", ".cache/a.wav", "a/.git/b.wav", "a/b.wav", "._a.wav")
    assert folder.found() == [b"a/b.wav"]
    hidden = Folder(folder.path / ".cache")  # named explicitly
    assert hidden.found() == [b"a.wav"]


def test_links_to_files_are_followed_and_links_to_folders_are_not(folder: Folder) -> None:
    folder.add("a/real.wav")
    (folder.path / "a" / "link.wav").symlink_to("real.wav")
    (folder.path / "a" / "up").symlink_to("..")
    (folder.path / "b").symlink_to("a")
    (folder.path / "c.wav").symlink_to(folder.path)
    (folder.path / "circle.wav").symlink_to("circle.wav")
    (folder.path / "dangling.wav").symlink_to("nowhere.wav")
    assert folder.found() == [b"circle.wav", b"dangling.wav", b"a/link.wav", b"a/real.wav"]
    reports = list(preflight.check_many(preflight.recordings_in(str(folder.path))))
    rules = [[finding.rule for finding in report.findings] for report in reports]
    assert rules[:2] == [["unreadable"], ["unreadable"]]
    assert rules[2] == rules[3] != ["unreadable"]


ODD: Final = (b"a\nb.wav", b"\xff\xfe.wav", "größe.wav".encode(), b"\x1b[31m.wav", b"-rf.wav", b" .wav", b"%s.wav")


def test_odd_names_are_found_and_opened(folder: Folder) -> None:
    folder.add(*ODD, b"\xff\xfe folder\n/a.wav")
    assert sorted(folder.found()) == sorted((*ODD, b"\xff\xfe folder\n/a.wav"))
    reports = list(preflight.check_many(preflight.recordings_in(str(folder.path))))
    assert len(reports) == len(ODD) + 1
    for report in reports:
        assert report.file.duration_s == 2.0
        report.path.encode("utf-8")


def test_a_folder_with_an_audio_extension_is_a_folder(folder: Folder) -> None:
    folder.add("take.wav/inside.wav")
    os.mkfifo(folder.path / "pipe.wav")
    assert folder.found() == [b"pipe.wav", b"take.wav/inside.wav"]
    reports = list(preflight.check_many(preflight.recordings_in(str(folder.path))))
    assert "named pipe" in reports[0].findings[0].message


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a user without settings."""
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    rest = {name: value for name, value in os.environ.items() if not name.startswith(("ONETAKE_", "XDG_", "NO_COLOR"))}
    home = str(tmp_path / "home")
    return {**rest, "HOME": home, "ONETAKE_HOME": home, "TMPDIR": str(tmp_path / "tmp"), "TERM": "xterm"}


def onetake(home: dict[str, str], *arguments: str | bytes) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "onetake", *arguments],
        env=home, capture_output=True, check=False, stdin=subprocess.DEVNULL, cwd=FIXTURES.parent,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("jobs", ["1", "2", "7"])
def test_the_command_checks_a_folder(jobs: str, folder: Folder, home: dict[str, str]) -> None:
    folder.add("b.wav", "a.wav", "deeper/c.wav", ".hidden.wav", "notes.txt", *ODD[:2])
    (folder.path / "a.wav").write_bytes((FIXTURES / "good.wav").read_bytes())
    status, out, err = onetake(home, "check", str(folder.path), str(SHORT), "--jobs", jobs, "--format", "json")
    assert (status, err) == (1, "")
    takes = json.loads(out)["takes"]
    names = [take["path"].removeprefix(f"{folder.path}/") for take in takes]
    assert names == ["a\nb.wav", "a.wav", "b.wav", "\\xff\\xfe.wav", "deeper/c.wav", str(SHORT)]
    assert [take["verdict"] for take in takes] == ["rejected", "ready", *["rejected"] * 4]


def test_jsonl_has_a_line_per_recording_of_a_folder(folder: Folder, home: dict[str, str]) -> None:
    folder.add(*ODD[:3])
    status, out, err = onetake(home, "check", str(folder.path), "--format", "jsonl")
    assert (status, err) == (1, "")
    assert [json.loads(line)["file"]["duration_s"] for line in out.splitlines()] == [2.0] * 3
    status, out, _ = onetake(home, "check", str(folder.path))
    assert status == 1
    assert len([line for line in out.splitlines() if ": rejected" in line]) == 3  # line breaks in names are escaped
    assert "a\\nb.wav: rejected" in out


@pytest.mark.slow
def test_the_exit_status_is_that_of_the_worst_recording(folder: Folder, home: dict[str, str]) -> None:
    folder.add("b.wav")
    for words, status in (((), 1), (("--exit-zero",), 0), (("--ignore", "too-short"), 0), (("--jobs", "0"), 2)):
        assert onetake(home, "check", str(folder.path), *words)[0] == status, words
    (folder.path / "b.wav").write_bytes((FIXTURES / "good.wav").read_bytes())
    assert onetake(home, "check", str(folder.path))[0] == 0


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_an_empty_folder_is_an_error(form: str, folder: Folder, home: dict[str, str]) -> None:
    folder.add("notes.txt")
    status, out, err = onetake(home, "check", str(folder.path), "--format", form)
    assert (status, err) == (1, "")
    document = json.loads(out)
    take = document["takes"][0] if form == "json" else document
    assert (take["path"], take["verdict"]) == (str(folder.path), "rejected")
    assert "no recording in this folder" in take["findings"][0]["message"]


def on_terminals(
    home: dict[str, str],
    *arguments: str,
    program: tuple[str, ...] = ("-m", "onetake"),
    out_too: bool = False,
    err_too: bool = True,
) -> tuple[int, str, str]:
    """Run the command with stderr, stdout or both on a terminal, and return what each received."""
    ends = [pty.openpty() if is_terminal else os.pipe() for is_terminal in (out_too, err_too)]
    running = subprocess.Popen(
        [sys.executable, *program, *arguments],
        env=home, stdin=subprocess.DEVNULL, stdout=ends[0][1], stderr=ends[1][1], cwd=FIXTURES.parent,
    )  # fmt: skip
    got = [b"", b""]
    readers = []
    for number, (end, given) in enumerate(ends):
        os.close(given)
        readers.append(threading.Thread(target=_read_all, args=(end, got, number)))
        readers[-1].start()
    try:
        status = running.wait(60)
    finally:
        running.kill()
        for reader in readers:
            reader.join(PATIENCE_S)
        for end, _ in ends:
            os.close(end)
    return status, got[0].decode(), got[1].decode()


def _read_all(end: int, got: list[bytes], number: int) -> None:
    try:
        while part := os.read(end, 65536):
            got[number] += part
    except OSError:  # EIO marks the end of a terminal
        return


def test_a_progress_bar_is_shown_only_on_a_terminal(folder: Folder, home: dict[str, str]) -> None:
    folder.add("a.wav", "b.wav", "c.wav")
    words = ("check", str(folder.path), "--format", "json", "--jobs", "2")
    status, out, err = on_terminals(home, *words, program=IMPATIENT)
    assert status == 1
    assert len(json.loads(out)["takes"]) == 3
    assert re.search(r"checking .* [0-2] of 3", err)
    status, out, err = on_terminals(home, *words, program=IMPATIENT, err_too=False, out_too=True)
    assert (status, err) == (1, "")
    assert len(json.loads(out)["takes"]) == 3
    assert onetake(home, *words)[2] == ""


def test_the_progress_bar_is_followed_by_the_table(folder: Folder, home: dict[str, str]) -> None:
    folder.add("a.wav", "b.wav")
    status, out, err = on_terminals(home, "check", str(folder.path), program=IMPATIENT, out_too=True)
    assert status == 1
    assert re.search(r"checking .* [01] of 2", err)
    assert out.count("rejected") == 3  # two rows and the summary
    assert "checking" not in out


IMPATIENT: Final = (
    "-c",
    "from onetake.console import streams\nstreams._DELAY_S = 0.0\nfrom onetake.__main__ import main\nmain()",
)
"""The command, for which everything takes long."""
