"""`onetake prompt` and `onetake clone --auto-prompt`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.onetake.conftest import Say
from tests.preflight.prompt.test_clips import noisy, recording, sentence
from tests.support.make_audio import story
from tests.support.services import FIXTURES, Services


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return recording(tmp_path / "take.wav", sentence(), story(), noisy(sentence()))


def test_it_shows_clips_and_writes_the_one_that_is_picked(say: Say, take: Path, tmp_path: Path) -> None:
    shown = say("prompt", str(take))
    assert shown.status == 0
    assert shown.out.splitlines()[0].startswith(" 1  0:00.")
    assert "--pick 1" in shown.err
    clips = json.loads(say("prompt", str(take), "--json").out)["clips"]
    assert len(clips) == len(shown.out.splitlines()) == 2
    out = tmp_path / "clip.wav"
    picked = say("prompt", str(take), "--pick", "2", "--text", "A small brown dog.", "-o", str(out))
    assert (picked.status, picked.err) == (0, "")
    without_text = say("prompt", str(take), "--pick", "2", "-o", str(out), "--force")
    assert without_text.status == 0
    assert "listen to it, and type" in without_text.err
    checked = say("check", "--prompt", str(out), "--prompt-text", "A small brown dog.", "--format", "json")
    report = json.loads(checked.out)["takes"][0]
    assert report["verdict"] == "ready"
    assert report["file"]["duration_s"] == pytest.approx(clips[1]["end_s"] - clips[1]["start_s"], abs=0.001)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--pick", "1"), "belong together"), (("-o", "x.wav"), "belong together"),
        (("--pick", "1", "-o", "x.wav", "--text", "no punctuation"), "punctuation"),
        (("--pick", "1", "-o", "x.ogg", "--text", "Words."), ".wav, .mp3 or .m4a"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together(say: Say, take: Path, arguments: tuple[str, ...], words: str) -> None:
    ran = say("prompt", str(take), *arguments)
    assert ran.status == 2
    assert words in ran.err
    assert not Path("x.wav").exists()


def test_a_clip_that_is_not_there(say: Say, take: Path) -> None:
    ran = say("prompt", str(take), "--pick", "9", "-o", "x.wav", "--text", "Words.")
    assert (ran.status, "prompt clip 9 does not exist" in ran.err) == (1, True)
    assert not Path("x.wav").exists()


def test_a_recording_without_one_says_so(say: Say) -> None:
    ran = say("prompt", str(FIXTURES / "text.mp3"))
    assert ran.status == 1
    assert "text.mp3: it is a text file" in ran.err


def test_a_clone_takes_its_prompt_from_the_recording(
    say: Say, services: Services, take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)
    words = ("--auto-prompt", "1", "--prompt-text", "A small brown dog.")
    ran = say("clone", str(take), *words, "--json")
    assert ran.status == 0, ran.err
    sizes = [upload["bytes"] for upload in json.loads(ran.out)["uploads"]]
    assert len(sizes) == 2
    assert sizes[1] < sizes[0] / 2
    planned = json.loads(say("clone", str(take), *words, "--dry-run", "--again", "--json").out)
    assert planned["request"]["clone_prompt"]["prompt_text"] == "A small brown dog."
    refused = say("clone", str(take), *words, "--prompt", str(FIXTURES / "prompt.wav"))
    assert (refused.status, "exclude each other" in refused.err) == (2, True)
    lacking = say("clone", str(take), "--auto-prompt", "1")
    assert (lacking.status, "needs the text" in lacking.err) == (2, True)
    too_many = say("clone", str(take), *words[:1], "40", *words[2:])
    assert (too_many.status, "prompt clip 40 does not exist" in too_many.err) == (1, True)
    assert services.objects() == {}
