"""Results in parts: complete or absent, continued by a second run, summarized with their worst takes."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onetake.io.inputs import stream_objects
from onetake.results import check_run
from onetake.results.check_run import CheckRun
from onetake.results.journal import Journal
from onetake.results.part_formats import FORMATS, BadPart, Entry
from onetake.results.parts import Parts, rules_version
from preflight import PROFILES, Report, display_name
from preflight.profile import DEFAULT
from preflight.report import FileFacts, Finding
from tests.onetake.conftest import Say
from tests.support.services import FIXTURES, Services

GOOD = FIXTURES / "good.wav"


def entry(name: str, *rules: str, verdict: str = "ready", quality: str | None = "good", stamp: str = "1") -> Entry:
    facts = FileFacts(
        container="wav",
        codec="",
        bytes=10,
        duration_s=2.0,
        sample_rate_hz=0,
        channels=1,
        bit_rate_bps=None,
        sha256=None,
    )
    findings = tuple(Finding(rule=rule, severity="error", message=rule) for rule in rules)
    report = Report(
        path=name, role="recording", verdict="ready", method="decoded", file=facts, measurements={}, findings=findings
    )
    graded = msgspec.structs.replace(report, verdict=verdict, quality=quality)
    return Entry(name=name, stamp=stamp, rules="r", report=graded)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "state", str(tmp_path / "results")) as opened:
        yield opened


@pytest.fixture
def takes(tmp_path: Path) -> Path:
    folder = tmp_path / "takes"
    folder.mkdir()
    for number in range(3):
        shutil.copy(GOOD, folder / f"{number}.wav")
    (folder / "broken.wav").write_bytes(b"no recording")
    return folder


def document(say: Say, *arguments: str) -> dict[str, object]:
    return dict(json.loads(say("check", *arguments, "--json").out))


def test_a_second_run_skips_what_is_done(say: Say, takes: Path, tmp_path: Path) -> None:
    out = f"{tmp_path / 'results'}{os.sep}"
    first = document(say, str(takes), "--out", out)
    assert (first["takes"], first["skipped"], first["failed"]) == (4, 0, 1)
    assert first["verdicts"] == {"ready": 3, "rejected": 1}
    assert document(say, str(takes), "--out", out)["skipped"] == 4
    # a changed file, another profile, and other rules are checked again; so is what failed, on request
    os.utime(takes / "0.wav", ns=(1, 1))
    changed = document(say, str(takes), "--out", out)
    assert (changed["takes"], changed["skipped"]) == (1, 3)
    assert document(say, str(takes), "--out", out, "--retry-failed")["takes"] == 1
    assert document(say, str(takes), "--out", out, "--profile", "strict")["takes"] == 4
    assert document(say, str(takes), "--out", out, "--quick")["takes"] == 4
    names = [found.name for found in Parts(out).newest_first()]
    assert sorted(names) == sorted(str(path) for path in takes.iterdir())  # each once
    shown = say("report", out)
    assert shown.out.startswith("4 recordings")
    assert str(takes / "broken.wav") in shown.out


def test_parts_in_parquet(say: Say, takes: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    import pyarrow.dataset

    out = f"{tmp_path / 'results'}{os.sep}"
    (takes / "1.wav").rename(tmp_path / "1.wav")
    assert document(say, str(takes), "--out", out)["takes"] == 3
    (tmp_path / "1.wav").rename(takes / "1.wav")
    # what is done in one format is done in the other
    assert document(say, str(takes), "--out", out, "--parts", "parquet")["skipped"] == 3
    assert document(say, str(takes), "--out", out)["skipped"] == 4
    assert json.loads(say("report", out, "--json").out)["summary"]["takes"] == 4
    assert document(say, str(takes), "--out", out, "--profile", "strict", "--parts", "parquet")["takes"] == 4
    assert sorted(path.suffix for path in Path(out).iterdir()) == [".jsonl", ".parquet", ".parquet"]
    (last,) = sorted(Path(out).glob("*.parquet"))[1:]
    table = pyarrow.dataset.dataset(last).to_table().to_pylist()
    (bad,) = [row for row in table if row["verdict"] == "rejected"]
    assert (bad["name"], bad["findings"][0]["rule"]) == (str(takes / "broken.wav"), "unreadable")
    assert dict(table[0]["measurements"]) == json.loads(table[0]["report"])["measurements"]


def test_without_pyarrow(say: Say, takes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = f"{tmp_path / 'results'}{os.sep}"
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refused = say("check", str(takes), "--out", out, "--parts", "parquet")
    assert (refused.status, "onetake[parquet]" in refused.err, Path(out).exists()) == (2, True, False)
    Path(out).mkdir()
    Path(out, "part-1.parquet").write_bytes(b"")
    assert "onetake[parquet]" in say("report", out).err


@pytest.mark.parametrize("form", FORMATS)
@given(
    st.lists(
        st.builds(
            entry,
            st.text(st.characters(codec="utf-8")),
            st.text(st.characters(codec="utf-8"), max_size=9),
            verdict=st.sampled_from(["ready", "fixable", "rejected"]),
            quality=st.sampled_from(["good", "fair", "poor", None]),
        ),
        max_size=5,
    )
)
@settings(max_examples=30, deadline=None)
def test_a_part_contains_its_entries(form: str, entries: list[Entry]) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    part = FORMATS[form]
    assert list(part.newest_first(part.encode(entries))) == entries[::-1]


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_not_a_part(form: str) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    part = FORMATS[form]
    for content in (b"{}\n", part.encode([entry("a")])[:-9]):
        with pytest.raises(BadPart):
            list(part.newest_first(content))


def test_statuses_and_contradictions(say: Say, takes: Path, tmp_path: Path) -> None:
    out = str(tmp_path)
    assert say("check", str(takes), "--out", out).status == 1
    assert say("check", str(takes), "--out", out).status == 0  # nothing new
    assert say("check", str(takes), "--retry-failed").status == 2
    assert "--parts needs" in say("check", str(takes), "--parts", "jsonl").err
    assert say("check", str(takes), "--out", out, "--format", "csv").status == 2
    assert say("check", "-", "--out", out).status == 2
    assert say("report", str(takes)).status == 2
    (tmp_path / "part-9.jsonl").write_text("{}\n")
    assert "is not a part of results" in say("report", out).err


def test_what_is_done_before_an_interruption_is_kept(takes: Path, journal: Journal, tmp_path: Path) -> None:
    def interrupted() -> Iterator[str]:
        yield from (str(takes / f"{number}.wav") for number in range(3))
        raise KeyboardInterrupt

    parts = Parts(str(tmp_path / "results"))
    run = CheckRun(parts, journal, DEFAULT, quick=True, jobs=1)
    run._count = lambda names: None  # type: ignore[method-assign]  # it would meet the exception, too
    with pytest.raises(KeyboardInterrupt):
        run._check(interrupted())
    run._flush()
    done = {Path(found.name).name for found in parts.newest_first()}
    assert done <= {"0.wav", "1.wav", "2.wav"}
    again = CheckRun(parts, journal, DEFAULT, quick=True, jobs=1)
    again.run(lambda: [str(path) for path in sorted(takes.iterdir())])
    assert (again.skipped, again.summary.takes) == (len(done), 4 - len(done))


def test_parts_are_small(takes: Path, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_run, "_PART_TAKES", 2)
    parts = Parts(str(tmp_path / "results"))
    CheckRun(parts, journal, DEFAULT, quick=True).run(lambda: [str(path) for path in sorted(takes.iterdir())])
    assert len(list((tmp_path / "results").glob("part-*.jsonl"))) == 2
    assert not [path for path in (tmp_path / "results").iterdir() if path.suffix != ".jsonl"]


def test_the_last_entry_of_a_recording_counts(tmp_path: Path) -> None:
    for quality in ("good", "poor"):
        Parts(str(tmp_path)).write([entry("a", quality=quality), entry("b")])
    found = list(Parts(str(tmp_path)).newest_first())
    assert sorted((each.name, each.report.quality) for each in found) == [("a", "poor"), ("b", "good")]


@pytest.mark.slow
def test_results_are_written_to_a_bucket(
    say: Say, takes: Path, services: Services, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)
    out = f"s3://{services.storage.bucket}/results/{tmp_path.name}/"
    assert document(say, str(takes), "--out", out)["takes"] == 4
    assert document(say, str(takes), "--out", out)["skipped"] == 4
    assert json.loads(say("report", out, "--json").out)["summary"]["takes"] == 4
    # objects are recognized by their ETag
    from onetake.io.s3_objects import Buckets

    bucket = Buckets().bucket(services.storage.bucket)
    key = f"in/{tmp_path.name}/a.wav"
    bucket.write(key, GOOD, "audio/wav")
    local = str(tmp_path / "results")
    Path(local).mkdir()
    for expected in (0, 1):
        ran = document(say, f"s3://{services.storage.bucket}/in/{tmp_path.name}/", "--out", local)
        assert ran["skipped"] == expected
    bucket.write(key, FIXTURES / "good.mp3", "audio/wav")
    assert document(say, f"s3://{services.storage.bucket}/{key}", "--out", local)["takes"] == 1
    # objects that are named in a list instead of listed, between files
    names = [
        str(takes / "0.wav"),
        *(f"s3://{services.storage.bucket}/in/{number}.wav" for number in range(20)),
        "gone.wav",
    ]
    for number in range(19):
        bucket.write(f"in/{number}.wav", GOOD, "audio/wav")
    (tmp_path / "names.txt").write_text("\n".join(names))
    stamps = list(check_run.with_stamps(stream_objects(names)))
    assert [display_name(take) for take, _ in stamps] == names
    assert [names[place] for place, (_, stamp) in enumerate(stamps) if stamp == "missing"] == names[-2:]
    for done in (0, 22):
        assert document(say, "--files-from", str(tmp_path / "names.txt"), "--quick", "--out", local)["skipped"] == done
    services.empty()


def test_a_report_as_a_page(say: Say, takes: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "results") + "/"
    say("check", str(takes), "--out", out)
    page = tmp_path / "report.html"
    assert say("report", out, "-o", str(page), "--worst", "1", "--sample", "2").status == 0
    assert "broken.wav" in page.read_text()


def test_other_rules_are_another_version() -> None:
    strict = PROFILES["strict"]
    versions = {
        rules_version(DEFAULT, quick=False),
        rules_version(DEFAULT, quick=True),
        rules_version(strict, quick=False),
    }
    assert len(versions) == 3
    assert rules_version(DEFAULT, quick=False) in versions


def test_the_progress_line(journal: Journal, tmp_path: Path) -> None:
    run = CheckRun(Parts(str(tmp_path)), journal, DEFAULT)
    run._total, run.skipped = 10, 2
    run.summary.add(entry("a"))
    run.summary.add(entry("b", "unreadable", verdict="rejected"))
    line = run.progress()
    assert line.startswith("checked 2  skipped 2")
    assert "1 failed  6 left  about" in line


def test_names_are_listed_once_if_no_progress_is_shown(journal: Journal, takes: Path, tmp_path: Path) -> None:
    listings = []

    def names() -> Iterator[str]:
        listings.append(1)
        yield str(takes / "0.wav")

    CheckRun(Parts(str(tmp_path / "results")), journal, DEFAULT, quick=True, jobs=1).run(names)
    assert len(listings) == 1


def test_a_run_that_fails_shows_what_is_written(say: Say, takes: Path, tmp_path: Path) -> None:
    out = f"{tmp_path / 'results'}{os.sep}"
    many = [str(takes / "0.wav"), str(takes / "1.wav")] * 10
    ran = say("check", *many, "s3:///no-bucket.wav", "--quick", "--jobs", "1", "--out", out)
    assert (ran.status, "names no bucket" in ran.err) == (2, True)
    written = sum(len(part.read_text().splitlines()) for part in Path(out).glob("part-*"))
    assert written
    assert f"stopped: {written} reports are in" in ran.err


def test_a_folder_that_cannot_be_written_ends_the_run(say: Say, takes: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ran = say("check", str(takes), "--out", f"{tmp_path / 'file'}/")
    assert ran.status == 2
    assert "cannot be" in ran.err
