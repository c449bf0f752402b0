"""Many recordings at a time, and the recordings of a folder: as a library, and as the command."""

from __future__ import annotations

import json
import multiprocessing
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Final

import pytest

import preflight
from preflight.isolation import process
from tests.preflight import making
from tests.preflight.making import FIXTURES

NAMES: Final = (
    "damaged.mp3",
    "text.mp3",
    "prompt.wav",
    "stereo.m4a",
    "missing.wav",
    "empty.wav",
    "good.mp3",
    "good.wav",
)
TAKES: Final = tuple(FIXTURES / name for name in NAMES)
SHORT: Final = FIXTURES / "too-short.wav"
AHEAD: Final = 4
PATIENCE_S: Final = 20.0


@pytest.fixture(autouse=True, scope="module")
def _nothing_stays() -> Iterator[None]:
    yield
    process.end_all()


@pytest.fixture(scope="module")
def alone() -> list[preflight.Report]:
    """What `check` says of each of `TAKES`."""
    return [preflight.check(path) for path in TAKES]


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def threads_at_work() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("preflight-check")]


class Paths:
    """Recordings without end, and how many of them were asked for."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[Path]:
        for _ in count():
            self.taken += 1
            yield SHORT


@pytest.mark.parametrize("workers", [None, 1, 3])
def test_the_order_is_that_of_the_paths(workers: int | None, alone: list[preflight.Report]) -> None:
    assert list(preflight.check_many(TAKES, workers=workers)) == alone
    assert [report.verdict for report in alone].count("rejected") == 4


def test_no_recordings_no_reports() -> None:
    assert list(preflight.check_many([])) == []


def test_headers_only(alone: list[preflight.Report]) -> None:
    quick = list(preflight.check_many(TAKES, quick=True, workers=2))
    assert quick == [preflight.check(path, quick=True) for path in TAKES]
    assert {report.method for report in quick} == {"headers"}
    assert [report.path for report in quick] == [report.path for report in alone]


def test_the_profile_is_heeded() -> None:
    profile = preflight.PROFILES["default"].changed(ignore=["too-short"])
    reports = list(preflight.check_many([SHORT, SHORT], profile=profile, workers=2))
    assert [report.verdict for report in reports] == ["ready", "ready"]


def test_paths_of_every_kind() -> None:
    given: list[str | bytes | Path] = [str(SHORT), os.fsencode(SHORT), SHORT]
    assert len({report.path for report in preflight.check_many(given, workers=2)}) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_no_more_paths_are_asked_for_than_are_soon_needed(workers: int) -> None:
    paths = Paths()
    reports = preflight.check_many(paths, workers=workers)
    assert paths.taken == 0
    for done in range(1, 7):
        assert next(reports).path == str(SHORT)
        assert paths.taken <= done + AHEAD * workers
    reports.close()  # type: ignore[attr-defined]
    taken = paths.taken
    wait_for(lambda: not threads_at_work())
    assert paths.taken == taken


def test_the_first_report_comes_before_the_last_path() -> None:
    is_reported = threading.Event()

    def paths() -> Iterator[Path]:
        for _ in range(AHEAD):
            yield SHORT
        assert is_reported.wait(PATIENCE_S)
        yield SHORT

    reports = preflight.check_many(paths(), workers=1)
    next(reports)
    is_reported.set()
    assert len(list(reports)) == AHEAD


def test_who_leaves_early_leaves_nothing_behind() -> None:
    for report in preflight.check_many(Paths(), workers=3):
        assert report.verdict == "rejected"
        break
    wait_for(lambda: not threads_at_work())
    assert preflight.check(SHORT).verdict == "rejected"


def test_where_the_paths_fail_so_does_the_check() -> None:
    def paths() -> Iterator[Path]:
        yield SHORT
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        list(preflight.check_many(paths(), workers=2))
    wait_for(lambda: not threads_at_work())


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_any_executor_does(kind: str, alone: list[preflight.Report]) -> None:
    pool: Executor = (
        ThreadPoolExecutor(2)
        if kind == "threads"
        else ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))
    )
    with pool:
        assert list(preflight.check_many(TAKES, executor=pool, workers=2)) == alone
        reports = preflight.check_many(Paths(), executor=pool, workers=1)
        assert next(reports).path == str(SHORT)
        reports.close()  # type: ignore[attr-defined]
        assert pool.submit(len, "it is still open").result(PATIENCE_S) == 16
    assert threads_at_work() == []


class Folder:
    """A folder in which every file is the shortest of the fixtures."""

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


def test_recordings_are_found_by_their_endings_in_order(folder: Folder) -> None:
    folder.add(
        "b.wav", "a.MP3", "a/z.m4a", "a/b/c.ogg", "a-b/x.flac", "c.qta", "notes.txt", "wav", "take.wav.part", "B.wav"
    )
    expected = [b"B.wav", b"a.MP3", b"b.wav", b"c.qta", b"a/z.m4a", b"a/b/c.ogg", b"a-b/x.flac"]
    assert folder.found() == expected
    assert folder.found() == expected


def test_an_empty_folder_holds_none(folder: Folder) -> None:
    assert folder.found() == []
    folder.add("notes.txt")
    assert folder.found() == []


def test_a_folder_that_is_missing_or_no_folder_holds_none(folder: Folder) -> None:
    assert list(preflight.recordings_in(str(folder.path / "missing"))) == []
    assert list(preflight.recordings_in(str(SHORT))) == []


def test_hidden_files_and_folders_are_passed_over(folder: Folder) -> None:
    folder.add(".hidden.wav", ".cache/a.wav", "a/.git/b.wav", "a/b.wav", "._a.wav")
    assert folder.found() == [b"a/b.wav"]
    hidden = Folder(folder.path / ".cache")  # that one was asked for
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


def test_a_folder_with_an_ending_is_a_folder(folder: Folder) -> None:
    folder.add("take.wav/inside.wav")
    os.mkfifo(folder.path / "pipe.wav")
    assert folder.found() == [b"pipe.wav", b"take.wav/inside.wav"]
    reports = list(preflight.check_many(preflight.recordings_in(str(folder.path))))
    assert "named pipe" in reports[0].findings[0].message


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Environment variables of a user without settings."""
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    rest = {name: value for name, value in os.environ.items() if not name.startswith(("ONETAKE_", "XDG_", "NO_COLOR"))}
    home = str(tmp_path / "home")
    return {**rest, "HOME": home, "ONETAKE_HOME": home, "TMPDIR": str(tmp_path / "tmp"), "TERM": "xterm"}


