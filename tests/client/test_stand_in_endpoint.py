"""The client against the stand-in endpoint, with real recordings, over HTTP."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle

import pytest
import soundfile

from client import (
    SPEECH_MODELS,
    AudioRefused,
    CloneClient,
    CloneOptions,
    KeyRefused,
    OutcomeUnknown,
    RequestRefused,
    SpeechRequest,
    VoiceNotFound,
)
from onetake.sandbox.endpoint import StandInEndpoint
from tests.client.conftest import KEY, QUERY
from tests.support.file_server import FileServer, m4a, sound_file


@pytest.fixture(scope="module")
def files() -> Iterator[FileServer]:
    recordings = {
        "/take.wav": (sound_file("WAV", 12), "audio/wav"),
        "/take.mp3": (sound_file("MP3", 12), "audio/mpeg"),
        "/take.m4a": (m4a(12), "audio/mp4"),
        "/short.wav": (sound_file("WAV", 9.9), "audio/wav"),
        "/clip.wav": (sound_file("WAV", 6), "audio/wav"),
        "/long-clip.wav": (sound_file("WAV", 8), "audio/wav"),
    }
    with FileServer(recordings) as server:
        yield server


@pytest.fixture
def stand_in() -> Iterator[StandInEndpoint]:
    with StandInEndpoint(KEY) as endpoint:
        yield endpoint


@pytest.mark.parametrize("name", ["take.wav", "take.mp3", "take.m4a"])
def test_a_voice_is_cloned_previewed_and_kept(stand_in: StandInEndpoint, files: FileServer, name: str) -> None:
    client = CloneClient(KEY, stand_in.base_url)
    options = CloneOptions(
        text="Hello there, this is a trial.",
        model="speech-2.8-hd",
        accuracy=0.7,
        need_noise_reduction=True,
        prompt_text="Some call me nature.",
    )
    before = datetime.now(UTC)
    voice = client.clone(f"{files.base_url}/{name}?{QUERY}", options, f"{files.base_url}/clip.wav")
    assert voice.voice_id.startswith("voice_")
    assert voice.expires_at - voice.answered_at == timedelta(hours=168)
    assert before <= voice.answered_at <= datetime.now(UTC)
    assert voice.demo_audio_url is not None
    assert voice.raw["voice_id"] == voice.voice_id

    demo = io.BytesIO()
    assert client.download(voice.demo_audio_url, demo) > 1000
    demo.seek(0)
    assert 1.5 <= soundfile.info(demo).duration <= 2.0

    speech = client.synthesize(SpeechRequest(voice_id=voice.voice_id, text="Hi."))
    assert speech.audio is not None
    assert 0.9 <= soundfile.info(io.BytesIO(speech.audio)).duration <= 1.2

    account = stand_in.account()
    assert account["clones_charged"] == 1
    assert account["characters_charged"] == len("Hello there, this is a trial.") + len("Hi.")
    assert account["stored_types"] == [{"wav": "audio/wav", "mp3": "audio/mpeg", "m4a": "audio/mp4"}[name[5:]]]
    assert [entry["kept"] for entry in account["voices"]] == [True]


@pytest.mark.parametrize(("model", "output_format"), list(zip(SPEECH_MODELS, cycle(("hex", "url")), strict=False)))
def test_every_model_speaks(stand_in: StandInEndpoint, files: FileServer, model: str, output_format: str) -> None:
    client = CloneClient(KEY, stand_in.base_url + "/v3/")
    voice = client.clone(f"{files.base_url}/take.wav")
    speech = client.synthesize(
        SpeechRequest(voice_id=voice.voice_id, text="你好", model=model, format="wav", output_format=output_format)  # type: ignore[arg-type]
    )
    target = io.BytesIO(speech.audio or b"")
    if speech.audio_url is not None:
        client.download(speech.audio_url, target)
    target.seek(0)
    assert soundfile.info(target).format == "WAV"
    assert stand_in.account()["characters_charged"] == 4
    with pytest.raises(VoiceNotFound) as caught:
        client.synthesize(SpeechRequest(voice_id="voice_none", text="Hi.", model=model))
    assert caught.value.code == 2054


def test_refusals_cost_nothing_and_name_their_number(stand_in: StandInEndpoint, files: FileServer) -> None:
    client = CloneClient(KEY, stand_in.base_url)
    prompt = CloneOptions(prompt_text="Some call me nature.")
    with pytest.raises(AudioRefused, match="too short") as caught:
        client.clone(f"{files.base_url}/short.wav")
    assert caught.value.code == 2037
    with pytest.raises(AudioRefused, match="prompt clip") as caught:
        client.clone(f"{files.base_url}/take.wav", prompt, f"{files.base_url}/long-clip.wav")
    assert caught.value.code == 2048
    with pytest.raises(AudioRefused, match="URL"):
        client.clone(f"{files.base_url}/missing.wav")
    unknown = CloneOptions(text="Hi.", model="speech-9", allow_unknown_model=True)
    with pytest.raises(RequestRefused, match="model"):
        client.clone(f"{files.base_url}/take.wav", unknown)
    with pytest.raises(KeyRefused):
        CloneClient("another", stand_in.base_url).clone(f"{files.base_url}/take.wav")
    account = stand_in.account()
    assert (account["clones_charged"], account["requests"], account["refused"]) == (0, 5, 5)


def test_a_lost_answer_may_have_been_charged(files: FileServer) -> None:
    with StandInEndpoint(KEY, answer_delay_s=3) as slow:
        with pytest.raises(OutcomeUnknown):
            CloneClient(KEY, slow.base_url, clone_timeout_s=1.0).clone(f"{files.base_url}/take.wav")
        assert slow.account()["clones_charged"] == 1
