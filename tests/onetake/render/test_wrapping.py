"""Wrapping counts columns, not characters."""

from __future__ import annotations

import click
from hypothesis import given
from hypothesis import strategies as st

from onetake.render.wrapping import MIN_COLUMNS, columns_of, fit, truncate, wrap

PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]))


@given(PRINTABLE, st.integers(1, 200))
def test_every_line_fits_and_no_character_is_lost(text: str, width: int) -> None:
    lines = list(wrap(text, width))
    assert all(columns_of(line) <= max(MIN_COLUMNS, width - 1) for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_a_text_that_fits_is_not_changed() -> None:
    assert list(wrap("  two  spaces", 80)) == ["  two  spaces"]


def test_continuation_lines_are_indented_two_columns_more() -> None:
    assert list(wrap("  warning noisy: the noise floor is high", 24)) == [
        "  warning noisy: the",
        "    noise floor is high",
    ]


def test_a_word_wider_than_the_line_is_split() -> None:
    first, second = wrap("a" * 30, 24)
    assert (first + second.strip(), len(first)) == ("a" * 30, 21)


def test_colors_take_no_columns() -> None:
    text = click.style("ready", fg="green", bold=True) + ": take.wav"
    assert columns_of(text) == len("ready: take.wav")
    assert list(wrap(text, 25)) == [text]


@given(PRINTABLE, st.integers(2, 100))
def test_a_fitted_name_has_exactly_the_requested_width(text: str, columns: int) -> None:
    assert columns_of(fit(text, columns)) == columns


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)), st.integers(0, 100))
def test_a_truncated_text_is_never_wider(text: str, columns: int) -> None:
    short = truncate(text, columns)
    assert len(short) <= max(columns, 0)
    assert text.startswith(short.removesuffix("…")) or short == text
