"""`--speech-model` of `prompt` and `clone`: transcripts, wrong texts, and missing models."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.onetake.conftest import Say
from tests.preflight.prompt.test_clips import recording, sentence
from tests.support.make_audio import story
from tests.support.services import FIXTURES, PROMPT_TEXT, Services, onetake
from tests.support.speech_models import carried_model, fill_cache

pytestmark = pytest.mark.slow

MODEL = ("--speech-model", str(carried_model()))
CLIP = ("--prompt", str(FIXTURES / "prompt.wav"))
GOOD = str(FIXTURES / "good.wav")
WRONG = "I would like two coffees, please."
ROOT = FIXTURES.parent


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return recording(tmp_path / "take.wav", sentence(), story())


def test_prompt_shows_the_transcript_if_there_is_a_model(say: Say, take: Path) -> None:
    plain, transcribed = say("prompt", str(take)), say("prompt", str(take), *MODEL)
    lines = transcribed.out.splitlines()
    assert lines[::2] == plain.out.splitlines()
    assert all(line.startswith("    ") for line in lines[1::2])
    assert "quietly under the kitchen table" in transcribed.out
    clips = json.loads(say("prompt", str(take), *MODEL, "--json").out)["clips"]
    assert [clip.pop("heard") for clip in clips] == [line.strip() for line in lines[1::2]]
    assert clips == json.loads(say("prompt", str(take), "--json").out)["clips"]


def test_the_picked_clip_is_compared(say: Say, take: Path) -> None:
    pick = ("prompt", str(take), "--pick", "1", "--force", *MODEL, "-o", "clip.wav", "--text")
    right = say(*pick, PROMPT_TEXT)
    assert (right.status, right.err) == (0, "")
    wrong = say(*pick, WRONG, "--json")
    assert (wrong.status, wrong.err.count("warning:"), "below 0.7" in wrong.err) == (0, 1, True)
    comparison = json.loads(wrong.out)["comparison"]
    assert comparison["heard"] in wrong.err
    assert [finding["rule"] for finding in comparison["findings"]] == ["prompt-text-differs"]
    assert say(*pick, WRONG, "--severity", "prompt-text-differs=error").status == 1
    assert say(*pick, WRONG, "--ignore", "prompt-text-differs").err == ""


def test_a_clone_compares_the_prompt_text_before_anything_is_sent(
    say: Say, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)
    charged = services.endpoint.account()["clones_charged"]
    wrong = ("clone", GOOD, *CLIP, "--prompt-text", WRONG)
    refused = say(*wrong, *MODEL, "--severity", "prompt-text-differs=error", "--json")
    assert (refused.status, json.loads(refused.out)["error"]["kind"]) == (1, "take-refused")
    planned = say(*wrong, *MODEL, "--dry-run", "--json")
    assert (planned.status, planned.err.count("warning:")) == (0, 1)
    assert json.loads(planned.out)["comparison"]["agreement"] < 0.7
    assert "comparison" not in json.loads(say(*wrong, "--dry-run", "--json").out)
    assert services.endpoint.account()["clones_charged"] == charged
    warned = say(*wrong, *MODEL, "--json")
    assert (warned.status, "prompt.wav: the agreement of prompt text and transcript is" in warned.err) == (0, True)
    assert services.endpoint.account()["clones_charged"] == charged + 1
    assert services.objects() == {}


def test_the_requested_accuracy_is_the_limit(say: Say) -> None:
    nearly = PROMPT_TEXT.replace("quietly", "soundly")
    ran = ("clone", GOOD, *CLIP, "--prompt-text", nearly, *MODEL, "--dry-run", "--sandbox", "--json")
    assert json.loads(say(*ran).out)["comparison"]["findings"] == []
    (finding,) = json.loads(say(*ran, "--accuracy", "0.99").out)["comparison"]["findings"]
    assert finding["limit"] == 0.99


def test_a_clip_cut_from_the_recording_is_compared_too(say: Say, take: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONETAKE_SPEECH_MODEL", MODEL[1])
    clone = ("clone", str(take), "--dry-run", "--sandbox", "--json")
    clip = ("--auto-prompt", "1", "--prompt-text", PROMPT_TEXT)
    assert json.loads(say(*clone, *clip).out)["comparison"]["agreement"] > 0.85
    manifest = Path("takes.csv")
    manifest.write_text(f'take,auto_prompt,prompt_text\n{take},1,"{WRONG}"\n')
    (plan,) = json.loads(say("clone", str(manifest), *clone[2:]).out)["takes"]
    assert plan["comparison"]["agreement"] < 0.7


def test_the_model_is_not_loaded_without_a_prompt_clip(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONETAKE_SPEECH_MODEL", "/nowhere")
    assert say("clone", GOOD, "--dry-run", "--sandbox").status == 0
    ran = say("clone", GOOD, *CLIP, "--prompt-text", PROMPT_TEXT, "--dry-run", "--sandbox")
    assert (ran.status, "the speech model folder '/nowhere' does not exist" in ran.err) == (2, True)


def test_a_broken_model_ends_a_clone_before_the_call(
    say: Say, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)
    charged = services.endpoint.account()["clones_charged"]
    broken = tmp_path / "tiny-en"
    broken.mkdir()
    for file in carried_model().iterdir():
        (broken / file.name).write_bytes(b"no model")
    ran = say("clone", GOOD, *CLIP, "--prompt-text", PROMPT_TEXT, "--speech-model", str(broken), "--again")
    assert (ran.status, "is broken" in ran.err) == (2, True)
    assert services.endpoint.account()["clones_charged"] == charged
    assert services.objects() == {}


def test_a_cached_model_needs_no_connection(take: Path, tmp_path: Path, home: Path) -> None:
    fill_cache(tmp_path / "cache")
    env = {"MOONSHINE_VOICE_CACHE": str(tmp_path / "cache"), "HTTPS_PROXY": "http://127.0.0.1:9"}
    ran = onetake("prompt", str(take), "--speech-model", "tiny-en", env=env)
    assert (ran.status, "kitchen table" in ran.out) == (0, True)


@pytest.mark.parametrize(
    ("named", "words"),
    [("en", "its hub cannot be reached"), ("base-zh", "its hub cannot be reached"), ("xx", "there is no speech model")],
)
def test_an_unreachable_hub_is_reported(named: str, words: str, take: Path, tmp_path: Path, home: Path) -> None:
    env = {"MOONSHINE_VOICE_CACHE": str(tmp_path / "cache"), "HTTPS_PROXY": "http://127.0.0.1:9"}
    ran = onetake("prompt", str(take), "--speech-model", named, "--json", env=env)
    error = json.loads(ran.out)["error"]
    assert (ran.status, error["kind"], words in error["message"]) == (2, "bad-setting", True)
    assert named == "xx" or "--speech-model FOLDER" in error["hint"]


@pytest.mark.parametrize("lacking", ["moonshine_voice", "rapidfuzz"])
def test_a_missing_extra_is_reported_with_the_command_to_install_it(
    lacking: str, take: Path, tmp_path: Path, home: Path
) -> None:
    """An interpreter that finds everything but the extra."""
    packages = tmp_path / "packages"
    packages.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.lower().startswith(lacking):
            (packages / entry.name).symlink_to(entry)
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    env = {"PYTHONPATH": f"{ROOT}:{packages}"}
    before = (str(bare / "bin/python"), "-m", "onetake")
    assert onetake("prompt", str(take), before=before, env=env).status == 0
    ran = onetake("prompt", str(take), *MODEL, "--json", before=before, env=env)
    error = json.loads(ran.out)["error"]
    assert (ran.status, error["kind"]) == (2, "engine-missing")
    assert "pip install 'onetake[transcribe]'" in error["hint"]
