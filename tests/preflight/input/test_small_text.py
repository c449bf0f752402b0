"""Small text files: which files are accepted, up to which size, in which encoding."""

from __future__ import annotations

import codecs
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import preflight
from preflight.errors import CannotOpen
from preflight.input.small_text import MAX_BYTES, read_small_text
from tests.support.make_audio import FIXTURES, sparse

PLACES = {
    "pipe": "not a regular file",
    "/dev/zero": "not a regular file",
    "folder": "it is a folder",
    "missing": "no such file",
    "a\0b": "not a valid file name",
    "a\ud800b": "not a valid file name",
    "large": "larger than the limit of 1,000,000 bytes",
    "endless": "larger than the limit of 1,000,000 bytes",
    "wide": "UTF-16 or UTF-32",
    "wide without a mark": "UTF-16 or UTF-32",
    "latin": "not UTF-8",
}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("folder").mkdir()
    Path("large").write_bytes(b" " * (MAX_BYTES + 1))
    sparse(Path("endless"), 1 << 40)
    Path("wide").write_text('extends = "strict"', encoding="utf-16")
    Path("wide without a mark").write_text('extends = "strict"', encoding="utf-16-le")
    Path("latin").write_text('extends = "é"', encoding="latin-1")


@pytest.mark.parametrize("name", PLACES)
def test_unsuitable_files_are_rejected(places: None, name: str) -> None:
    with pytest.raises(CannotOpen, match=PLACES[name]):
        read_small_text(name)
    with pytest.raises(preflight.BadProfile, match=PLACES[name]):
        preflight.load_profile(name)


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_a_pipe_of_the_shell_is_read() -> None:
    check = f"'{sys.executable}' -m onetake check '{FIXTURES / 'good.wav'}' --format json"
    script = f"""{check} --profile <(sleep 0.3; printf '[severity]\\nhum = "%s"\\n' "$0")"""
    for level, status in (("off", 0), ("nonsense", 2)):
        ran = subprocess.run(["bash", "-c", script, level], capture_output=True, text=True, check=False)
        assert ran.returncode == status, ran.stderr
        assert ("nonsense" in ran.stderr) == (status == 2)


@given(text=st.text(), is_marked=st.booleans())
def test_any_text_round_trips(text: str, is_marked: bool) -> None:
    content = text.removeprefix("\ufeff").encode()
    with tempfile.NamedTemporaryFile() as file:
        file.write(codecs.BOM_UTF8 * is_marked + content)
        file.flush()
        assert read_small_text(file.name, len(content) + 3) == content.decode()
