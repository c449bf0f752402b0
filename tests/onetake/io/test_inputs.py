"""Input paths: folders are expanded, lists are read in any form, standard input is read once."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onetake.errors import UsageError
from onetake.io.inputs import open_inputs, read_names, recordings_of

NAMES = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n\ufeff"), min_size=1).filter(str.strip),
    min_size=1,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("takes/b.wav", "takes/a.mp3", "takes/notes.txt", "empty/notes.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(b"RIFF")
    return tmp_path


def test_a_folder_is_replaced_by_its_recordings(folder: Path) -> None:
    assert list(recordings_of(["x.wav", "takes"])) == ["x.wav", "takes/a.mp3", "takes/b.wav"]


def test_a_folder_without_recordings_and_a_missing_file_are_kept(folder: Path) -> None:
    assert list(recordings_of(["empty", "missing.wav"])) == ["empty", "missing.wav"]


def test_files_come_before_those_of_the_list(folder: Path) -> None:
    Path("list.txt").write_text("takes\n")
    with open_inputs(["x.wav"], "list.txt") as takes:
        assert takes == ["x.wav", "takes/a.mp3", "takes/b.wav"]


@pytest.mark.parametrize("inputs", [(["-", "-"], None), (["-"], "-")])
def test_standard_input_is_named_once(inputs: tuple[list[str], str | None]) -> None:
    with pytest.raises(UsageError, match="standard input"), open_inputs(*inputs):
        pass


@given(names=NAMES, separator=st.sampled_from(["\n", "\r\n", "\0"]), with_bom=st.booleans())
def test_a_list_is_read_in_every_form(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], separator: str, with_bom: bool
) -> None:
    path = tmp_path_factory.mktemp("list") / "list.txt"
    content = "".join(name + separator for name in names).encode()
    is_lines = separator != "\0"
    path.write_bytes((codecs.BOM_UTF8 if with_bom and is_lines else b"") + content)
    assert read_names(str(path)) == names


@pytest.mark.parametrize("content", [b"", b"\n\n", "a.wav\n".encode("utf-16"), "a.wav\n".encode("utf-32")])
def test_an_empty_list_and_utf_16_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        read_names(str(path))
