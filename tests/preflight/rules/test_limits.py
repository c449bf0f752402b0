"""The limits of the contract, exact to the sample and the byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

import preflight
from preflight import limits
from preflight.display.text import clock
from preflight.input.source import Source
from preflight.media.decoder import Decoder
from preflight.media.probe import probe
from tests.support import make_audio as making
from tests.support.make_audio import FIXTURES, RATE, chunk, form_chunk, m4a, mp3, riff, talk, wav

Make = Callable[..., bytes]


def verdict_and_rules(report: preflight.Report) -> tuple[str, list[tuple[str, str]]]:
    return report.verdict, [(finding.rule, finding.severity) for finding in report.findings]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (10 * RATE, ("ready", [])),
        (10 * RATE - 1, ("rejected", [("too-short", "error")])),
        (round(9.99 * RATE), ("rejected", [("too-short", "error")])),
        (300 * RATE, ("ready", [])),
        (300 * RATE + 1, ("fixable", [("too-long", "error")])),
        (round(300.01 * RATE), ("fixable", [("too-long", "error")])),
    ],
)
@pytest.mark.parametrize("quick", [False, True])
def test_duration_of_a_wav(
    frames: int, expected: tuple[str, list[tuple[str, str]]], quick: bool, tmp_path: Path
) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(wav(talk(frames / RATE)))
    report = preflight.check(path, quick=quick)
    assert report.file.duration_s == pytest.approx(frames / RATE, abs=1e-6)
    assert verdict_and_rules(report) == expected


@pytest.mark.parametrize(
    ("seconds", "rule"), [(10.05, "too-short"), pytest.param(299.92, "too-long", marks=pytest.mark.slow)]
)
def test_a_lossy_take_near_a_limit_is_warned_about(seconds: float, rule: str, tmp_path: Path) -> None:
    path = tmp_path / "take.mp3"
    path.write_bytes(mp3(making.at_rate(talk(seconds), 44_100), 44_100))
    report = preflight.check(path)
    assert report.verdict == "ready"
    assert (rule, "warning") in verdict_and_rules(report)[1]


@pytest.mark.slow
@pytest.mark.parametrize(("make", "seconds"), [(mp3, 299.99), (m4a, 299.92)])
def test_a_recording_too_long_only_by_its_padding_is_cut(make: Make, seconds: float, tmp_path: Path) -> None:
    ending = "mp3" if make is mp3 else "m4a"
    path = tmp_path / f"take.{ending}"
    path.write_bytes(make(talk(seconds)))
    report = preflight.check(path)
    assert verdict_and_rules(report) == ("fixable", [("too-long", "error")])
    assert report.file.duration_s == pytest.approx(seconds, abs=0.07)
    assert 300 < (report.errors[0].value or 0) < 300.2
    assert "encoder padding" in report.errors[0].message
    fixed = preflight.fix(path, tmp_path / f"out.{ending}")
    assert fixed.lossless
    assert fixed.after is not None
    assert 285 < (fixed.after.file.duration_s or 0) < 299.6  # like any recording that is too long, it is cut at a pause


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (8 * RATE - 1, ("ready", [])),
        (round(7.99 * RATE), ("ready", [])),
        (8 * RATE, ("rejected", [("prompt-too-long", "error")])),
    ],
)
def test_duration_of_a_prompt(frames: int, expected: tuple[str, list[tuple[str, str]]], tmp_path: Path) -> None:
    path = tmp_path / "prompt.wav"
    path.write_bytes(wav(talk(frames / RATE)))
    assert verdict_and_rules(preflight.check(path, role="prompt", prompt_text="The train was late.")) == expected


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_a_prompt_without_text_is_rejected(text: str | None) -> None:
    report = preflight.check(FIXTURES / "prompt.wav", role="prompt", prompt_text=text)
    assert verdict_and_rules(report) == ("rejected", [("prompt-text-missing", "error")])
    assert report.role == "prompt"


def test_a_prompt_with_its_text_is_ready() -> None:
    text = (FIXTURES / "prompt.txt").read_text("utf-8").strip()
    for name in ("prompt.wav", "prompt.m4a"):
        assert preflight.check(FIXTURES / name, role="prompt", prompt_text=text).verdict == "ready"


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (20_000_000, ("ready", [])),
        (20_000_001, ("ready", [("too-large", "warning")])),
        (20_971_520, ("ready", [("too-large", "warning")])),
        (20_971_521, ("fixable", [("too-large", "error")])),
    ],
)
@pytest.mark.parametrize("quick", [False, True])
def test_size(size: int, expected: tuple[str, list[tuple[str, str]]], quick: bool, tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    sound = riff(form_chunk(), chunk(b"data", making.integers(talk(11))))
    path.write_bytes(sound + b"\0" * (size - len(sound)))
    report = preflight.check(path, quick=quick)
    assert verdict_and_rules(report) == expected
    assert report.file.bytes == size


@pytest.mark.parametrize(("channels", "verdict"), [(1, "ready"), (2, "ready"), (3, "fixable"), (100, "fixable")])
def test_channels(channels: int, verdict: str, tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(wav(np.stack([making.at_rate(talk(11), 8000)] * channels, axis=1), 8000))
    report = preflight.check(path)
    assert (report.verdict, report.file.channels) == (verdict, channels)


def test_quick_reports_the_method_and_does_not_decode(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(riff(form_chunk(), chunk(b"data", bytes(RATE * 2 * 12))))
    quick, full = preflight.check(path, quick=True), preflight.check(path)
    assert (quick.method, quick.file.sha256, quick.verdict) == ("headers", None, "ready")
    assert (full.method, len(full.file.sha256 or ""), full.verdict) == ("decoded", 64, "rejected")


@pytest.mark.parametrize("name", ["good.m4a", "damaged.mp3", "truncated.wav", "empty.wav"])
def test_a_report_round_trips_through_json(name: str) -> None:
    report = preflight.check(FIXTURES / name)
    assert msgspec.json.decode(msgspec.json.encode(report), type=preflight.Report) == report
    assert isinstance(msgspec.json.schema(preflight.Report), dict)


def test_every_rule_has_a_source_and_full_sentences() -> None:
    for name, rule in preflight.RULES.items():
        assert rule.name == name
        assert all(text.endswith((".", "...")) for text in (rule.what, rule.why, rule.fix_hint))
        assert rule.source


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00.0"), (9.99, "0:09.9"), (10, "0:10.0"), (59.999, "0:59.9"), (330.4, "5:30.4"), (3600, "1:00:00.0")],
)
def test_a_clock_never_rounds_up(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_written_durations_are_inside_the_limits() -> None:
    assert limits.MIN_DURATION_S < limits.WRITE_ABOVE_S < limits.WRITE_BELOW_S < limits.MAX_DURATION_S


@pytest.mark.parametrize("channels", [1, 8])
def test_decoding_of_a_small_file_is_bounded(channels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence compresses to almost nothing in FLAC: six hours of eight channels at 192 kHz would take minutes."""
    monkeypatch.setattr(limits, "MAX_DECODED_SAMPLES", 8 * RATE)
    path = tmp_path / "silence.flac"
    path.write_bytes(making.coded(np.zeros((20 * RATE, channels), np.float32), "flac", "flac"))
    with Source.open(path) as source:
        decoder = Decoder(source, probe(source))
        frames = sum(len(block) for block in decoder.stored_blocks())
    assert decoder.stopped
    assert frames * channels == pytest.approx(8 * RATE, rel=1)
