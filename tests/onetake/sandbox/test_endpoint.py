"""The stand-in endpoint enforces the contract, over real HTTP."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import av
import pytest
import requests
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from onetake.sandbox.endpoint import StandInEndpoint
from onetake.sandbox.endpoint.contract import Refusal, parse_clone, parse_speech
from onetake.sandbox.endpoint.fetch_audio import decode
from tests.support.file_server import FileServer, m4a, sound_file
from tests.support.stand_in import AUTHORIZED, CLONE, KEY, post

FILES: dict[str, Callable[[], bytes]] = {
    "/good.wav": lambda: sound_file("WAV", 10.0),
    "/stereo.mp3": lambda: sound_file("MP3", 11, channels=2),
    "/float.wav": lambda: sound_file("WAV", 11, subtype="FLOAT"),
    "/long.wav": lambda: sound_file("WAV", 300.01, rate=8000),
    "/limit.wav": lambda: sound_file("WAV", 300.0, rate=8000),
    "/short.mp3": lambda: sound_file("MP3", 9),
    "/three.wav": lambda: sound_file("WAV", 11, channels=3),
    "/mulaw.wav": lambda: sound_file("WAV", 11, subtype="ULAW"),
    "/flac.wav": lambda: sound_file("FLAC", 11),
    "/ogg.mp3": lambda: sound_file("OGG", 11),
    "/alac.m4a": lambda: m4a(11, "alac"),
    "/aac.m4a": lambda: m4a(11),
    "/text.mp3": lambda: b"this is text and not audio" * 100,
    "/empty.wav": lambda: b"",
    "/playlist.wav": lambda: b"ffconcat version 1.0\nfile /etc/hostname\n",
    "/huge.wav": lambda: b"RIFF" + bytes(21_000_000),
    "/clip.wav": lambda: sound_file("WAV", 7.9),
    "/clip8.wav": lambda: sound_file("WAV", 8.0),
}


@pytest.fixture(scope="module")
def files() -> Iterator[str]:
    content = {path: (make(), "application/x-test") for path, make in FILES.items()}
    with FileServer(content) as server:
        yield server.base_url


@pytest.mark.parametrize("name", ["good.wav", "stereo.mp3", "float.wav", "limit.wav", "aac.m4a"])
def test_valid_recordings_become_voices(stand_in: StandInEndpoint, files: str, name: str) -> None:
    status, body = post(stand_in, CLONE, {"audio_url": f"{files}/{name}"})
    assert status == 200
    assert set(body) == {"voice_id"}
    account = requests.get(stand_in.base_url + "/sandbox/account", headers=AUTHORIZED, timeout=60).json()
    assert account == stand_in.account()
    assert account["clones_charged"] == 1
    assert account["stored_types"] == ["application/x-test"]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("long.wav", 2037),
        ("short.mp3", 2037),
        ("three.wav", "INVALID_AUDIO_FILE"),
        ("mulaw.wav", "INVALID_AUDIO_FILE"),
        ("flac.wav", "INVALID_AUDIO_FILE"),
        ("ogg.mp3", "INVALID_AUDIO_FILE"),
        ("alac.m4a", "INVALID_AUDIO_FILE"),
        ("text.mp3", "INVALID_AUDIO_FILE"),
        ("empty.wav", "INVALID_AUDIO_FILE"),
        ("playlist.wav", "INVALID_AUDIO_FILE"),
        ("huge.wav", "INVALID_AUDIO_FILE"),
        ("missing.wav", 2013),
        ("good.wav/", 2013),
        ("good?name=x.wav", 2013),
    ],
)
def test_invalid_recordings_are_refused(stand_in: StandInEndpoint, files: str, name: str, answer: int | str) -> None:
    status, body = post(stand_in, CLONE, {"audio_url": f"{files}/{name}"})
    if isinstance(answer, int):
        assert (status, body["base_resp"]["status_code"]) == (200, answer)
    else:
        assert (status, body["code"], body["reason"]) == (400, 400, answer)
        assert set(body) == {"code", "reason", "message", "metadata"}
    account = stand_in.account()
    assert (account["clones_charged"], account["requests"], account["refused"]) == (0, 1, 1)


def test_links_to_other_machines_are_refused(stand_in: StandInEndpoint) -> None:
    status, body = post(stand_in, CLONE, {"audio_url": "http://192.0.2.1/take.wav"})
    assert status == 400
    assert "sandbox" in body["message"]


def test_a_prompt_clip_must_be_under_eight_seconds(stand_in: StandInEndpoint, files: str) -> None:
    body = {"audio_url": f"{files}/good.wav", "clone_prompt": {"prompt_text": "One."}}
    body["clone_prompt"]["prompt_audio_url"] = f"{files}/clip.wav"  # type: ignore[index]
    assert "voice_id" in post(stand_in, CLONE, body)[1]
    body["clone_prompt"]["prompt_audio_url"] = f"{files}/clip8.wav"  # type: ignore[index]
    assert post(stand_in, CLONE, body)[1]["base_resp"]["status_code"] == 2048


@pytest.mark.parametrize(
    "fields",
    [
        {"audio_url": None},
        {"audio_url": 5},
        {"audio_url": ""},
        {"text": "Hi."},
        {"text": "a" * 2001, "model": "speech-2.8-hd"},
        {"text": "Hi.", "model": "speech-9"},
        {"text": ["Hi."], "model": "speech-2.8-hd"},
        {"accuracy": 1.1},
        {"accuracy": True},
        {"accuracy": "0.7"},
        {"need_noise_reduction": "true"},
        {"need_volume_normalization": 1},
        {"clone_prompt": "x"},
        {"clone_prompt": {}},
        {"clone_prompt": {"prompt_audio_url": "http://127.0.0.1/a.wav"}},
        {"clone_prompt": {"prompt_text": "One."}},
        {"clone_prompt": {"prompt_audio_url": "http://127.0.0.1/a.wav", "prompt_text": "One"}},
    ],
)
def test_fields_are_checked_before_anything_is_downloaded(fields: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as caught:
        parse_clone({"audio_url": "http://127.0.0.1/a.wav"} | fields)
    assert caught.value.body["reason"] == "INVALID_REQUEST_BODY"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(
    [
        "audio_url",
        "clone_prompt",
        "text",
        "model",
        "accuracy",
        "need_noise_reduction",
        "voice_setting",
        "audio_setting",
        "output_format",
        "stream",
    ]
)


def refusal_of(attempt: Callable[[], object]) -> Refusal | None:
    try:
        attempt()
    except Refusal as refusal:
        return refusal
    return None


@given(st.dictionaries(names, json_values))
def test_any_body_is_accepted_or_refused(body: dict[str, Any]) -> None:
    for check in (parse_clone, parse_speech):
        refusal = refusal_of(lambda check=check: check(body))  # type: ignore[misc]
        assert refusal is None or refusal.status == 400


BEGINNINGS = [b"", b"RIFF", b"ID3\x04", b"\xff\xfb\x90\x64", b"\0\0\0\x20ftypM4A "]


@given(st.binary(max_size=400), st.sampled_from(BEGINNINGS))
def test_any_bytes_are_decoded_or_refused(content: bytes, beginning: bytes) -> None:
    refusal = refusal_of(lambda: decode(beginning + content))
    assert refusal is None or refusal.body["reason"] == "INVALID_AUDIO_FILE"


@pytest.mark.parametrize(("wanted", "name"), [("mp3", "mp3"), ("wav", "wav"), ("flac", "flac")])
def test_speech_has_the_requested_format(stand_in: StandInEndpoint, files: str, wanted: str, name: str) -> None:
    voice_id = post(stand_in, CLONE, {"audio_url": f"{files}/good.wav"})[1]["voice_id"]
    body = {
        "text": "a" * 50,
        "voice_setting": {"voice_id": voice_id, "speed": 1.0},
        "audio_setting": {"format": wanted, "sample_rate": 24000, "channel": 2, "bitrate": 64000},
    }
    audio = bytes.fromhex(post(stand_in, "/v3/minimax-speech-02-hd", body)[1]["audio"])
    with av.open(io.BytesIO(audio), "r") as container:
        assert container.format.name == name
    info = soundfile.info(io.BytesIO(audio))
    assert (info.samplerate, info.channels) == (24000, 2)
    assert 2.9 <= info.duration <= 3.2


def test_raw_speech_is_as_long_as_its_text(stand_in: StandInEndpoint, files: str) -> None:
    voice_id = post(stand_in, CLONE, {"audio_url": f"{files}/good.wav"})[1]["voice_id"]
    body = {
        "text": "Hi.",
        "voice_setting": {"voice_id": voice_id},
        "audio_setting": {"format": "pcm", "sample_rate": 16000},
        "output_format": "url",
    }
    link = post(stand_in, "/v3/minimax-speech-2.8-turbo", body)[1]["data"]["audio"]
    assert abs(len(requests.get(link, timeout=60).content) - 32000) < 200


def test_voices_expire_after_a_week_unless_they_spoke(files: str) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    with StandInEndpoint(KEY, now=lambda: moment) as endpoint:
        kept, lost = (post(endpoint, CLONE, {"audio_url": f"{files}/good.wav"})[1]["voice_id"] for _ in range(2))
        entry = endpoint.account()["voices"][0]
        assert (entry["created_at"], entry["expires_at"]) == (
            "2026-01-01T00:00:00+00:00",
            "2026-01-08T00:00:00+00:00",
        )
        moment += timedelta(hours=167, minutes=59)
        assert "data" in post(endpoint, *_saying(kept))[1]
        moment += timedelta(minutes=1)
        assert [entry["voice_id"] for entry in endpoint.account()["voices"]] == [kept]
        assert "data" in post(endpoint, *_saying(kept))[1]
        assert post(endpoint, *_saying(lost))[1]["base_resp"]["status_code"] == 2054


def _saying(voice_id: str) -> tuple[str, dict[str, Any]]:
    return "/v3/minimax-speech-2.8-turbo", {"text": "Hi.", "voice_setting": {"voice_id": voice_id}}
