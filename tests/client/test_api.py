"""The client's own arguments, and the body of a clone request."""

from __future__ import annotations

import math
from typing import Any

import pytest

from client import CloneClient, CloneOptions, InvalidArgument

AUDIO = "https://storage.example/take.mp3"


def test_the_body_has_only_the_fields_that_are_set() -> None:
    client = CloneClient("key")
    assert client.clone_body(AUDIO, CloneOptions()) == {"audio_url": AUDIO}
    assert client.clone_body(AUDIO) == {"audio_url": AUDIO}


def test_the_body_has_every_field() -> None:
    options = CloneOptions(
        text="Hello.",
        model="speech-2.8-hd",
        accuracy=0.0,
        need_noise_reduction=True,
        need_volume_normalization=True,
        prompt_text="One.",
    )
    assert CloneClient("key").clone_body(AUDIO, options, "https://storage.example/clip.wav") == {
        "audio_url": AUDIO,
        "clone_prompt": {"prompt_audio_url": "https://storage.example/clip.wav", "prompt_text": "One."},
        "text": "Hello.",
        "model": "speech-2.8-hd",
        "accuracy": 0.0,
        "need_noise_reduction": True,
        "need_volume_normalization": True,
    }


def test_a_prompt_needs_clip_and_text() -> None:
    client = CloneClient("key")
    with pytest.raises(InvalidArgument, match="prompt_text"):
        client.clone_body(AUDIO, CloneOptions(), "https://storage.example/clip.wav")
    with pytest.raises(InvalidArgument, match="prompt_audio_url"):
        client.clone_body(AUDIO, CloneOptions(prompt_text="One."))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "take.mp3",
        "file:///take.mp3",
        "data:audio/mp3;base64,AAAA.mp3",
        "https:///take.mp3",
        "https://h/take",
        "https://h/take?name=x.mp3",
        "https://h/take.ogg",
        "https://h/ta ke.mp3",
        "https://h/take.mp3\n",
        "https://h:99999/take.mp3",
        "https://[::1/take.mp3",
        None,
    ],
)
def test_urls_that_the_service_cannot_use_are_refused(url: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^audio_url"):
        CloneClient("key").clone_body(url, CloneOptions())


@pytest.mark.parametrize(
    "key", ["", "sk-1 b", "sk-1\n", "sk-1\r\nX: y", "\tsk-1", "ключ", "sk-1\x7f", "sk-1\xa0b", None, 51]
)
def test_keys_that_a_header_cannot_contain_are_refused_without_quoting_them(key: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        CloneClient(key)
    assert caught.value.argument == "api_key"
    assert not key or str(key).strip() not in f"{caught.value!r}{caught.value.hint}"


@pytest.mark.parametrize(
    ("given_url", "kept"),
    [
        ("https://h", "https://h"),
        ("https://h/", "https://h"),
        ("https://h/v3", "https://h"),
        ("https://h/v3//", "https://h"),
        ("https://h/gate/v3/", "https://h/gate"),
        ("http://localhost:5/", "http://localhost:5"),
        ("http://127.8.0.1:5", "http://127.8.0.1:5"),
        ("http://[::1]:5", "http://[::1]:5"),
    ],
)
def test_base_urls_are_normalized(given_url: str, kept: str) -> None:
    assert CloneClient("key", given_url).base_url == kept


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example",
        "http://localhost.example",
        "http://10.0.0.1",
        "ftp://h",
        "h",
        "",
        "https://",
        "https://u:p@h",
        "https://h?x=1",
        "https://h:port",
    ],
)
def test_base_urls_that_are_not_valid_or_would_leak_the_key_are_refused(url: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^base_url"):
        CloneClient("key", url)


@pytest.mark.parametrize("setting", [{"clone_timeout_s": 0}, {"connect_timeout_s": math.nan}, {"retry_budget_s": -1}])
def test_timeouts_must_be_valid(setting: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=r"_s (is|must) "):
        CloneClient("key", **setting)
