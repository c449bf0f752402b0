"""The declared durations of an MP4 compared with its content, and its edit list."""

from __future__ import annotations

import re
import struct
from itertools import pairwise
from pathlib import Path

import av
import pytest

import preflight
from tests.support.make_audio import RATE, coded, copied, m4a, mp3, packets, patched, talk

SECONDS = 13.0
SOUND = talk(SECONDS)
TAKE = m4a(SOUND)
"""With the index in front."""
AT_END = coded(SOUND, "ipod", "aac")
"""With the index behind the sound, where boxes can be added without moving it."""
MOVIE_SCALE = struct.unpack_from(">I", TAKE, TAKE.index(b"mvhd") + 16)[0]
"""1000 with FFmpeg 8, the sampling rate with FFmpeg 9."""
FIELDS = {b"mvhd": (16, MOVIE_SCALE), b"tkhd": (20, MOVIE_SCALE), b"elst": (8, MOVIE_SCALE), b"mdhd": (16, RATE)}
"""Where the duration stands behind the name of the box, and its time scale."""


def box(name: bytes, *contents: bytes) -> bytes:
    body = b"".join(contents)
    return struct.pack(">I", 8 + len(body)) + name + body


def declared(data: bytes, name: bytes, seconds: float) -> bytes:
    """Return `data` with another duration in the first box of this name."""
    at = data.index(name) + 4
    offset, scale = FIELDS[name]
    field = struct.pack(">I", round(seconds * scale))
    return data[: at + offset] + field + data[at + offset + 4 :]


def in_moov(data: bytes, more: bytes) -> bytes:
    """Return `data`, whose last box is moov, with another box at the end of moov."""
    at = data.index(b"moov") - 4
    return data[:at] + struct.pack(">I", len(data) - at + len(more)) + data[at + 4 :] + more


def text_track(seconds: float) -> bytes:
    """Return a chapter track without samples."""
    tkhd = box(b"tkhd", struct.pack(">IIIIII", 7, 0, 0, 9, 0, round(seconds * MOVIE_SCALE)), bytes(60))
    mdhd = box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, 1000, round(seconds * 1000), 0x55C4, 0))
    hdlr = box(b"hdlr", bytes(8), b"text", bytes(13))
    entry = box(b"text", bytes(7), b"\1", bytes(43))
    tables = [box(name, bytes(8)) for name in (b"stts", b"stsc", b"stco")]
    stbl = box(b"stbl", box(b"stsd", struct.pack(">II", 0, 1), entry), *tables, box(b"stsz", bytes(12)))
    return box(b"trak", tkhd, box(b"mdia", mdhd, hdlr, box(b"minf", box(b"nmhd", bytes(4)), stbl)))


@pytest.mark.parametrize("seconds", [420.0, 7.0, 16.0])
@pytest.mark.parametrize("name", [b"mvhd", b"tkhd", b"mdhd"])
def test_a_wrong_duration_is_named_and_corrected_by_copying(name: bytes, seconds: float, tmp_path: Path) -> None:
    path, out = tmp_path / "take.m4a", tmp_path / "out.m4a"
    path.write_bytes(declared(TAKE, name, seconds))
    (finding,) = preflight.check(path).findings
    assert (finding.rule, finding.value) == ("header-mismatch", seconds)
    assert finding.severity == ("warning" if 10 <= seconds <= 300 else "error")
    assert finding.limit == pytest.approx(SECONDS, abs=0.1)
    assert f"{seconds:.1f} s ({name.decode()})" in finding.message
    fixed = preflight.fix(path, out)
    assert (fixed.action, fixed.lossless) == ("rewrap", True)
    assert fixed.after is not None
    assert fixed.after.findings == ()


