"""From a file on disk to a voice, through real storage and real HTTP."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import soundfile

import preflight
from tests.onetake.conftest import Say
from tests.support.services import FIXTURES, KEY, PROMPT_TEXT, Services, ledger_dump, onetake, paid_calls

GOOD = str(FIXTURES / "good.m4a")
PREVIEW = (
    "--text",
    "Hello, this is the voice that was cloned a moment ago from the recording.",
    "--model",
    "speech-2.8-hd",
    "--demo",
)


@pytest.fixture(autouse=True)
def _real(services: Services, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)


def document(say: Say, *arguments: str, status: int = 0) -> dict[str, Any]:
    ran = say("clone", *arguments, "--json")
    assert ran.status == status, ran.err
    answer: dict[str, Any] = json.loads(ran.out)
    return answer


def test_clone_with_all_options(say: Say, home: Path, services: Services) -> None:
    ran = say(
        "clone", GOOD, "--prompt", str(FIXTURES / "prompt.m4a"), "--prompt-text", PROMPT_TEXT, *PREVIEW, "demo.mp3"
    )
    assert ran.status == 0
    said = dict(line.split(None, 1) for line in ran.out.splitlines())
    assert set(said) == {"voice_id", "name", "expires", "demo", "likeness"}
    assert 0.8 < float(said["likeness"].split()[0]) <= 1  # the stand-in reads from the recording itself
    assert [step for step in ("check", "upload", "verify", "clone", "demo", "clean") if f" {step}" not in ran.err] == []
    voices = {voice["voice_id"]: voice for voice in services.endpoint.account()["voices"]}
    assert said["voice_id"] in voices
    assert preflight.check("demo.mp3").file.duration_s
    assert services.objects() == {}
    (call,) = paid_calls(home)
    assert (call["state"], call["voice_id"]) == ("voice", said["voice_id"])
    assert (home / "onetake" / "ledger.sqlite3").stat().st_mode & 0o777 == 0o600
    everything = ran.out + ran.err + ledger_dump(home)
    for secret in (KEY, services.storage.secret_access_key, services.storage.access_key_id, "X-Amz-"):
        assert secret not in everything


@pytest.mark.parametrize(
    ("name", "ending", "content_type"),
    [("good.wav", ".wav", "audio/wav"), ("good.mp3", ".mp3", "audio/mpeg"), ("good.m4a", ".m4a", "audio/mp4")],
)
def test_each_format_is_stored_with_its_content_type(
    say: Say, services: Services, name: str, ending: str, content_type: str
) -> None:
    said = document(say, str(FIXTURES / name), "--keep-upload")
    stored = services.objects()
    services.empty()
    (upload,) = said["uploads"]
    assert stored == {upload["key"]: content_type}
    assert (upload["content_type"], upload["deleted"]) == (content_type, False)
    assert upload["key"].endswith(ending)
    assert services.endpoint.account()["stored_types"][-1] == content_type


@pytest.mark.parametrize(("real", "named"), [("good.mp3", "take.wav"), ("good.m4a", "take.mp3"), ("good.wav", "take")])
def test_a_wrong_extension_does_not_change_the_audio(say: Say, services: Services, real: str, named: str) -> None:
    shutil.copy(FIXTURES / real, named)
    said = document(say, named)
    assert said["changes"] == []
    assert said["take"]["path"] == named
    assert said["uploads"][0]["key"].endswith(Path(real).suffix)
    assert said["uploads"][0]["bytes"] == Path(named).stat().st_size


@pytest.mark.parametrize("name", ["voice-message.ogg", "lossless.m4a", "quicktime.qta", "surround.m4a"])
def test_a_fixable_recording_is_fixed_before_the_upload(say: Say, services: Services, name: str) -> None:
    before = (FIXTURES / name).read_bytes()
    said = document(say, str(FIXTURES / name))
    assert said["changes"]
    assert said["take"]["verdict"] == "ready"
    assert services.objects() == {}
    assert (FIXTURES / name).read_bytes() == before
    assert list((Path.cwd().parent / "tmp").iterdir()) == []


def test_a_fixable_prompt_clip_is_fixed(say: Say, services: Services) -> None:
    sound, rate = soundfile.read(FIXTURES / "prompt.wav")
    soundfile.write("clip.flac", sound, rate)
    assert preflight.check("clip.flac", role="prompt", prompt_text=PROMPT_TEXT).verdict == "fixable"
    said = document(say, GOOD, "--prompt", "clip.flac", "--prompt-text", PROMPT_TEXT)
    assert len(said["uploads"]) == 2
    assert all(upload["deleted"] for upload in said["uploads"])


def test_a_bad_prompt_clip_ends_the_clone(say: Say, services: Services, home: Path) -> None:
    charged = services.endpoint.account()["requests"]
    for arguments in (
        ("--prompt", str(FIXTURES / "good.wav"), "--prompt-text", PROMPT_TEXT),  # 11 s are too long for a clip
        ("--prompt", "missing.wav", "--prompt-text", PROMPT_TEXT),
    ):
        assert document(say, GOOD, *arguments, status=1)["error"]["kind"] == "take-refused"
    assert services.endpoint.account()["requests"] == charged
    assert services.objects() == {}
    assert paid_calls(home) == []


def test_upload_prints_a_working_link(say: Say, services: Services) -> None:
    import requests

    ran = say("upload", GOOD)
    assert ran.status == 0
    url = ran.out.strip()
    got = requests.get(url, timeout=60)
    services.empty()
    assert got.content == Path(GOOD).read_bytes()
    assert got.headers["Content-Type"] == "audio/mp4"
    assert "X-Amz-Signature" in url
    assert "X-Amz-" not in ran.err


def test_a_dry_run_sends_nothing(say: Say, services: Services, home: Path) -> None:
    before = services.endpoint.account()
    options = ("--prompt", str(FIXTURES / "prompt.wav"), "--prompt-text", PROMPT_TEXT, *PREVIEW, "d.mp3")
    # nothing listens on the discard port (RFC 863): a request would fail
    nowhere = ("--s3-endpoint", "http://127.0.0.1:9", "--base-url", "http://127.0.0.1:9")
    said = document(say, str(FIXTURES / "voice-message.ogg"), *options, *nowhere, "--noise-reduction", "--dry-run")
    assert said["dry_run"]
    assert said["changes"]
    request = said["request"]
    assert set(request) == {"audio_url", "clone_prompt", "text", "model", "need_noise_reduction"}
    assert request["clone_prompt"]["prompt_text"] == PROMPT_TEXT
    assert "X-Amz" not in json.dumps(said)
    assert services.endpoint.account() == before
    assert services.objects() == {}
    assert paid_calls(home) == []
    assert not Path("d.mp3").exists()
    assert say("clone", GOOD, "--dry-run", *nowhere).out.startswith(f"{GOOD}: would upload to ")


@pytest.mark.slow
def test_the_example_command_clones_in_a_sandbox(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "BASE_URL", "S3_ENDPOINT", "BUCKET", "PROVIDER", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.delenv(f"ONETAKE_{name}")
    prompt = ("--prompt", str(FIXTURES / "prompt.wav"), "--prompt-text", PROMPT_TEXT)
    ran = onetake("clone", str(FIXTURES / "good.mp3"), *prompt, *PREVIEW, "demo.mp3", "--sandbox", "--json")
    assert (ran.status, ran.err) == (0, "")
    said = json.loads(ran.out)
    assert said["voice_id"].startswith("voice_")
    assert said["expires_at"].endswith("Z")
    assert [upload["content_type"] for upload in said["uploads"]] == ["audio/mpeg", "audio/wav"]
    assert all(upload["deleted"] for upload in said["uploads"])
    assert preflight.check("demo.mp3").file.container == "mp3"
    assert paid_calls(home) == []  # a sandbox does not write to the real ledger
