"""The options of a clone."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import CLONE_MODELS, CloneOptions, InvalidArgument
from client.voice_clone import DEFAULT_CLONE_MODEL


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