def test_contradicting_durations_are_reported_with_quick(tmp_path: Path) -> None:
    path = tmp_path / "take.m4a"
    path.write_bytes(declared(TAKE, b"mvhd", 420.0))
    report = preflight.check(path, quick=True)
    assert report.verdict == "fixable"
    assert report.file.duration_s == pytest.approx(SECONDS, abs=0.1)
    path.write_bytes(TAKE[: len(TAKE) * 9 // 10])
    report = preflight.check(path, quick=True)
    assert [finding.rule for finding in report.errors] == ["truncated"]
    assert report.file.duration_s == pytest.approx(0.9 * SECONDS, abs=0.5)


def test_a_chapter_track_longer_than_the_audio_is_reported(tmp_path: Path) -> None:
    path, out = tmp_path / "take.m4a", tmp_path / "out.m4a"
    path.write_bytes(in_moov(AT_END, text_track(SECONDS)))
    assert preflight.check(path).findings == ()
    path.write_bytes(in_moov(AT_END, text_track(420.0)))
    (finding,) = preflight.check(path).findings
    assert (finding.rule, finding.severity, finding.value) == ("header-mismatch", "error", 420.0)
    assert "text track" in finding.message
    assert preflight.fix(path, out).action == "rewrap"
    assert preflight.check(out).findings == ()


def test_a_fragmented_file_declares_its_length_in_mehd(tmp_path: Path) -> None:
    path, out = tmp_path / "take.m4a", tmp_path / "out.m4a"
    data = m4a(SOUND, fragmented=True)
    path.write_bytes(data)
    assert preflight.check(path).findings == ()
    mvex, moov = data.index(b"mvex") - 4, data.index(b"moov") - 4
    mehd = box(b"mehd", bytes(4), struct.pack(">I", 420 * MOVIE_SCALE))
    grown = bytearray(data[: mvex + 8] + mehd + data[mvex + 8 :])
    for at in (mvex, moov):
        struct.pack_into(">I", grown, at, int.from_bytes(grown[at : at + 4]) + len(mehd))
    path.write_bytes(grown)
    (finding,) = preflight.check(path).findings
    assert (finding.rule, finding.severity, finding.value) == ("header-mismatch", "error", 420.0)
    assert "mehd" in finding.message
    assert preflight.fix(path, out).action == "rewrap"
    assert preflight.check(out).findings == ()


def test_a_fix_drops_what_an_edit_list_hides(tmp_path: Path) -> None:
    path, out = tmp_path / "take.m4a", tmp_path / "out.m4a"
    data = m4a(talk(26.0))
    for name in (b"elst", b"tkhd", b"mvhd"):
        data = declared(data, name, 13.0)
    path.write_bytes(data)
    report = preflight.check(path)
    (finding,) = report.findings
    assert report.file.duration_s == pytest.approx(13.0, abs=0.1)
    assert (finding.rule, finding.severity) == ("header-mismatch", "error")
    assert "hides 13.1 s" in finding.message
    assert preflight.fix(path, out).action == "rewrap"
    assert preflight.check(out).findings == ()
    with av.open(str(out), options={"ignore_editlist": "1"}) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) / RATE == pytest.approx(13.0, abs=0.3)


def with_edits(data: bytes, *edits: tuple[float, float]) -> bytes:
    """Return `data`, whose last box is moov, with another edit list: (seconds, media time in seconds; -1 for none)."""
    at = data.index(b"elst") - 4
    (size,) = struct.unpack_from(">I", data, at)
    entries = [
        struct.pack(">IiI", round(seconds * MOVIE_SCALE), -1 if time < 0 else round(time * RATE), 1 << 16)
        for seconds, time in edits
    ]
    elst = box(b"elst", bytes(4), struct.pack(">I", len(edits)), *entries)
    changed = bytearray(data[:at] + elst + data[at + size :])
    for name in (b"moov", b"trak", b"edts"):
        start = data.index(name) - 4
        struct.pack_into(">I", changed, start, struct.unpack_from(">I", data, start)[0] + len(elst) - size)
    return bytes(changed)


@pytest.mark.parametrize(
    ("edits", "seconds"),
    [
        (((13.0, 0.1), (12.0, 0.1)), 25.0),  # repeated
        (((7.0, 0.1), (3.0, -1.0), (6.0, 7.1)), 16.0),  # interrupted
        (((6.0, 7.1), (7.0, 0.1)), 13.0),  # in another order
    ],
)
def test_an_edit_list_that_rearranges_the_audio(
    edits: tuple[tuple[float, float], ...], seconds: float, tmp_path: Path
) -> None:
    path, out = tmp_path / "take.m4a", tmp_path / "out.wav"
    path.write_bytes(with_edits(AT_END, *edits))
    report = preflight.check(path)
    found = {finding.rule: finding for finding in report.findings}["header-mismatch"]
    assert (report.verdict, found.severity) == ("fixable", "error")
    assert found.message.startswith("the edit list repeats, interrupts or reorders the audio")
    fixed = preflight.fix(path, out)
    assert fixed.after is not None
    assert (fixed.action, preflight.plan(path).action) == ("convert", "convert")
    assert fixed.after.file.duration_s == pytest.approx(seconds, abs=0.1)
    assert "header-mismatch" not in {finding.rule for finding in fixed.after.findings}


@pytest.mark.parametrize("edits", [((2.0, -1.0), (12.9, 0.1)), ((6.0, 0.1), (6.9, 6.1))])
def test_an_edit_list_that_plays_one_part_from_start_to_end_is_plain(edits: tuple[tuple[float, float], ...]) -> None:
    assert preflight.check(with_edits(AT_END, *edits)).findings == ()


def test_a_plan_is_what_is_done_where_a_copy_would_reveal_what_the_edit_list_hides(tmp_path: Path) -> None:
    path, out = tmp_path / "take.m4a", tmp_path / "out.m4a"
    edits = [(0.5, number / 2) for number in range(25)]
    path.write_bytes(declared(with_edits(AT_END, *edits), b"mvhd", 299.0))
    (finding,) = preflight.check(path).findings
    assert (finding.rule, finding.severity) == ("header-mismatch", "warning")
    assert preflight.plan(path).action == preflight.fix(path, out).action == "keep"


@pytest.mark.parametrize("name", [b"free", b"udta"])
def test_an_m4a_too_large_only_by_an_extra_box_is_copied(name: bytes, tmp_path: Path) -> None:
    path, out = tmp_path / "take.m4a", tmp_path / "out.m4a"
    path.write_bytes(in_moov(AT_END, box(name, bytes(21_500_000))))
    fixed = preflight.fix(path, out)
    assert [finding.rule for finding in fixed.before.errors] == ["too-large"]
    assert fixed.action == "rewrap"
    assert out.stat().st_size < len(AT_END) + 5000
    (tmp_path / "bare.m4a").write_bytes(AT_END)
    assert packets(out) == packets(tmp_path / "bare.m4a")


def test_xhe_aac_is_reported(tmp_path: Path) -> None:
    """There is no free encoder: this is AAC (LC) with object type 42 in its configuration."""
    path = tmp_path / "take.m4a"
    data = copied(TAKE, "mp4")
    with av.open(str(_written(tmp_path / "plain.m4a", data))) as container:
        config = container.streams.audio[0].codec_context.extradata
    assert config is not None
    usac = (0b11111_001010 << 5 | 8 << 1).to_bytes(2) + config[2:]
    path.write_bytes(data.replace(config, usac))
    report = preflight.check(path)
    assert report.file.codec == "xhe_aac"
    assert any("xHE-AAC (USAC)" in finding.message for finding in report.errors)
    assert report.verdict == "rejected"


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_a_segment_index_declares_a_length(tmp_path: Path) -> None:
    path, out = tmp_path / "take.m4a", tmp_path / "out.m4a"
    whole = m4a(SOUND, fragmented=True)
    data = whole[: whole.index(b"mfra") - 4]
    starts = [match.start() - 4 for match in re.finditer(b"moof", data)]
    sizes = [end - begin for begin, end in pairwise([*starts, len(data)])]

    def indexed(seconds: float) -> bytes:
        entries = [struct.pack(">III", size, round(seconds * 1000 / len(sizes)), 0) for size in sizes]
        content = struct.pack(">IIIII", 0, 1, 1000, 0, 0) + struct.pack(">HH", 0, len(sizes)) + b"".join(entries)
        return data[: starts[0]] + box(b"sidx", content) + data[starts[0] :]

    path.write_bytes(indexed(420.0))
    (finding,) = preflight.check(path).findings
    # FFmpeg uses the duration in this index as well, so that the rest seems to be missing
    assert (finding.rule, finding.severity, finding.fix) == ("truncated", "error", "rewrite-header")
    assert preflight.fix(path, out).action == "rewrap"
    assert preflight.check(out).findings == ()
    path.write_bytes(indexed(SECONDS))
    assert not any("sidx" in finding.message for finding in preflight.check(path).findings)


def test_the_durations_of_the_samples_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "take.m4a"
    at = AT_END.index(b"stts") + 16  # the duration of every sample, in ticks
    path.write_bytes(AT_END[:at] + struct.pack(">I", 1) + AT_END[at + 4 :])
    (finding,) = preflight.check(path).findings
    assert (finding.rule, finding.severity) == ("header-mismatch", "error")
    assert "(stts)" in finding.message
    fixed = preflight.fix(path, tmp_path / "out.m4a", options=preflight.FixOptions(to="m4a"))
    assert fixed.after is not None
    assert fixed.after.verdict == "ready"


def test_concatenated_files_are_rejected_because_programs_read_only_the_first(tmp_path: Path) -> None:
    path = tmp_path / "take.m4a"
    path.write_bytes(2 * TAKE)
    (finding,) = preflight.check(path).errors
    assert (finding.rule, finding.fix) == ("unsupported-format", None)
    assert "2 concatenated M4A files" in finding.message


def test_a_ready_recording_is_not_encoded_again_because_of_a_warning(tmp_path: Path) -> None:
    """Two initialized fragmented files: their timestamps start again, and no copy of the packets has this duration."""
    path = tmp_path / "take.m4a"
    path.write_bytes(2 * m4a(SOUND, fragmented=True))
    report = preflight.check(path)
    assert report.verdict == "ready"
    fixed = preflight.fix(path, tmp_path / "out.m4a")
    assert fixed.lossless


@pytest.mark.parametrize("factor", [3.0, 1.0, 0.2])
def test_quick_does_not_trust_a_wrong_number_of_bytes(factor: float) -> None:
    data = mp3(talk(20), bit_rate=64_000)
    at = data.index(b"Info") + 12  # after name, flags and number of frames
    wrong = data[:at] + round(len(data) * factor).to_bytes(4, "big") + data[at + 4 :]
    report = preflight.check(wrong, quick=True)
    assert report.verdict == "ready"
    assert report.file.duration_s == pytest.approx(20, abs=0.1)
    if factor >= 1:
        cut = preflight.check(wrong[: len(wrong) // 3], quick=True)
        assert "truncated" in [finding.rule for finding in cut.findings]


@pytest.mark.parametrize("media_time", [-1, 1_000_000])
def test_an_edit_list_that_hides_everything_is_named(media_time: int) -> None:
    hidden = patched(m4a(talk(12)), b"elst", 12, media_time.to_bytes(4, "big", signed=True))
    (found,) = preflight.check(hidden).findings
    assert found.rule == "no-audio"
    assert found.message.startswith("the edit list hides all 12.1 s of the audio")  # with padding


def test_a_download_that_ends_before_the_audio_begins() -> None:
    whole = m4a(SOUND)  # with the movie box in front
    for end in (whole.index(b"mdat") - 4, whole.index(b"mdat") + 4):
        for quick in (True, False):
            report = preflight.check(whole[:end], quick=quick)
            found = {finding.rule: finding for finding in report.findings}["no-audio"]
            assert report.verdict == "rejected"
            assert found.message.endswith("but the file ends before its audio: copy or download it again")
            assert found.message.startswith("the header says 13.1 s")  # with padding
