"""Takes: what is shown is on disk, whatever happens to the process."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from onetake.errors import UsageError
from onetake.studio.recorder import Recording
from onetake.studio.session_folder import session_folder
from onetake.studio.take import file_stem
from onetake.studio.takes import Takes
from tests.support.services import FIXTURES
from tests.support.studio import as_chromium, speech

MONO = Recording(sample_rate_hz=16_000, channels=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "session").mkdir()
    return tmp_path / "session"


def recorded(takes: Takes, seconds: float = 2.0) -> str:
    recording = takes.begin(MONO)
    takes.append(recording, 0, as_chromium(speech(seconds)).tobytes())
    return takes.finish(recording, "Take 1", (0.5, 1.5)).id


def test_a_recorded_take_has_the_samples_of_the_microphone(folder: Path, tmp_path: Path) -> None:
    takes = Takes(folder, tmp_path / "saved")
    take = takes.find(recorded(takes))
    np.testing.assert_array_equal(soundfile.read(take.file, dtype="int16")[0], speech(2.0))
    assert (take.bits, take.marked, take.origin) == (16, (0.5, 1.5), "recorded")
    assert sorted(path.name for path in Path(take.file).parent.iterdir()) == [
        "Take-1.wav",
        "recording.json",
        "take.json",
    ]


def test_samples_that_are_sent_twice_are_stored_once_and_missing_ones_are_refused(folder: Path) -> None:
    takes = Takes(folder, folder)
    recording = takes.begin(MONO)
    content = as_chromium(speech(1.0)).tobytes()
    assert takes.append(recording, 0, content[:4000]) == 4000
    assert takes.append(recording, 0, content[:4000]) == 4000
    assert takes.append(recording, 2000, content[2000:9000]) == 9000
    with pytest.raises(UsageError, match="1000 bytes of the recording are missing"):
        takes.append(recording, 10_000, content[10_000:])
    takes.append(recording, 9000, content[9000:])
    take = takes.finish(recording, "x", None)
    np.testing.assert_array_equal(soundfile.read(take.file, dtype="int16")[0], speech(1.0))


def test_a_second_request_to_finish_returns_the_same_take(folder: Path) -> None:
    takes = Takes(folder, folder)
    done = recorded(takes)
    assert takes.finish(done, "other name", None) == takes.find(done)


def test_nothing_recorded_too_much_and_unknown_recordings_are_refused(folder: Path) -> None:
    takes = Takes(folder, folder)
    recording = takes.begin(Recording(sample_rate_hz=8000, channels=1))
    with pytest.raises(UsageError, match="nothing was recorded"):
        takes.finish(recording, "x", None)
    with pytest.raises(UsageError, match="longer than 310 s"):
        takes.append(recording, 0, bytes(8000 * 4 * 311))
    for unknown in ("../..", "", recording + "x"):
        with pytest.raises(UsageError):
            takes.append(unknown, 0, b"")


def test_what_a_crashed_session_left_is_recovered(folder: Path, tmp_path: Path) -> None:
    before = Takes(folder, tmp_path / "saved")
    done = recorded(before)
    unfinished = before.begin(MONO)
    before.append(unfinished, 0, as_chromium(speech(1.5)).tobytes() + b"\x01\x02")  # killed while it was written
    before.begin(MONO)  # nothing had come yet
    folder.rename(tmp_path / "moved")
    after = Takes(tmp_path / "moved", tmp_path / "saved")
    assert {take.id: take.origin for take in after.all()} == {done: "recorded", unfinished: "recovered"}
    for take, seconds in ((after.find(done), 2.0), (after.find(unfinished), 1.5)):
        np.testing.assert_array_equal(soundfile.read(take.file, dtype="int16")[0], speech(seconds))
    assert len(list((tmp_path / "moved").iterdir())) == 2


@pytest.mark.parametrize("damage", ["", "{", '{"id": 1}', "[]"])
def test_damaged_facts_cost_no_samples(folder: Path, damage: str) -> None:
    before = Takes(folder, folder)
    recording = before.begin(MONO)
    before.append(recording, 0, as_chromium(speech(1.0)).tobytes())
    (folder / recording / "take.json").write_text(damage)
    (take,) = Takes(folder, folder).all()
    np.testing.assert_array_equal(soundfile.read(take.file, dtype="int16")[0], speech(1.0))


def test_a_saved_take_stays_and_names_are_not_reused(folder: Path, tmp_path: Path) -> None:
    takes = Takes(folder, tmp_path / "saved")
    saved = [takes.save(recorded(takes)).saved or "" for _ in range(2)]
    assert [Path(path).name for path in saved] == ["Take-1.wav", "Take-1-2.wav"]
    again = takes.save(takes.all()[0].id)
    assert again.saved == saved[0]
    for take in takes.all():
        takes.remove(take.id)
    assert all(Path(path).is_file() for path in saved)
    assert takes.all() == []
    assert list(folder.iterdir()) == []


def test_only_unsaved_recordings_are_counted(folder: Path, tmp_path: Path) -> None:
    takes = Takes(folder, tmp_path / "saved")
    takes.open(FIXTURES / "good.wav")
    first = recorded(takes)
    recorded(takes)
    takes.save(first)
    assert takes.unsaved == 1


def test_removing_an_opened_take_leaves_its_file(folder: Path) -> None:
    takes = Takes(folder, folder)
    take = takes.open(FIXTURES / "good.wav")
    assert (take.name, take.file) == ("good.wav", str(FIXTURES / "good.wav"))
    takes.remove(take.id)
    assert (FIXTURES / "good.wav").is_file()


def test_there_is_a_limit(folder: Path) -> None:
    takes = Takes(folder, folder)
    for _ in range(200):
        takes.open(FIXTURES / "good.wav")
    with pytest.raises(UsageError, match="there are 200 takes"):
        takes.begin(MONO)


@pytest.mark.skipif(os.name != "posix", reason="Windows has access control lists instead")
def test_the_session_is_private_and_goes(tmp_path: Path) -> None:
    with session_folder(tmp_path / "studio", keep=[]) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert list((tmp_path / "studio").iterdir()) == []


def test_a_session_adopts_takes_of_a_crashed_one_but_not_of_a_running_one(tmp_path: Path) -> None:
    root = tmp_path / "studio"
    with session_folder(root, keep=[True]) as crashed:
        done = recorded(Takes(crashed, tmp_path))
    assert crashed.is_dir()
    with session_folder(root, keep=[]) as running:
        assert [take.id for take in Takes(running, tmp_path).all()] == [done]
        assert not crashed.exists()
        with session_folder(root, keep=[]) as other:
            assert Takes(other, tmp_path).all() == []
        assert (running / done / "take.json").is_file()


def test_facts_are_json_that_anything_can_read(folder: Path) -> None:
    takes = Takes(folder, folder)
    done = recorded(takes)
    assert json.loads((folder / done / "take.json").read_text())["name"] == "Take 1"


@pytest.mark.parametrize(
    ("name", "stem"), [("con", "take-con"), ("Nul.wav", "take-Nul"), ("com1", "take-com1"), ("console", "console")]
)
def test_a_take_with_the_name_of_a_device_of_windows(name: str, stem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert file_stem(name) == name.partition(".")[0]
    monkeypatch.setattr(sys, "platform", "win32")
    assert file_stem(name) == stem
