from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import CLONE_MODELS, CloneClient, CloneOptions, InvalidArgument, SpeechRequest
from client.types import BITRATES, DEFAULT_CLONE_MODEL, SAMPLE_RATES
from onetake.sandbox.endpoint.contract import parse_speech

AUDIO = "https://storage.example/take.mp3"


@pytest.mark.parametrize(
    ("given_options", "argument"),
    [
        ({"text": "", "model": "speech-2.8-hd"}, "text"),
        ({"text": " \u3000", "model": "speech-2.8-hd"}, "text"),
        ({"text": "a" * 2001, "model": "speech-2.8-hd"}, "text"),
        ({"text": "a\x00b", "model": "speech-2.8-hd"}, "text"),
        ({"text": "a\x1bb", "model": "speech-2.8-hd"}, "text"),
        ({"text": "a\ud800b", "model": "speech-2.8-hd"}, "text"),
        ({"text": 5, "model": "speech-2.8-hd"}, "text"),
        ({"model": "speech-2.8-hd"}, "model"),
        ({"text": "Hello.", "model": "speech-9"}, "model"),
        ({"text": "Hello.", "model": ""}, "model"),
        ({"accuracy": -0.01}, "accuracy"),
        ({"accuracy": 1.01}, "accuracy"),
        ({"accuracy": math.nan}, "accuracy"),
        ({"accuracy": math.inf}, "accuracy"),
        ({"accuracy": True}, "accuracy"),
        ({"accuracy": "0.5"}, "accuracy"),
        ({"need_noise_reduction": 1}, "need_noise_reduction"),
        ({"need_volume_normalization": "yes"}, "need_volume_normalization"),
        ({"prompt_text": ""}, "prompt_text"),
        ({"prompt_text": "No mark at the end"}, "prompt_text"),
        ({"prompt_text": "A comma,"}, "prompt_text"),
        ({"prompt_text": '"'}, "prompt_text"),
    ],
)
def test_an_invalid_option_is_reported_by_name(given_options: dict[str, Any], argument: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        CloneOptions(**given_options)
    assert caught.value.argument == argument
    assert str(caught.value).startswith(argument)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "text",
    ["One.", "One?", "One!", "一。", "一？", "一！", "One…", 'He said "one."', "(One.)", "«One.»", "一。」", "One. "],  # noqa: RUF001
)
def test_prompt_texts_with_final_punctuation_are_accepted(text: str) -> None:
    assert CloneOptions(prompt_text=text).prompt_text == text


@pytest.mark.parametrize("model", CLONE_MODELS)
def test_known_models_are_accepted(model: str) -> None:
    assert CloneOptions(text="a" * 2000, model=model).model == model


def test_a_text_without_a_model_is_read_by_the_default_model() -> None:
    assert CloneOptions(text="Hello.").model == DEFAULT_CLONE_MODEL
    assert CloneOptions(text="Hello.", allow_unknown_model=True).model == DEFAULT_CLONE_MODEL
    assert CloneOptions().model is None
    assert DEFAULT_CLONE_MODEL in CLONE_MODELS


def test_an_unknown_model_is_accepted_if_allowed() -> None:
    assert CloneOptions(text="Hi.", model="speech-9", allow_unknown_model=True).model == "speech-9"


@pytest.mark.parametrize("accuracy", [0, 0.0, 0.7, 1, 1.0])
def test_accuracy_may_equal_its_limits(accuracy: float) -> None:
    assert CloneOptions(accuracy=accuracy).accuracy == accuracy


def options_or_error(text: str, accuracy: float | None) -> CloneOptions | InvalidArgument:
    try:
        return CloneOptions(text=text, model="speech-2.8-hd", accuracy=accuracy)
    except InvalidArgument as refused:
        return refused


@given(st.text(max_size=60), st.floats() | st.none())
def test_any_text_is_accepted_or_reported_by_name(text: str, accuracy: float | None) -> None:
    result = options_or_error(text, accuracy)
    if isinstance(result, InvalidArgument):
        assert result.argument in {"text", "accuracy"}
        assert result.message.isprintable()
    else:
        assert str(result.text).encode()


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


@pytest.mark.parametrize(
    ("wrong", "argument"),
    [
        ({"text": ""}, "text"),
        ({"text": "a" * 10_000}, "text"),
        ({"text": "a\x07"}, "text"),
        ({"voice_id": ""}, "voice_id"),
        ({"model": "speech-9"}, "model"),
        ({"format": "ogg"}, "format"),
        ({"output_format": "base64"}, "output_format"),
        ({"speed": 0}, "speed"),
        ({"speed": 0.49}, "speed"),
        ({"speed": 99}, "speed"),
        ({"speed": 10**400}, "speed"),
        ({"vol": math.inf}, "vol"),
        ({"vol": 10.1}, "vol"),
        ({"pitch": 0.5}, "pitch"),
        ({"pitch": -13}, "pitch"),
        ({"channel": 3}, "channel"),
        ({"sample_rate": True}, "sample_rate"),
        ({"sample_rate": 11_025}, "sample_rate"),
        ({"sample_rate": 8_000.0}, "sample_rate"),
        ({"bitrate": 1}, "bitrate"),
        ({"emotion": ""}, "emotion"),
    ],
)
def test_an_invalid_field_of_a_speech_request_is_reported_by_name(wrong: dict[str, Any], argument: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^{argument}"):
        SpeechRequest(**({"voice_id": "v", "text": "Hi.\nThere."} | wrong))


SPEECH_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "speed": st.one_of(st.integers(), st.floats(), st.floats(0.4, 2.1)),
        "vol": st.one_of(st.integers(), st.floats(), st.floats(0, 11)),
        "pitch": st.one_of(st.integers(), st.integers(-14, 14)),
        "sample_rate": st.one_of(st.integers(), st.sampled_from(SAMPLE_RATES)),
        "bitrate": st.one_of(st.integers(), st.sampled_from(BITRATES)),
        "channel": st.integers(0, 3),
    },
)


@given(SPEECH_FIELDS)
def test_every_valid_speech_request_is_accepted_by_the_stand_in(fields: dict[str, Any]) -> None:
    try:
        request = SpeechRequest(voice_id="v", text="Hi.", **fields)
    except InvalidArgument:
        return
    order = parse_speech(request.body())
    assert (order.sample_rate, order.bitrate) == (fields.get("sample_rate", 32_000), fields.get("bitrate", 128_000))


def test_a_speech_body_has_no_model_and_only_the_fields_that_are_set() -> None:
    assert SpeechRequest(voice_id="v", text="Hi.", speed=1.5, channel=2, language_boost="auto").body() == {
        "text": "Hi.",
        "voice_setting": {"voice_id": "v", "speed": 1.5},
        "audio_setting": {"format": "mp3", "channel": 2},
        "output_format": "hex",
        "language_boost": "auto",
    }
