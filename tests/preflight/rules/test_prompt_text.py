"""The rules about the text of a prompt clip."""

from __future__ import annotations

import pytest

from preflight.analysis.analysis import Comparison
from preflight.rules.prompt_text import problem_of_text
from tests.support.analyses import changed, finding, findings


@pytest.mark.parametrize("text", ["Hello.", "Ready?", "Go!", "好的。", '"So," she said. "Yes."', "Done.)  ", "Well…"])
def test_accepted_texts(text: str) -> None:
    assert problem_of_text(text) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no punctuation", "must end with punctuation"),
        ("bell\a.", "contains the control character U+0007: remove it"),
        ("surrogate \ud800.", "contains the control character U+D800: remove it"),
        ("x" * 2000 + ".", "has 2001 characters, above the maximum of 2000: shorten it"),
    ],
)
def test_rejected_texts(text: str, problem: str) -> None:
    assert (problem_of_text(text) or "").startswith(problem)


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_prompt_text_missing(text: str | None) -> None:
    assert finding("prompt-text-missing", changed(role="prompt", prompt_text=text)).severity == "error"
    assert findings("prompt-text-missing", changed(role="prompt", prompt_text="Hello.")) == []
    assert findings("prompt-text-missing", changed(prompt_text=text)) == []


def test_prompt_text_unfit() -> None:
    found = finding("prompt-text-unfit", changed(role="prompt", prompt_text="no punctuation"))
    assert found.message.startswith("the prompt text must end with punctuation")
    assert findings("prompt-text-unfit", changed(role="prompt", prompt_text="Hello.")) == []
    assert findings("prompt-text-unfit", changed(prompt_text="no punctuation")) == []
    assert findings("prompt-text-unfit", changed(role="prompt", prompt_text=" ")) == []


def test_prompt_text_differs() -> None:
    def found(transcript: str, agreement: float | None) -> list[str]:
        text = Comparison(transcript=transcript, agreement=agreement, language="en")
        return [one.message for one in findings("prompt-text-differs", changed(role="prompt", comparison=text))]

    assert found("a small dog", 0.45) == [
        "the agreement of prompt text and transcript is 0.45, below 0.7 (the speech model transcribed "
        '"a small dog"): correct the text, or choose another clip'
    ]
    assert "(the speech model found no words): correct the text" in found("", 0.0)[0]
    assert "the speech model supports English" in found("a small dog", None)[0]
    assert len(found("word " * 500, 0.1)[0]) < 450
    assert found("a small dog", 0.7) == []


def test_without_a_transcript_nothing_is_compared() -> None:
    assert findings("prompt-text-differs", changed(role="prompt", prompt_text="Hello.")) == []
