"""Paths in suggested commands are what a shell reads as that path."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from preflight.display.command import argument


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    "path",
    ["take.wav", "my take.wav", "it's.wav", "new\nline's.wav", "esc\x1b[31m.wav", "bidi\u202e\\.wav", "\U000e0001x"],
)
def test_bash_reads_the_path(path: str) -> None:
    shown = argument(path)
    assert shown.isprintable()
    ran = subprocess.run(
        ["bash", "-c", f"printf %s {shown}"], capture_output=True, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"}
    )
    assert ran.stdout.decode() == path


@pytest.mark.parametrize(
    ("path", "shown"), [("-x.wav", "./-x.wav"), ("<stdin>", "TAKE"), ("<bytes>", "TAKE"), ("inv\\xff.wav", "TAKE")]
)
def test_what_cannot_be_an_argument_as_it_is(path: str, shown: str) -> None:
    assert argument(path) == shown
