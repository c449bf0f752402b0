"""Manifests as spreadsheets and scripts write them, and every mistake in one report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import CloneOptions
from onetake.clones.manifest import is_manifest, read_manifest
from onetake.clones.request import CloneRequest
from onetake.errors import InvalidManifest, UsageError
from tests.support.services import FIXTURES

USUAL = CloneRequest(take="", options=CloneOptions())
Read = Callable[..., list[CloneRequest]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    for name in ("good.wav", "other.wav"):
        shutil.copy(FIXTURES / "good.wav", tmp_path / name)

    def requests(content: str | bytes, name: str = "m.csv") -> list[CloneRequest]:
        manifest = tmp_path / name
        manifest.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_manifest(str(manifest), USUAL)

    return requests


@pytest.mark.parametrize(
    "content",
    [
        "take,name,consent\ngood.wav,ann,Ann 2026\nother.wav,ben,\n",
        "take;name;consent\r\ngood.wav;ann;Ann 2026\r\nother.wav;ben;\r\n",
        "take\tname\tconsent\ngood.wav\tann\tAnn 2026\nother.wav\tben\t\n",
        "sep=;\r\ntake;name;consent\r\ngood.wav;ann;Ann 2026\r\nother.wav;ben;\r\n",
        '"sep=|"\ntake|name|consent\ngood.wav|ann|Ann 2026\nother.wav|ben|\n',
        "\ufeffTake;NAME; Consent \ngood.wav;ann;Ann 2026\nother.wav;ben;\n",
        "take,name,consent,,\ngood.wav,ann,Ann 2026,,\n,,,,\n\nother.wav,ben,,,\n,,,,\n",
        "\n\ntake,name,consent\ngood.wav,ann,Ann 2026\nother.wav,ben,\n",
        '"take";"name";"consent"\n"good.wav";"ann";"Ann 2026"\n"other.wav";"ben";""\n',
        "\r\n;;\r\nsep=;\r\ntake;name;consent\r\ngood.wav;ann;Ann 2026\r\nother.wav;ben;\r\n\x1a",
        "take,name,consent\ngood.wav,ann,Ann 2026\nother.wav,ben\n",
        "take,name,consent\rgood.wav,ann,Ann 2026\rother.wav,ben,\r",
        'take, "name", "consent"\ngood.wav, "ann", "Ann 2026"\nother.wav, ben , \n',
    ],
)
def test_the_csv_dialects_of_spreadsheets_are_read(read: Read, content: str) -> None:
    first, second = read(content)
    assert (Path(str(first.take)).name, first.name, first.consent) == ("good.wav", "ann", "Ann 2026")
    assert (Path(str(second.take)).name, second.name, second.consent) == ("other.wav", "ben", None)


def test_the_ending_of_tables_with_tabs_is_that_of_a_manifest(read: Read) -> None:
    assert is_manifest("Takes.TSV")
    (request,) = read("take\tname\tconsent\ngood.wav\tann\n", "m.tsv")
    assert (Path(str(request.take)).name, request.name) == ("good.wav", "ann")


def test_a_single_column_and_decimal_commas_are_read(read: Read) -> None:
    assert len(read("take\ngood.wav\nother.wav\n")) == 2
    (request,) = read("Take;Accuracy;Noise Reduction\ngood.wav;0,7;TRUE\n")
    assert (request.options.accuracy, request.options.need_noise_reduction) == (0.7, True)
    (request,) = read("take,accuracy,Noise-reduction\ngood.wav,0.7,false\n")
    assert (request.options.accuracy, request.options.need_noise_reduction) == (0.7, False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("take,auto_prompt\ngood.wav,many\n", "line 2: auto_prompt: 'many' is not a whole number"),
        ("take,accuracy\ngood.wav,high\n", "line 2: accuracy: 'high' is not a number"),
        ("take,noise_reduction\ngood.wav,perhaps\n", "line 2: noise_reduction: 'perhaps' is not true or false"),
        ("take,prompt_text\ngood.wav,Hello.\n", "line 2: --prompt-text needs the clip"),
        ("take\ngood.wav,too,many\n", "line 2: 3 cells, but the header has 1"),
        ("take,,\ngood.wav,,x\n", "line 2: cell 3 has content, but its column has no name"),
        ('take\n"good.wav\n', "not valid CSV"),
        ("take,name, Take\ngood.wav,a,good.wav\n", "line 1: the column 'take' appears 2 times"),
        ("file,name\ngood.wav,a\n", "m.csv has 2 mistakes"),
        ("take,name\ngood.wav,a\ngood.wav,b\ngood.wav,a\n", "line 4: the name 'a' is used already by line 2"),
        (
            "take,text,model,demo\ngood.wav,Hi.,speech-2.8-hd,d.mp3\ngood.wav,Ho.,speech-2.8-hd,./d.mp3\n",
            "line 3: the demo",
        ),
        ("take,name\n,ann\n", "line 2: take is missing"),
        ("take,accuracy\ngood.wav,nan\n", "line 2: accuracy must be a finite number"),
        ("take,accuracy\ngood.wav,inf\n", "line 2: accuracy must be a finite number"),
        ("take,accuracy\ngood.wav,1.5\n", "line 2: accuracy is 1.5, but must be between 0 and 1"),
        ("take\n.\n", "line 2: there is no recording"),
        ("take\n", "lists no recordings"),
        ("", "lists no recordings"),
    ],
)
def test_mistakes_in_csv_are_reported(read: Read, content: str, message: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        read(content)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"take": "good.wav"}\n{"take": 1}\n', "line 2: take is a number, not text"),
        ('{"take": "good.wav"}\n[1]\n', "line 2: the row is a list, not an object"),
        ('{"name": "ann"}\n', "line 1: take is missing"),
        ('{"take": null}\n', "line 1: take is null, not text"),
        ('{"take": "good.wav", "accuracy": true}\n', "line 1: accuracy is true or false, not a number"),
        ('{"take": "good.wav", "noise_reduction": 2}\n', "line 1: noise_reduction is a number, not true or false"),
        ('{"take": "good\\u0000.wav"}\n', "line 1: there is no recording"),
        ("null\n", "line 1: the row is null, not an object"),
        ('{"take": "good.wav"\n', "line 1: not valid JSON"),
        ('\n{"take": "good.wav", "name": "a", "take": "good.wav"}', "line 2: 'take' appears 2 times"),
        ('{"take": "good.wav", "name": "a"}\n' * 2, "line 2: the name 'a' is used already by line 1"),
        ('{"take": "good.wav"}\n' + "[" * 100_000, "line 2: nested too deeply"),
        ('{"take":' * 100_000, "line 1: nested too deeply"),
    ],
)
def test_mistakes_in_json_lines_are_reported(read: Read, content: str, message: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        read(content, "m.jsonl")
    assert message in caught.value.message


def test_files_that_are_not_manifests_are_refused(read: Read, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not UTF-8"):
        read(b"\xff", "m.jsonl")
    with pytest.raises(UsageError, match="UTF-16"):
        read("take\ngood.wav\n".encode("utf-16"))
    with pytest.raises(UsageError, match="cannot be read"):
        read_manifest(str(tmp_path / "missing.csv"), USUAL)


def test_a_space_may_begin_the_name_of_a_file(read: Read, tmp_path: Path) -> None:
    shutil.copy(FIXTURES / "good.wav", tmp_path / " one.wav")
    (request,) = read("take,name\n one.wav, ann\n")
    assert (Path(str(request.take)).name, request.name) == (" one.wav", "ann")


def test_a_hint_that_another_one_contains_is_not_repeated(read: Read) -> None:
    with pytest.raises(InvalidManifest) as caught:
        read("# my list\ntake,name\ngood.wav,ann\n")
    assert caught.value.hint.count("the columns are") == 1


def test_every_mistake_is_reported_with_its_line(read: Read) -> None:
    with pytest.raises(InvalidManifest) as caught:
        read(
            "take,name,accuracy,speed\n"
            "good.wav,ann,0.5,\n"
            "missing.wav,,,\n"
            "good.wav,ann,,\n"
            "good.wav,,high,\n"
            "other.wav,ben,,,\n"
            "good.wav,carl,2,\n"
        )
    error = caught.value
    assert error.message.endswith("has 5 mistakes")
    assert [detail.partition(":")[0] for detail in error.details] == ["line 1", "line 3", "line 4", "line 5", "line 7"]
    assert "'speed'" in error.details[0]
    assert "missing.wav" in error.details[1]
    assert "'ann'" in error.details[2]
    assert "'high'" in error.details[3]


CELLS = st.text(
    st.characters(exclude_characters='\r\n",;\t\x00', exclude_categories=("Cs", "Zs", "Cc", "Zl", "Zp")), max_size=5
)


@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=5), delimiter=st.sampled_from(",;\t"))
def test_any_cells_give_requests_or_mistakes_with_line_numbers(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], delimiter: str
) -> None:
    manifest = tmp_path_factory.mktemp("any") / "m.csv"
    lines = [delimiter.join(("take", "name")), *(delimiter.join(row) for row in rows)]
    manifest.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InvalidManifest) as caught:
        read_manifest(str(manifest), USUAL)  # none of the recordings exists
    written = [number for number, row in enumerate(rows, 2) if any(cell.strip() for cell in row)]
    mentioned = json.dumps([caught.value.message, *caught.value.details])
    assert all(f"line {number}" in mentioned for number in written)


def test_a_row_keeps_what_it_leaves_out(read: Read) -> None:
    """Empty cells and missing members mean the value of the command line."""
    (by_csv,) = read("take,name,accuracy,noise_reduction,consent,demo\ngood.wav,,,,,\n")
    (by_json,) = read('{"take": "good.wav"}', "m.jsonl")
    assert by_csv == by_json
    assert by_csv.options == USUAL.options
    assert (by_csv.name, by_csv.consent, by_csv.demo, by_csv.prompt) == (None, None, None, None)


@pytest.mark.parametrize(("cell", "value"), [("true", True), ("FALSE", False), ("1", True), ("0", False)])
def test_spreadsheets_and_json_agree_on_truth(read: Read, cell: str, value: bool) -> None:
    (by_csv,) = read(f"take,volume_normalization\ngood.wav,{cell}\n")
    (by_json,) = read(json.dumps({"take": "good.wav", "volume_normalization": value}), "m.jsonl")
    assert by_csv.options.need_volume_normalization is by_json.options.need_volume_normalization is value
