"""Each recording in fixtures/: its format, its verdict, and the result of fixing it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import preflight
from tests.support.make_audio import FIXTURES, RATE, packets, story
from tests.support.selection import parametrize_some

STORY_S = len(story()) / RATE
AAC_FRAME_S = 1024 / RATE

# name: verdict, container, codec, seconds (None: unknown), rules
TABLE: dict[str, tuple[str, str, str, float | None, set[str]]] = {
    "good.wav": ("ready", "wav", "pcm_s16le", STORY_S, set()),
    "good.mp3": ("ready", "mp3", "mp3", STORY_S, set()),
    "good.m4a": ("ready", "m4a", "aac", STORY_S, set()),
    "stereo.m4a": ("ready", "m4a", "aac", STORY_S, set()),
    "prompt.wav": ("rejected", "wav", "pcm_s16le", 4.135, {"too-short"}),
    "prompt.m4a": ("rejected", "m4a", "aac", 4.135, {"too-short"}),
    "too-short.wav": ("rejected", "wav", "pcm_s16le", 2.0, {"too-short"}),
    "voice-message.ogg": ("fixable", "ogg", "opus", STORY_S, {"unsupported-format"}),
    "lossless.m4a": ("fixable", "m4a", "alac", STORY_S, {"unsupported-format"}),
    "lossless.flac": ("fixable", "flac", "flac", STORY_S, {"unsupported-format"}),
    "quicktime.qta": ("fixable", "mov", "aac", STORY_S, {"unsupported-format"}),
    "raw.aac": ("fixable", "adts", "aac", STORY_S + AAC_FRAME_S, {"unsupported-format"}),
    "video.mp4": ("fixable", "mp4", "aac", STORY_S, {"unsupported-format"}),
    "surround.m4a": ("fixable", "m4a", "aac", STORY_S, {"too-many-channels"}),
    "wrong-name.mp3": ("fixable", "m4a", "aac", STORY_S, {"extension-mismatch"}),
    "telephone.wav": ("fixable", "wav", "pcm_mulaw", STORY_S, {"unsupported-format"}),
    "truncated.wav": ("fixable", "wav", "pcm_s16le", (int(RATE * 2 * 10.6) - 44) / 2 / RATE, {"truncated"}),
    "truncated.mp3": ("fixable", "mp3", "mp3", 10.515, {"truncated"}),
    "truncated.m4a": ("fixable", "m4a", "aac", 10.688, {"truncated"}),
    "unfinished.m4a": ("rejected", "", "", None, {"unreadable"}),
    "damaged.mp3": ("fixable", "mp3", "mp3", 16.491, {"damaged"}),
    "open-ended.wav": ("fixable", "wav", "pcm_s16le", STORY_S, {"header-mismatch"}),
    "header-only.wav": ("rejected", "wav", "pcm_s16le", 0.0, {"no-audio"}),
    "silent.m4a": ("rejected", "m4a", "aac", 12.0, {"no-audio"}),
    "protected.m4a": ("rejected", "m4a", "aac", STORY_S, {"protected"}),
    "tag-only.mp3": ("rejected", "", "", None, {"unreadable"}),
    "text.mp3": ("rejected", "", "", None, {"unreadable"}),
    "playlist.wav": ("rejected", "", "", None, {"unreadable"}),
    "noise.m4a": ("rejected", "", "", None, {"unreadable"}),
    "empty.wav": ("rejected", "", "", None, {"unreadable"}),
}

# name: what fix does, whether without loss, the container of the result
FIXES = {
    "voice-message.ogg": ("convert", False, "wav"),
    "lossless.m4a": ("convert", True, "wav"),
    "lossless.flac": ("convert", True, "wav"),
    "quicktime.qta": ("rewrap", True, "m4a"),
    "raw.aac": ("rewrap", True, "m4a"),
    "video.mp4": ("rewrap", True, "m4a"),
    "surround.m4a": ("convert", False, "wav"),
    "wrong-name.mp3": ("rename", True, "m4a"),
    "telephone.wav": ("convert", True, "wav"),
    "truncated.wav": ("convert", True, "wav"),
    "truncated.mp3": ("rewrap", True, "mp3"),
    "truncated.m4a": ("rewrap", True, "m4a"),
    "open-ended.wav": ("convert", True, "wav"),
    "damaged.mp3": ("convert", False, "wav"),
}


def test_the_table_has_every_fixture() -> None:
    assert {file.name for file in FIXTURES.iterdir() if file.suffix not in (".py", ".txt", "")} == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_verdict(name: str) -> None:
    verdict, container, codec, seconds, rules = TABLE[name]
    report = preflight.check(FIXTURES / name)
    assert report.verdict == verdict
    assert (report.file.container, report.file.codec) == (container, codec)
    assert {finding.rule for finding in report.errors} == rules
    if seconds is None:
        assert report.file.duration_s is None
    else:
        assert report.file.duration_s == pytest.approx(seconds, abs=AAC_FRAME_S + 1e-6)
    assert report.file.bytes == (FIXTURES / name).stat().st_size


@pytest.mark.parametrize("name", [name for name in TABLE if "good" in name])
def test_quick_gives_the_same_verdict_for_good_recordings(name: str) -> None:
    report = preflight.check(FIXTURES / name, quick=True)
    assert (report.verdict, report.method, report.file.sha256) == ("ready", "headers", None)
    assert report.measurements == {}


@pytest.mark.parametrize("name", FIXES)
def test_fix_makes_it_ready(name: str, tmp_path: Path) -> None:
    fixed = preflight.fix(FIXTURES / name, tmp_path)
    assert fixed.after is not None
    assert fixed.path is not None
    assert (fixed.action, fixed.lossless, fixed.after.file.container) == FIXES[name]
    again = preflight.check(fixed.path)
    assert again.verdict == "ready"
    assert again.file.sha256 == fixed.after.file.sha256
    # of the damaged recording, the part up to the pause before the damage is kept
    seconds = 13.055 if name == "damaged.mp3" else fixed.before.file.duration_s
    assert again.file.duration_s == pytest.approx(seconds, abs=AAC_FRAME_S + 1e-6)
    if fixed.action == "rewrap":
        kept = packets(Path(fixed.path))
        assert kept == [packet for packet in bare_packets(FIXTURES / name) if packet][: len(kept)]


def bare_packets(path: Path) -> list[bytes]:
    """Return the packets without ADTS headers."""
    return [packet[7:] if path.suffix == ".aac" else packet for packet in packets(path)]


@parametrize_some("name", [name for name, row in TABLE.items() if row[0] == "fixable" and name in FIXES], fast=4)
def test_fix_is_idempotent(name: str, tmp_path: Path) -> None:
    (tmp_path / "once").mkdir()
    (tmp_path / "twice").mkdir()
    once = preflight.fix(FIXTURES / name, tmp_path / "once")
    twice = preflight.fix(once.path or "", tmp_path / "twice")
    assert twice.action == "keep"
    assert Path(twice.path or "").read_bytes() == Path(once.path or "").read_bytes()


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row[0] == "ready"])
def test_a_ready_recording_is_copied_unchanged(name: str, tmp_path: Path) -> None:
    out = tmp_path / f"copy{Path(name).suffix}"
    fixed = preflight.fix(FIXTURES / name, out)
    assert (fixed.action, fixed.lossless, fixed.edits) == ("keep", True, ())
    assert out.read_bytes() == (FIXTURES / name).read_bytes()


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row[0] == "rejected"])
def test_a_rejected_recording_cannot_be_fixed(name: str, tmp_path: Path) -> None:
    with pytest.raises(preflight.CannotFix) as caught:
        preflight.fix(FIXTURES / name, tmp_path)
    assert caught.value.message
    assert caught.value.hint
    assert not list(tmp_path.iterdir())


def test_damage_without_a_pause_before_it_is_cut_at_its_start(tmp_path: Path) -> None:
    data = bytearray((FIXTURES / "good.mp3").read_bytes())
    at = int(len(data) * 0.95)
    data[at : at + 1_000] = np.random.default_rng(3).bytes(1_000)
    path, out = tmp_path / "hasty.mp3", tmp_path / "out"
    path.write_bytes(data)
    out.mkdir()
    assert preflight.check(path).verdict == "fixable"
    fixed = preflight.fix(path, out)
    assert fixed.after is not None
    assert fixed.after.verdict == "ready"
    assert fixed.after.file.duration_s == pytest.approx(11.5 * 0.95, abs=0.2)
