"""The texts to read: long enough, varied, and with a marked sentence that fits a prompt clip."""

from __future__ import annotations

import pytest

from client import CloneOptions
from onetake.errors import UsageError
from onetake.studio.scripts import LANGUAGES, script
from preflight.prompt.clips import MAX_S

EACH = pytest.mark.parametrize("language", LANGUAGES)
ENDS = (".", "!", "?", "\u3002", "\uff01", "\uff1f")


@EACH
def test_the_whole_takes_about_a_minute(language: str) -> None:
    text = script(language)
    pauses = 0.5 * len(text.sentences)
    assert 60 <= text.seconds(*text.sentences) + pauses <= 120


@EACH
def test_the_marked_sentence_fits_a_prompt_clip_at_any_natural_pace(language: str) -> None:
    text = script(language)
    at_pace = text.seconds(text.marked)
    assert at_pace / 1.15 >= 5.0
    assert at_pace / 0.85 <= MAX_S


@EACH
def test_the_endpoint_accepts_the_marked_sentence(language: str) -> None:
    marked = script(language).marked
    assert CloneOptions(prompt_text=marked).prompt_text == marked


@EACH
def test_it_opens_with_the_consent_and_has_questions_and_exclamations(language: str) -> None:
    text = script(language)
    assert text.sentences[0] == text.consent
    assert text.consent.count("{name}") == 1
    assert all("{" not in sentence for sentence in text.sentences[1:])
    assert all(sentence.endswith(ENDS) and sentence == sentence.strip() for sentence in text.sentences)
    others = [*text.before, *text.after]
    for marks in ("?\uff1f", "!\uff01"):
        assert sum(any(mark in sentence for mark in marks) for sentence in others) >= 0.1 * len(others)
    assert len(set(text.sentences)) == len(text.sentences)
    assert any(sentence == text.marked for sentence in text.sentences[3:-3])


def test_words_and_characters_are_counted() -> None:
    english, chinese = script("en"), script("zh")
    assert english.seconds("Forty-two men don't run.") == pytest.approx(60 * 4 / 155)
    assert chinese.seconds("你想\uff0c一起去吗\uff1f") == pytest.approx(60 * 6 / 230)


def test_another_language_is_refused() -> None:
    with pytest.raises(UsageError, match="no script for 'tlh'"):
        script("tlh")
