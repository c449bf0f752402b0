"""The journal: what a killed run checked is not checked again, and nothing is left of a run that ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from onetake.results.journal import Journal
from onetake.results.part_formats import Entry
from tests.onetake.results.test_results import entry
from tests.support.processes import ONETAKE, wait_until
from tests.support.services import FIXTURES

posix = pytest.mark.skipif(os.name == "nt", reason="SIGKILL")


def journals(folder: Path) -> list[Path]:
    return sorted(folder.glob("results-*.journal"))


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def recovered(folder: Path, place: str) -> list[list[Entry]]:
    found: list[list[Entry]] = []
    Journal(folder, place).recover(found.append)
    return found


def abandoned(folder: Path, place: str, *names: str, rest: bytes = b"") -> Path:
    """The journal of a run that was killed."""
    with Journal(folder, place) as journal:
        for name in names:
            journal.add(entry(name))
        (path,) = journals(folder)
        copy = shutil.copy(path, folder / "copy")
    left = folder / f"{path.name[:-12]}killed.journal"
    Path(copy).rename(left)
    left.write_bytes(left.read_bytes() + rest)
    return left


def test_a_run_that_ends_leaves_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path, "results") as journal:
        journal.add(entry("a"))
        assert len(journals(tmp_path)) == 1
        assert os.name == "nt" or journals(tmp_path)[0].stat().st_mode & 0o077 == 0
    assert journals(tmp_path) == []


@pytest.mark.parametrize("rest", [b"", b'{"name": "c", "st', b"\xff\x00\n"])
def test_the_complete_entries_of_a_killed_run_are_recovered_once(tmp_path: Path, rest: bytes) -> None:
    abandoned(tmp_path, "results", "a", "b", rest=rest)
    assert [[each.name for each in entries] for entries in recovered(tmp_path, "results")] == [["a", "b"]]
    assert recovered(tmp_path, "results") == []
    assert journals(tmp_path) == []


def test_the_journal_stays_where_its_entries_cannot_be_written(tmp_path: Path) -> None:
    left = abandoned(tmp_path, "results", "a")

    def fails(entries: list[Entry]) -> None:
        raise OSError(len(entries))

    with pytest.raises(OSError, match="1"):
        Journal(tmp_path, "results").recover(fails)
    assert journals(tmp_path) == [left]


def test_other_runs_and_other_places_are_left_alone(tmp_path: Path) -> None:
    abandoned(tmp_path, "results", "a")
    with Journal(tmp_path, "results") as other:
        other.add(entry("of a run that goes on"))
        assert recovered(tmp_path, "elsewhere") == []
        assert [[each.name for each in entries] for entries in recovered(tmp_path, "results")] == [["a"]]
        assert len(journals(tmp_path)) == 1


@pytest.mark.parametrize(("before", "after"), [("s3://bucket/results", "s3://bucket/results/"), ("a", "a/")])
def test_a_slash_at_the_end_is_the_same_place(tmp_path: Path, before: str, after: str) -> None:
    abandoned(tmp_path, before, "a")
    assert [[each.name for each in entries] for entries in recovered(tmp_path, after)] == [["a"]]


def test_what_is_in_a_part_is_forgotten(tmp_path: Path) -> None:
    with Journal(tmp_path, "results") as journal:
        journal.add(entry("a"))
        journal.clear()
        journal.add(entry("b"))
        (path,) = journals(tmp_path)
        assert [json.loads(line)["name"] for line in path.read_bytes().splitlines()] == ["b"]


def test_without_a_folder_there_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Journal(tmp_path / "file", "results") as journal:
        journal.add(entry("a"))
        journal.clear()
        journal.recover(lambda entries: pytest.fail(f"{entries}"))


@posix
@pytest.mark.slow
def test_a_killed_check_continues_after_the_last_report(home: Path, tmp_path: Path) -> None:
    takes, out = tmp_path / "takes", tmp_path / "results"
    takes.mkdir()
    for number in range(30):
        shutil.copy(FIXTURES / "good.wav", takes / f"{number:02}.wav")
    command = [*ONETAKE, "check", str(takes), "--out", f"{out}/", "--jobs", "1", "--json"]
    state = home / "onetake"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        wait_until(lambda: run.poll() is not None or any(lines(path) >= 3 for path in journals(state)))
        run.send_signal(signal.SIGSTOP)
        kept = lines(journals(state)[0])
        run.kill()
    assert list(out.glob("part-*")) == []
    ended = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert (ended["skipped"], ended["takes"]) == (kept, 30 - kept)
    names = Counter(json.loads(line)["name"] for part in out.glob("part-*") for line in part.read_bytes().splitlines())
    assert len(names) == 30
    assert set(names.values()) == {1}
    assert journals(state) == []
