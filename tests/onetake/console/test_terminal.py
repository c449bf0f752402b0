"""The terminal: width, colors, wrapping, and text without control characters."""

from __future__ import annotations

import io
import os
import pty
import termios
from collections.abc import Iterator
from typing import TextIO

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onetake.console.terminal import (
    MIN_COLUMNS,
    can_rewrite_lines,
    columns_of,
    fit,
    safe,
    terminal_columns,
    truncate,
    wants_color,
    wrap,
)
from tests.support.services import FIXTURES, onetake

GOOD = str(FIXTURES / "good.wav")
FORCED = {"FORCE_COLOR": "1", "NO_COLOR": ""}


@pytest.fixture
def tty(monkeypatch: pytest.MonkeyPatch) -> Iterator[TextIO]:
    """A stream that is connected to a terminal of 61 columns."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (40, 61))
    with os.fdopen(terminal, "w") as stream:
        yield stream
    os.close(controller)


@pytest.mark.parametrize(
    ("variables", "on_terminal", "in_pipe"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),  # no-color.org: "when present and not an empty string"
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ({"TERM": "dumb"}, False, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
    ],
)
def test_colors(
    tty: TextIO, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], on_terminal: bool, in_pipe: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (wants_color(tty), wants_color(io.StringIO())) == (on_terminal, in_pipe)


def test_forced_colors_reach_a_pipe(home: object) -> None:
    assert "\x1b[" in onetake("check", GOOD, env=FORCED).out
    assert "\x1b[" not in onetake("check", GOOD, "--no-color", env=FORCED).out
    assert "\x1b[" in onetake("nonesuch", env=FORCED).err


def test_a_line_is_rewritten_only_on_a_terminal_that_can(tty: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    assert can_rewrite_lines(tty)
    assert not can_rewrite_lines(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not can_rewrite_lines(tty)


def test_the_width_is_that_of_the_terminal_unless_columns_is_set(tty: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    assert terminal_columns(tty) == 61
    assert terminal_columns(io.StringIO()) == 80
    monkeypatch.setenv("COLUMNS", "132")
    assert terminal_columns(tty) == 132


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_value_of_columns_gives_a_positive_width(value: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", value)
        assert terminal_columns(io.StringIO()) > 0


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


@given(st.text(st.characters(exclude_categories=[])))
def test_a_sanitized_text_is_printable(text: str) -> None:
    assert safe(text).isprintable()
    assert safe(safe(text)) == safe(text)


@given(st.text().filter(str.isprintable))
def test_printable_text_is_not_changed(text: str) -> None:
    assert safe(text) == text


@pytest.mark.parametrize("sequence", ["\x1b[2J", "\x1b]0;title\x07", "\r", "\x9b31m", "\u202e", "\u2066", "\u2028"])
def test_escape_sequences_and_direction_overrides_are_escaped(sequence: str) -> None:
    assert sequence[0] not in safe(f"a{sequence}b")
