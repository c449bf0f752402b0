"""Notebook HTML: well-formed, safe with hostile names, and never an error."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import preflight
from preflight.display.text import clock
from tests.support.make_audio import FIXTURES

FILES = sorted(path for path in FIXTURES.iterdir() if path.suffix not in (".py", ".txt"))
HOSTILE = "</td><script>alert(1)</script>\"'&\x1b[31m\u202e\udcff\n<img src=x onerror=alert(1)>"
GOOD = preflight.check(FIXTURES / "good.wav")


def parsed(value: preflight.Report | preflight.Fixed) -> ElementTree.Element:
    """Return the markup as a tree; check that it neither runs nor loads anything."""
    text = value._repr_html_()
    text.encode("utf-8")
    tree = ElementTree.fromstring(text)
    allowed = {"div", "span", "strong", "bdi", "p", "ul", "li", "pre", "svg", "rect", "path", "title"}
    allowed |= {"table", "thead", "tbody", "tr", "th", "td"}
    for element in tree.iter():
        assert element.tag in allowed
        assert not {name for name in element.attrib if name.startswith("on") or name in {"href", "src", "id", "class"}}
    assert "url(" not in text
    return tree


def words(tree: ElementTree.Element) -> str:
    return "".join(tree.itertext())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_report_is_rendered(path: Path) -> None:
    for report in (preflight.check(path), preflight.check(path, quick=True), preflight.check(path, role="prompt")):
        tree = parsed(report)
        assert tree.tag == "div"
        rows = list(tree.iter("tr"))[1:]
        assert [["".join(cell.itertext()) for cell in row][:2] for row in rows] == [
            [finding.severity, finding.rule] for finding in report.findings
        ]
        assert report.verdict in words(tree)
        seconds = report.file.duration_s
        assert (tree.find("svg") is not None) == bool(seconds)
        if seconds:
            assert clock(seconds) in words(tree)


def test_bars_are_at_the_positions_of_speech_and_findings() -> None:
    finding = preflight.Finding(rule="clipped", severity="warning", message="It clips.", spans=((2.0, 4.0), (9.0, 9.0)))
    file = msgspec.structs.replace(GOOD.file, duration_s=10.0)
    report = msgspec.structs.replace(GOOD, file=file, speech=((0.0, 5.0),), findings=(finding,))
    tree = parsed(report)
    bars = [(float(rect.get("x", "")), float(rect.get("width", ""))) for rect in tree.iter("rect")]
    assert bars == [(0, 500), (200, 200), (900, 3)]
    assert "0:02.0–0:04.0" in words(tree)  # noqa: RUF001


def test_untrusted_text_is_escaped() -> None:
    finding = preflight.Finding(rule=HOSTILE, severity="error", message=HOSTILE, spans=((0.0, 1.0),))
    file = msgspec.structs.replace(GOOD.file, container=HOSTILE, codec=HOSTILE)
    report = msgspec.structs.replace(GOOD, path=HOSTILE, file=file, findings=(finding,))
    tree = parsed(report)
    assert words(tree).count("<script>alert(1)</script>") >= 4
    assert "\u202e" not in words(tree)
    assert "\x1b" not in words(tree)
    parsed(
        preflight.Fixed(
            path=HOSTILE, action="convert", container=HOSTILE, lossless=False, edits=(), before=report, after=report
        )
    )


MOMENTS = st.one_of(st.floats(), st.floats(0, 20))


@given(
    text=st.text(st.characters()),
    spans=st.lists(st.tuples(MOMENTS, MOMENTS), max_size=20),
    seconds=st.one_of(st.none(), MOMENTS),
    value=st.floats(),
)
def test_rendering_never_raises(
    text: str, spans: list[tuple[float, float]], seconds: float | None, value: float
) -> None:
    finding = preflight.Finding(rule=text, severity="info", message=text, spans=tuple(spans), value=value)
    file = msgspec.structs.replace(GOOD.file, duration_s=seconds, codec=text)
    measured = {"integrated_loudness_lufs": value}
    report = msgspec.structs.replace(
        GOOD, path=text, file=file, measurements=measured, speech=tuple(spans), findings=(finding,)
    )
    parsed(report)
    parsed(preflight.Fixed(path=text, action=text, container=text, lossless=True, edits=(), before=report, after=None))


def test_an_invalid_report_is_rendered_as_plain_text() -> None:
    broken = msgspec.structs.replace(GOOD, findings=None, path=3, file="<b>")
    assert parsed(broken).tag == "pre"


def test_a_fix_is_rendered(tmp_path: Path) -> None:
    planned = preflight.plan(FIXTURES / "voice-message.ogg")
    assert all(edit.what in words(parsed(planned)) for edit in planned.edits)
    assert "planned" in words(parsed(planned))
    fixed = preflight.fix(FIXTURES / "voice-message.ogg", tmp_path / "take.wav")
    assert str(tmp_path / "take.wav") in words(parsed(fixed))
    unsafe = preflight.plan(FIXTURES / "good.wav", options=preflight.FixOptions(loudness_lufs=-20))
    assert ("unsafe" in words(parsed(unsafe))) == any(not edit.safe for edit in unsafe.edits)
    kept = preflight.plan(FIXTURES / "good.wav")
    assert "The bytes are unchanged." in words(parsed(kept))


def test_colors_work_on_light_and_dark_pages() -> None:
    text = preflight.check(FIXTURES / "voice-message.ogg")._repr_html_()
    assert not re.search(r"#[0-9a-f]{3,6}\b|rgb\(", text)
    assert "currentColor" in text


def test_checking_does_not_import_the_notebook() -> None:
    script = "import preflight, sys; preflight.check(sys.argv[1]); print({*sys.argv[2:]} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", script, FIXTURES / "good.wav", "preflight.display.notebook", "jinja2"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "set()\n"
