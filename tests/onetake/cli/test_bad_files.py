"""Invalid files: one line that names the file, the right status, no traceback; and any file name."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.onetake.conftest import Say
from tests.support.selection import parametrize_some
from tests.support.services import FIXTURES, onetake

REJECTED = [
    "empty.wav",
    "header-only.wav",
    "tag-only.mp3",
    "text.mp3",
    "unfinished.m4a",
    "protected.m4a",
    "too-short.wav",
    "playlist.wav",
]
FIXABLE = ["voice-message.ogg", "lossless.m4a", "quicktime.qta", "surround.m4a", "video.mp4", "raw.aac"]
NAMES = [
    b"new\nline.wav",
    b"quo\"te's.wav",
    b"\x1b[31mred\x1b[0m.wav",
    b"latin-\xe9\xff.wav",
    b"-x.wav",
    b"--json.wav",
    b" space .wav",
    "täke 音.wav".encode(),
    "right\u202eto-left.wav".encode(),
    b"%s{0}$HOME.wav",
]


@pytest.mark.parametrize("name", REJECTED)
def test_an_unusable_file_is_refused_in_one_line(say: Say, name: str) -> None:
    path = str(FIXTURES / name)
    ran = say("check", path)
    assert ran.status == 1
    assert ran.out.startswith(f"{path}: rejected")
    for command in (("fix", path, "-o", "out.wav"), ("clone", path, "--dry-run", "--sandbox")):
        ran = say(*command)
        assert (ran.status, ran.out) == (1, "")
        messages = [line for line in ran.err.splitlines() if line.startswith("onetake:")]
        assert len(messages) == 1
        assert path in messages[0]
        assert not Path("out.wav").exists()


@pytest.mark.parametrize("name", FIXABLE)
def test_a_fixable_file_is_reported_and_becomes_ready(say: Say, name: str) -> None:
    path = str(FIXTURES / name)
    report = json.loads(say("check", path, "--format", "json").out)["takes"][0]
    assert report["verdict"] == "fixable"
    assert all(
        finding["fix"] and finding["message"] for finding in report["findings"] if finding["severity"] == "error"
    )
    assert say("fix", path, "-o", "out").status == 2
    Path("out").mkdir()
    fixed = say("fix", path, "-o", "out", "--json")
    assert fixed.status == 0
    assert say("check", json.loads(fixed.out)["path"]).status == 0


def test_a_path_that_is_not_a_regular_file_is_refused(say: Say) -> None:
    os.mkfifo("pipe.wav")
    Path("loop.wav").symlink_to("loop.wav")
    Path("folder.wav").mkdir()
    Path("noise.wav").write_bytes(os.urandom(5000))
    with Path("sparse.wav").open("wb") as file:
        file.truncate(2_000_000_000)
    for name in ("pipe.wav", "loop.wav", "folder.wav", "noise.wav", "sparse.wav", "missing.wav", ""):
        report = json.loads(say("check", name, "--quick", "--format", "json").out)["takes"][0]
        assert report["verdict"] == "rejected", name
        if name != "sparse.wav":  # whose 2 GB take seconds to be digested
            ran = say("clone", name, "--dry-run", "--sandbox")
            assert (ran.status, ran.out) == (1, ""), name


@pytest.mark.parametrize("name", NAMES)
def test_any_file_name_is_printed_without_control_characters(say: Say, name: bytes) -> None:
    word = os.fsdecode(name)
    shutil.copy(FIXTURES / "good.wav", f"./{word}")
    for words in (("check", "--", word), ("check", f"./{word}")):
        ran = say(*words)
        assert ran.status == 0
        assert ".wav: ready" in ran.out.splitlines()[0]
        assert not any(bad in ran.out for bad in ("\x1b", "\u202e", "\ufffd"))
    document = json.loads(say("check", "--format", "json", "--", word).out)
    assert document["takes"][0]["path"] == name.decode("utf-8", "backslashreplace")
    refused = say("clone", "--json", "--dry-run", "--sandbox", "--", f"{word}.missing")
    assert (refused.status, json.loads(refused.out)["error"]["kind"]) == (1, "take-refused")
    assert len(refused.err.splitlines()) == 2


@parametrize_some("name", NAMES, fast=4)
def test_any_file_name_can_be_written(say: Say, name: bytes) -> None:
    take, out = str(FIXTURES / "voice-message.ogg"), f"./{os.fsdecode(name)}"
    ran = say("fix", take, "--json", "-o", out)
    assert ran.status == 0, ran.err
    assert Path(out).exists()
    assert json.loads(ran.out)["path"] == name.decode("utf-8", "backslashreplace")
    again = say("fix", take, "-o", out)
    assert again.status == 2
    assert "exists" in again.err
    assert len(again.err.splitlines()) == 2
    assert "\x1b" not in again.err


@parametrize_some("name", [b"new\nline.wav", b"latin-\xe9\xff.wav", b"-x.wav"], fast=1)
def test_file_names_pass_through_a_real_command_line(name: bytes, home: Path) -> None:
    shutil.copy(FIXTURES / "good.wav", f"./{os.fsdecode(name)}")
    # in an encoding that cannot hold everything, JSON stays UTF-8
    ran = onetake(b"check", b"--format", b"json", b"--", name, env={"PYTHONIOENCODING": "latin-1"})
    assert json.loads(ran.out)["takes"][0]["path"] == name.decode("utf-8", "backslashreplace")
    ran = onetake(b"fix", b"--json", b"-o", b"./out-" + name, b"--", name)
    assert ran.status == 0
    assert (Path.cwd() / os.fsdecode(b"out-" + name)).exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_does_not_stop_the_others(say: Say, home: Path) -> None:
    for name in ("a.wav", "b.wav", "c.wav"):
        shutil.copy(FIXTURES / "good.wav", name)
    Path("b.wav").chmod(0)
    takes = json.loads(say("check", "a.wav", "b.wav", "c.wav", "--quick", "--format", "json").out)["takes"]
    assert [take["verdict"] for take in takes] == ["ready", "rejected", "ready"]
    assert "permission" in takes[1]["findings"][0]["message"]
    for command in ("fix b.wav -o out.wav", "prompt b.wav", "join a.wav b.wav -o out.wav"):
        ran = say(*command.split())
        assert ran.status == 1
        assert "b.wav: you have no permission" in ran.err
    ran = say("check", "a.wav", "--prompt", "b.wav", "--prompt-text", "Hello.", "--quick")
    assert ran.status == 1
    assert "b.wav: rejected" in ran.out


def test_a_folder_without_recordings_is_reported(say: Say, home: Path) -> None:
    Path("takes/deep").mkdir(parents=True)
    Path("takes/deep/notes.txt").write_text("Take two was better.")
    ran = say("check", "takes")
    assert ran.status == 1
    assert "there is no recording in this folder" in ran.out
    ran = say("clone", "takes", "--sandbox")
    assert ran.status == 1
    assert "takes: there is no recording in this folder" in ran.out
    shutil.copy(FIXTURES / "good.wav", "takes/deep")
    ran = say("fix", "takes", "-o", "out.wav")
    assert ran.status == 2
    assert "takes: this is a folder, not a recording: name a recording in it" in ran.err.replace("\n  ", ": ")


@pytest.mark.parametrize(
    "words", [("fix", "takes"), ("prompt", "takes"), ("join", "takes", "one.wav", "-o", "out.wav"), ("upload", "takes")]
)
def test_a_folder_instead_of_a_file_is_a_usage_error(say: Say, home: Path, words: tuple[str, ...]) -> None:
    Path("takes").mkdir()
    shutil.copy(FIXTURES / "good.wav", "one.wav")
    ran = say(*words)
    assert (ran.status, ran.out) == (2, "")
    assert "takes: this is a folder" in ran.err


@pytest.mark.parametrize(
    "words", [("clone", "gone.wav"), ("clone", "gone.wav", "--dry-run"), ("upload", "gone.wav"), ("fix", "gone.wav")]
)
def test_a_missing_file_is_reported_before_a_missing_setting(say: Say, home: Path, words: tuple[str, ...]) -> None:
    ran = say(*words)
    assert (ran.status, ran.out) == (1, "")
    assert "gone.wav: there is no such file" in ran.err


PATHS = {"long": "n" * 300, "forbidden": "forbidden/take"}
INPUTS = {
    "check": ("check", "{}.wav"),
    "fix": ("fix", "{}.wav", "-o", "out.wav"),
    "join": ("join", "{}.wav", "{}.wav", "-o", "out.wav"),
    "prompt": ("prompt", "{}.wav"),
    "upload": ("upload", "{}.wav", "--sandbox"),
    "clone": ("clone", "{}.wav", "--dry-run", "--sandbox"),
    "prompt clip": ("clone", str(FIXTURES / "good.m4a"), "--prompt", "{}.wav", "--prompt-text", "A.", "--sandbox"),
}
OUTPUTS = {
    "page": ("check", str(FIXTURES / "good.m4a"), "--format", "html", "-o", "{}.html"),
    "fix": ("fix", str(FIXTURES / "surround.m4a"), "-o", "{}.wav"),
    "join": ("join", str(FIXTURES / "good.m4a"), str(FIXTURES / "good.wav"), "-o", "{}.wav"),
    "demo": ("clone", str(FIXTURES / "good.m4a"), "--demo", "{}.mp3", "--text", "Hello.", "--dry-run", "--sandbox"),
    "profile": ("check", str(FIXTURES / "good.m4a"), "--profile", "{}"),
    "ledger": ("ledger", "copy", "{}", "copy"),
    "results": ("report", "{}"),
}


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest, home: Path) -> str:
    """A path at which the system refuses to look."""
    if request.param == "forbidden":
        if os.geteuid() == 0:
            pytest.skip("root may search every folder")
        Path("forbidden").mkdir(mode=0)
    return PATHS[request.param]


@pytest.mark.parametrize("name", INPUTS)
def test_a_recording_that_the_system_refuses_to_look_at_is_not_fit(say: Say, path: str, name: str) -> None:
    ran = say(*(argument.format(path) for argument in INPUTS[name]))
    assert ran.status == 1, ran.err
    assert ("too long" if path in PATHS["long"] else "permission") in ran.out + ran.err


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_place_that_the_system_refuses_to_look_at_is_a_usage_error(say: Say, path: str, name: str) -> None:
    ran = say(*(argument.format(path) for argument in OUTPUTS[name]))
    assert ran.status == 2, ran.err
