"""`onetake check --format html`: one self-contained file in which all inserted text is escaped."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.onetake.conftest import Say
from tests.support.report_pages import HOSTILE, Page, hostile_takes, links_of, require_self_contained
from tests.support.services import FIXTURES, PROMPT_TEXT
from tests.support.worker_jobs import count_jobs

GOOD = str(FIXTURES / "good.wav")
SHORT = str(FIXTURES / "too-short.wav")
REPORT = Path("report.html")


def written(say: Say, *words: str, status: int = 0) -> str:
    ran = say("check", *words, "--format", "html", "-o", str(REPORT))
    assert (ran.status, ran.out) == (status, "")
    (line,) = ran.err.splitlines()
    assert line.startswith("report.html: ")
    return REPORT.read_text("utf-8")


def test_a_page_of_one_take(say: Say, home: Path) -> None:
    content = written(say, str(FIXTURES / "good.m4a"))
    page = Page(content)
    assert page.all("html") == [{"lang": "en"}]
    assert [svg["class"] for svg in page.all("svg")] == ["waveform", "speech", "spectrogram", "loudness", "gauge"]
    assert all(svg["role"] == "img" and "good.m4a" in svg["aria-label"] for svg in page.all("svg"))
    (audio,) = page.all("audio")
    assert audio["src"].startswith("data:audio/mp4;base64,")
    assert "controls" in audio
    assert audio["preload"] == "none"
    assert not page.all("table") or "takes" not in page.all("table")[0].get("id", "")
    assert require_self_contained(REPORT) == []
    (policy,) = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "0:11.5" in content
    title = '<th scope="row" title="integrated_loudness_lufs">Integrated loudness</th>'
    assert re.search(rf"{title}<td>-19\.\d+ LUFS</td>", content)
    shown = " ".join("".join(page.text).split())
    assert "ready, good Next: onetake clone" in shown
    assert "What the words and colors mean" in shown


def test_a_page_of_several_takes_and_a_prompt(say: Say, home: Path) -> None:
    takes = [GOOD, SHORT, str(FIXTURES / "stereo.m4a"), str(FIXTURES / "text.mp3"), str(FIXTURES / "silent.m4a")]
    clip = ("--prompt", str(FIXTURES / "prompt.wav"), "--prompt-text", PROMPT_TEXT)
    content = written(say, *takes, *clip, status=1)
    page = Page(content)
    rows = [row for row in page.all("tr") if "data-take" in row]
    assert [row["data-verdict"] for row in rows] == ["rejected"] * 3 + ["ready"] * 3
    assert len([details for details in page.all("details") if "open" in details]) == 1
    sections = [section["id"] for section in page.all("section")]
    assert sections == [row["data-take"] for row in rows]
    heads = [head for head in page.all("th") if "aria-sort" in head]
    assert len(heads) == 9
    assert {field["type"] for field in page.all("input")} == {"search"}
    assert len(page.all("audio")) == 5  # a text has no sound
    assert "prompt clip: " in content
    require_self_contained(REPORT)


def test_the_exit_status_is_the_same_as_with_other_formats(say: Say, home: Path) -> None:
    written(say, SHORT, status=1)
    written(say, SHORT, "--exit-zero")
    written(say, str(home / "missing.wav"), status=1)


def test_a_quick_check_has_no_pictures(say: Say, home: Path) -> None:
    content = written(say, GOOD, SHORT, "--quick", status=1)
    assert "<svg" not in content
    assert "from its headers only" in content
    assert len(Page(content).all("audio")) == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--format", "html"), "--format html needs an output file"),
        (("--format", "html", "-o", "report"), "report does not end in .html or .htm"),
        (("--format", "html", "-o", "out.wav"), "out.wav does not end in .html or .htm"),
        (("--format", "html", "-o", "nowhere/report.html"), "in a folder that does not exist"),
        (("--format", "text", "-o", "report.html"), "standard output"),
        (("-o", "report.html"), "standard output"),
    ],
)
def test_invalid_output_files_are_usage_errors(say: Say, home: Path, words: tuple[str, ...], expected: str) -> None:
    before = sorted(Path().iterdir())
    ran = say("check", GOOD, *words)
    assert (ran.status, ran.out) == (2, "")
    assert expected in ran.err
    assert sorted(Path().iterdir()) == before


def test_the_page_does_not_replace_an_input(say: Say, home: Path) -> None:
    shutil.copy(GOOD, "take.html")
    ran = say("check", "take.html", "--format", "html", "-o", "take.html")
    assert ran.status == 2
    assert "is an input" in ran.err
    assert Path("take.html").read_bytes() == Path(GOOD).read_bytes()


def test_markup_in_names_and_tags_is_escaped(say: Say, home: Path) -> None:
    takes = hostile_takes(Path("takes"))
    content = written(say, "takes", status=1)
    page = Page(content)
    tags = {tag for tag, _ in page.elements}
    assert "img" not in tags
    assert len(page.all("script")) == len(page.all("title")) == len(page.all("style")) == 1
    assert len(page.all("section")) == len(takes)
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in names if name.startswith("on")}
    assert "autofocus" not in names
    shown = "".join(page.text)
    assert "<img src=x onerror=alert(1)>.wav" in shown
    assert "&lt;b&gt;&amp;#60;.wav" in shown
    assert "new\\nline\\tand\\x07bell.wav" in shown
    assert "right\\u202eto\\u2066left\\u2028line.wav" in shown
    assert "not\\xffutf8.wav" in shown
    assert not {"\u202e", "\u2066", "\u2028", "\x07"} & set(content)
    assert "alert('tag')" not in content
    require_self_contained(REPORT)


def test_a_large_take_is_linked_relative_to_the_page(say: Say, home: Path) -> None:
    folder = Path("takes") / os.fsdecode(HOSTILE[5])
    folder.mkdir(parents=True)
    Path("pages").mkdir()
    for name in HOSTILE:
        sound, rate = soundfile.read(GOOD)
        with Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).open("wb") as file:
            soundfile.write(file, np.tile(sound, 2), rate, format="WAV")
    ran = say("check", "takes", "--format", "html", "-o", "pages/report.html")
    assert ran.status == 0
    linked = require_self_contained(Path("pages/report.html"))
    assert sorted(os.fsencode(path.name) for path in linked) == sorted(HOSTILE)


@pytest.mark.slow
def test_the_embedded_audio_is_limited(say: Say, home: Path) -> None:
    for place in range(60):
        shutil.copy(FIXTURES / "good.m4a", f"take{place}.m4a")
    written(say, ".")
    assert REPORT.stat().st_size < 8_000_000
    assert 10 < len(require_self_contained(REPORT)) < 40


@pytest.mark.slow
def test_five_minutes_add_less_than_a_megabyte(say: Say, home: Path) -> None:
    """Stereo at 48 kHz, clipped in 500 places."""
    noise = np.random.default_rng(3).normal(0, 0.1, (299 * 48_000, 2)).astype(np.float32)
    speech, rate = soundfile.read(GOOD, dtype="float32")
    spread = np.interp(np.arange(len(noise)) * rate / 48_000 % (len(speech) - 1), np.arange(len(speech)), speech)
    noise += spread.astype(np.float32)[:, np.newaxis]
    for start in range(0, len(noise) - 100, 28_000):
        noise[start : start + 40] = 1
    soundfile.write("five.wav", noise, 48_000)
    content = written(say, "five.wav", status=1)  # 57 MB are more than the service takes
    assert "clipped" in content
    assert len(require_self_contained(REPORT)) == 1  # its sound is not in the page
    assert REPORT.stat().st_size < 500_000


@pytest.mark.slow
def test_a_page_of_two_hundred_takes(say: Say, home: Path) -> None:
    for place in range(200):
        shutil.copy(SHORT, f"take{place:03d}.wav")
    content = written(say, ".", status=1)
    page = Page(content)
    assert len(page.all("section")) == 200
    assert len([details for details in page.all("details") if "open" in details]) == 1  # the worst
    assert REPORT.stat().st_size < 9_000_000


def test_each_take_is_decoded_once(say: Say, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = count_jobs(monkeypatch)
    written(say, GOOD, str(FIXTURES / "good.mp3"))
    assert sorted(jobs) == sorted([GOOD, str(FIXTURES / "good.mp3")])


def test_the_page_is_written_atomically(home: Path) -> None:
    """On a full disk the existing page is unchanged, and no temporary file is left."""
    REPORT.write_text("the one before")
    script = "import sys; from onetake.__main__ import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, "check", GOOD, "--format", "html", "-o", str(REPORT)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "report.html cannot be written: file too large" in done.stderr
    assert REPORT.read_text() == "the one before"
    assert [path.name for path in Path().iterdir() if "onetake" in path.name or "report" in path.name] == [str(REPORT)]


def test_the_same_takes_give_the_same_page(say: Say, home: Path) -> None:
    assert written(say, GOOD, SHORT, status=1) == written(say, GOOD, SHORT, status=1)
    assert links_of(REPORT.read_text("utf-8"))
