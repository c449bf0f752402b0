"""Arguments in suggested commands are what a shell reads as that text."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from preflight.display.shell_arguments import argument, quoted


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    "path",
    ["take.wav", "my take.wav", "it's.wav", "new\nline's.wav", "esc\x1b[31m.wav", "bidi\u202e\\.wav", "\U000e0001x"],
)
def test_bash_reads_the_path(path: str) -> None:
    shown = argument(path, windows=False)
    assert shown.isprintable()
    ran = subprocess.run(
        ["bash", "-c", f"printf %s {shown}"], capture_output=True, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"}
    )
    assert ran.stdout.decode() == path


@pytest.mark.parametrize(
    ("path", "shown"), [("-x.wav", "./-x.wav"), ("<stdin>", "TAKE"), ("<bytes>", "TAKE"), ("inv\\xff.wav", "TAKE")]
)
def test_what_cannot_be_an_argument_as_it_is(path: str, shown: str) -> None:
    assert argument(path, windows=False) == shown


def read_by_windows(command: str) -> list[str]:
    """Divide a command line as the C runtime of Windows does, after cmd or PowerShell have left it as it is."""
    words, word, is_quoted, backslashes = [], "", False, 0
    for character in f"{command} ":
        if character == "\\":
            backslashes += 1
            continue
        if character == '"':
            word += "\\" * (backslashes // 2)
            word, is_quoted = (f'{word}"', is_quoted) if backslashes % 2 else (word, not is_quoted)
        else:
            word += "\\" * backslashes
            if character == " " and not is_quoted:
                words.append(word)
                word = ""
            else:
                word += character
        backslashes = 0
    return words


@given(st.text(st.characters(exclude_characters='"“”„‟$`', exclude_categories=("C", "Z"), include_characters=" ")))
def test_windows_reads_the_text(text: str) -> None:
    shown = quoted(text, windows=True)
    assert read_by_windows(shown) == [text]
    if any(character in " &|<>^();,='#@{}~!%" for character in text):  # what one of the shells takes apart
        assert shown.startswith('"')
        assert shown.endswith('"')


@given(st.text(max_size=8), st.sampled_from('"“”„‟$`\n\u202e'), st.text(max_size=8))
def test_what_the_shells_of_windows_read_differently_is_a_placeholder(before: str, active: str, after: str) -> None:
    assert quoted(f"{before}{active}{after}", "OUT", windows=True) == "OUT"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (r"C:\takes\one.wav", r"C:\takes\one.wav"),
        (r"C:\my takes\one.wav", r'"C:\my takes\one.wav"'),
        ("C:\\my takes\\", r'"C:\my takes\\"'),
        (r"D:\x0a\xff.wav", r"D:\x0a\xff.wav"),  # folders, not bytes that are not UTF-8
        ("it's.wav", '"it\'s.wav"'),
        ("a&b.wav", '"a&b.wav"'),
        ("-x.wav", r".\-x.wav"),
        ("-x y.wav", r'".\-x y.wav"'),
        ("$HOME.wav", "TAKE"),
        ("<stdin>", "TAKE"),
        ("", '""'),
    ],
)
def test_paths_of_windows(path: str, shown: str) -> None:
    assert argument(path, windows=True) == shown


@given(st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), min_size=1))
def test_text_without_special_characters_is_the_same_for_all_shells(text: str) -> None:
    assume(text.isalnum())
    assert quoted(text, windows=True) == text
