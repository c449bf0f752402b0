"""`preflight`, `client` and the stand-in agree on prompt texts, although they share no code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import CloneOptions, InvalidArgument
from onetake.sandbox.endpoint.contract import Refusal, parse_clone
from preflight.rules.prompt_text import problem_of_text
from tests.onetake.conftest import Say
from tests.support.services import FIXTURES

MARKS = ".?!\u3002\uff1f\uff01\u2026,"
CLOSERS = "\"'\u2019\u201d\u00bb\u300d\u300f\u3011\u300b\uff09)]} \u3000\n"
ENDED = st.tuples(st.text(), st.text(MARKS + CLOSERS, max_size=4)).map("".join)
LONG = st.integers(1990, 2010).map(lambda length: "a" * length + ".")
TEXTS = st.one_of(st.text(), ENDED, LONG)


def is_taken(text: str) -> bool:
    """Whether the client accepts it."""
    try:
        CloneOptions(prompt_text=text)
    except InvalidArgument:
        return False
    return True


@given(TEXTS)
def test_all_three_agree(text: str) -> None:
    is_ready = bool(text.strip()) and problem_of_text(text) is None
    assert is_ready == is_taken(text)
    prompt: dict[str, Any] = {"prompt_audio_url": "https://storage.example/clip.mp3", "prompt_text": text}
    if is_ready:
        parse_clone({"audio_url": "https://storage.example/take.mp3", "clone_prompt": prompt})
    elif len(text) < 2000 and text.isprintable():
        with pytest.raises(Refusal):
            parse_clone({"audio_url": "https://storage.example/take.mp3", "clone_prompt": prompt})


def test_check_says_so(say: Say, home: Path) -> None:
    words = ("check", "--prompt", str(FIXTURES / "prompt.wav"), "--prompt-text")
    ran = say(*words, "no punctuation")
    assert ran.status == 1
    assert "error prompt-text-unfit: the prompt text must end with punctuation" in ran.out
    assert say(*words, "Punctuation!").status == 0
    take = str(FIXTURES / "good.wav")
    ran = say("prompt", take, "--pick", "1", "-o", "clip.wav", "--text", "no punctuation")
    assert ran.status in (1, 2)
    assert "must end with punctuation" in ran.err
    assert not Path("clip.wav").exists()