def onetake(home: dict[str, str], *arguments: str | bytes) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "onetake", *arguments],
        env=home, capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL, cwd=FIXTURES.parent,
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


def test_a_line_for_each_of_a_folder(folder: Folder, home: dict[str, str]) -> None:
    folder.add(*ODD[:3])
    status, out, err = onetake(home, "check", str(folder.path), "--format", "jsonl")
    assert (status, err) == (1, "")
    assert [json.loads(line)["file"]["duration_s"] for line in out.splitlines()] == [2.0] * 3
    status, out, _ = onetake(home, "check", str(folder.path))
    assert status == 1
    assert len([line for line in out.splitlines() if not line.startswith(" ")]) == 3  # names break no line
    assert "a\\nb.wav: rejected" in out


def test_the_status_is_that_of_the_worst(folder: Folder, home: dict[str, str]) -> None:
    folder.add("b.wav")
    for words, status in (((), 1), (("--exit-zero",), 0), (("--ignore", "too-short"), 0), (("--jobs", "0"), 2)):
        assert onetake(home, "check", str(folder.path), *words)[0] == status, words
    (folder.path / "b.wav").write_bytes((FIXTURES / "good.wav").read_bytes())
    assert onetake(home, "check", str(folder.path))[0] == 0


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_an_empty_folder_is_no_success(form: str, folder: Folder, home: dict[str, str]) -> None:
    folder.add("notes.txt")
    status, out, err = onetake(home, "check", str(folder.path), "--format", form)
    assert (status, err) == (1, "")
    document = json.loads(out)
    take = document["takes"][0] if form == "json" else document
    assert (take["path"], take["verdict"]) == (str(folder.path), "rejected")
    assert "this is a folder" in take["findings"][0]["message"]


def on_terminals(
    home: dict[str, str],
    *arguments: str,
    program: tuple[str, ...] = ("-m", "onetake"),
    out_too: bool = False,
    err_too: bool = True,
) -> tuple[int, str, str]:
    """Run the command with standard error, or standard output, or both on a terminal; what each of them got."""
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
    except OSError:  # so a terminal ends
        return


def test_a_bar_is_shown_to_who_looks_and_to_nobody_else(folder: Folder, home: dict[str, str]) -> None:
    folder.add("a.wav", "b.wav", "c.wav")
    words = ("check", str(folder.path), "--format", "json", "--jobs", "2")
    status, out, err = on_terminals(home, *words)
    assert status == 1
    assert len(json.loads(out)["takes"]) == 3
    assert "checking" in err
    assert "3/3" in err
    status, out, err = on_terminals(home, *words, err_too=False, out_too=True)
    assert (status, err) == (1, "")
    assert len(json.loads(out)["takes"]) == 3
    assert onetake(home, *words)[2] == ""


def test_no_bar_between_the_lines_of_a_terminal(folder: Folder, home: dict[str, str]) -> None:
    folder.add("a.wav", "b.wav")
    status, out, err = on_terminals(home, "check", str(folder.path), out_too=True)
    assert (status, err) == (1, "")
    assert out.count("rejected") == 2
    assert "checking" not in out


def test_how_far_a_long_recording_is_heard(tmp_path: Path, home: dict[str, str]) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(making.wav(making.talk(120)))
    words = ("check", str(path), "--format", "json")
    status, out, err = on_terminals(home, *words, program=IMPATIENT)
    assert status == 0
    assert json.loads(out)["takes"][0]["verdict"] == "ready"
    assert "checking" in err
    assert "%" in err
    assert err.endswith("\r")  # it is taken away when it is of no use any more
    assert on_terminals(home, *words, program=IMPATIENT, err_too=False)[2] == ""
    assert on_terminals(home, "check", str(SHORT), "--format", "json")[2] == ""  # it is heard at once


IMPATIENT: Final = (
    "-c",
    "from onetake.cli import progress\nprogress._LONG_S = 0.0\nfrom onetake.__main__ import main\nmain()",
)
"""The command, for which everything takes long."""
