"""Packets that are copied: they stay unchanged, and all players agree on the length of the result."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import preflight
from preflight.fixes.mp3_cut import read_frame
from preflight.fixes.remux import remux
from preflight.input.source import Source
from preflight.media.probe import probe
from tests.soak.fix_matrix import best_correlation, decoded
from tests.support.make_audio import (
    FIXTURES,
    RATE,
    at_rate,
    coded,
    copied,
    m4a,
    mp3,
    packets,
    patched,
    talk,
    with_video,
)
from tests.support.selection import parametrize_some

SECONDS = 24.0
MP3S = {
    "constant": mp3(talk(SECONDS)),
    "variable": mp3(talk(SECONDS), vbr=True),
    "without a header": mp3(talk(SECONDS), xing=False),
    "MPEG-1": mp3(at_rate(talk(SECONDS), 44_100), 44_100, bit_rate=128_000),
    "MPEG-2.5": mp3(at_rate(talk(SECONDS), 8000), 8000, bit_rate=24_000),
    "stereo": coded(
        np.stack([talk(SECONDS), 0.5 * np.roll(talk(SECONDS), 9)], 1), "mp3", "libmp3lame", bit_rate=96_000
    ),
}
M4AS = {
    "one channel": m4a(talk(SECONDS)),
    "fragmented": m4a(talk(SECONDS), fragmented=True),
    "48 kHz": m4a(at_rate(talk(SECONDS), 48_000), 48_000, bit_rate=96_000),
}


def cut(data: bytes, ending: str, folder: Path, window: tuple[float, float]) -> tuple[Path, Path]:
    path, out = folder / f"take{ending}", folder / f"out{ending}"
    path.write_bytes(data)
    with Source.open(path) as source, out.open("w+b") as file:
        remux(source, file, "mp3" if ending == ".mp3" else "m4a", window)
    return path, out


WINDOWS = st.tuples(st.floats(0, 13), st.floats(10.5, 11)).map(lambda drawn: (drawn[0], sum(drawn)))


def are_consecutive(kept: list[bytes], all_of_them: list[bytes]) -> bool:
    starts = [number for number, packet in enumerate(all_of_them) if packet == kept[0]]
    return any(all_of_them[start : start + len(kept)] == kept for start in starts)


def lengths_in_players(path: Path) -> list[float]:
    """Seconds by FFmpeg's decoder, by its header, and by libsndfile where it reads the format."""
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].codec_context.sample_rate
        lengths = [sum(frame.samples for frame in container.decode(audio=0)) / rate]
    with Source.open(path) as source:
        lengths.append(probe(source).header_duration_s or 0.0)
    return [*lengths, soundfile.info(path).duration] if path.suffix == ".mp3" else lengths


@parametrize_some("name", MP3S, fast=2)
@settings(max_examples=10)
@given(window=WINDOWS)
def test_an_mp3_is_cut_to_the_sample(name: str, window: tuple[float, float]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, out = cut(MP3S[name], ".mp3", Path(folder), window)
        before, rate = decoded(path)
        after, _ = decoded(out)
        assert are_consecutive(packets(out), packets(path))
        frame = read_frame(packets(out)[0])
        shown = lengths_in_players(out)
    assert max(shown) - min(shown) <= (4095 + frame.samples) / rate
    first = round(window[0] * rate)
    # a cut may begin up to four frames earlier, where frames reach back too far, or with the recording
    places = range(max(0, first - 5 * frame.samples), first + 1)
    begin = min(places, key=lambda at: float(np.abs(before[at : at + 999] - after[:999]).max()))
    assert np.abs(before[begin : begin + len(after)] - after).max() < 1e-5
    assert begin + len(after) == pytest.approx(
        round(window[1] * rate), abs=frame.samples if name == "without a header" else 1
    )


@pytest.mark.parametrize("name", MP3S)
def test_a_whole_mp3_is_copied_to_the_sample(name: str, tmp_path: Path) -> None:
    path, out = tmp_path / "take.mp3", tmp_path / "out.mp3"
    path.write_bytes(MP3S[name])
    with Source.open(path) as source, out.open("w+b") as file:
        remux(source, file, "mp3")
    before, _ = decoded(path)
    after, _ = decoded(out)
    assert packets(out) == packets(path)
    assert np.array_equal(after, before)


@pytest.mark.parametrize("muxer", ["wav", "avi", "matroska", "mp4"])
def test_mp3_frames_from_another_container_keep_every_sample(muxer: str, tmp_path: Path) -> None:
    path, out = tmp_path / "take.bin", tmp_path / "out.mp3"
    path.write_bytes(coded(talk(SECONDS), muxer, "libmp3lame"))
    with Source.open(path) as source, out.open("w+b") as file:
        remux(source, file, "mp3")
    assert np.array_equal(decoded(out)[0], decoded(path)[0])


@parametrize_some("name", M4AS, fast=1)
@settings(max_examples=10)
@given(window=WINDOWS)
def test_an_m4a_is_cut_between_packets(name: str, window: tuple[float, float]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, out = cut(M4AS[name], ".m4a", Path(folder), window)
        assert are_consecutive(packets(out), packets(path))
        before, rate = decoded(path)
        after, _ = decoded(out)
        shown = lengths_in_players(out)
    assert max(shown) - min(shown) <= 2 * 1024 / rate
    assert len(after) / rate == pytest.approx(window[1] - window[0], abs=2.1 * 1024 / rate)
    assert best_correlation(before, after) > 0.999


@pytest.mark.slow
def test_a_recording_is_re_encoded_where_frames_reach_back_too_far(tmp_path: Path) -> None:
    """At 40 kbit/s and 48 kHz the reservoir spans five frames: more than can be passed over."""
    path, out = tmp_path / "few-bits.mp3", tmp_path / "out.mp3"
    path.write_bytes(mp3(at_rate(talk(SECONDS), 48_000), 48_000, bit_rate=40_000))
    with (
        Source.open(path) as source,
        out.open("w+b") as file,
        pytest.raises(preflight.CannotFix, match="depend too much on earlier ones"),
    ):
        remux(source, file, "mp3", (2.0, 13.0))
    options = preflight.FixOptions(start_s=2.0, end_s=13.0)
    fixed = preflight.fix(path, out, options=options, force=True)
    assert preflight.plan(path, out, options=options).edits == fixed.edits  # the plan is what is done
    assert fixed.after is not None
    assert (fixed.action, fixed.after.file.container, fixed.after.verdict) == ("convert", "mp3", "ready")
    assert fixed.after.file.duration_s == pytest.approx(11, abs=0.1)


@pytest.mark.parametrize(("data", "ending"), [(MP3S["constant"], ".mp3"), (M4AS["one channel"], ".m4a")])
def test_a_requested_part_of_ten_seconds_is_not_shorter(data: bytes, ending: str, tmp_path: Path) -> None:
    path, out = tmp_path / f"take{ending}", tmp_path / f"out{ending}"
    path.write_bytes(data)
    fixed = preflight.fix(path, out, options=preflight.FixOptions(start_s=5.0, end_s=15.0))
    assert fixed.after is not None
    assert fixed.action == "rewrap"
    assert 10 <= (fixed.after.file.duration_s or 0) < 10.2


def long_sound(seconds: float) -> NDArray[np.float32]:
    return at_rate(talk(seconds), 8000)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".mp3", ".m4a"])
def test_a_long_recording_is_cut_at_a_pause_without_re_encoding(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"long{ending}"
    path.write_bytes((mp3 if ending == ".mp3" else m4a)(long_sound(330), 8000, bit_rate=24_000))
    (tmp_path / "out").mkdir()
    fixed = preflight.fix(path, tmp_path / "out")
    assert fixed.after is not None
    assert fixed.after.file.duration_s is not None
    assert (fixed.action, fixed.after.verdict) == ("rewrap", "ready")
    assert 280 < fixed.after.file.duration_s < 299.9
    assert [(edit.name, edit.rule, edit.safe) for edit in fixed.edits] == [
        ("cut", "too-long", False),
        ("rewrap", "", True),
    ]
    kept = packets(Path(fixed.path or ""))
    assert are_consecutive(kept, packets(path))
    sound, rate = decoded(Path(fixed.path or ""))
    for edge in (sound[: rate // 20], sound[-rate // 20 :]):
        assert np.sqrt(np.mean(edge**2)) < 10 ** (-50 / 20)


def test_undecodable_packets_at_the_edge_are_left_out(tmp_path: Path) -> None:
    data = (FIXTURES / "raw.aac").read_bytes()
    path, out = tmp_path / "cut.aac", tmp_path / "out.m4a"
    path.write_bytes(data[: int(len(data) * 0.95)])
    fixed = preflight.fix(path, out)
    assert ("cut", "damaged", True) in [(edit.name, edit.rule, edit.safe) for edit in fixed.edits]
    with av.open(str(out)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) / 16_000 > 10


class _File(io.BytesIO):
    """A file that is full after a number of bytes."""

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > 5000:
            raise OSError(28, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize(("data", "ending"), [(MP3S["constant"], ".mp3"), (M4AS["one channel"], ".m4a")])
@pytest.mark.parametrize("window", [None, (2.0, 14.0)])
def test_a_full_disk_is_reported(data: bytes, ending: str, window: Any, tmp_path: Path) -> None:
    path = tmp_path / f"take{ending}"
    path.write_bytes(data)
    with Source.open(path) as source, pytest.raises(OSError, match="No space left"):
        remux(source, _File(), "mp3" if ending == ".mp3" else "m4a", window)


def test_without_an_audio_track_there_is_nothing_to_copy(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    path.write_bytes(with_video(None))
    with Source.open(path) as source, pytest.raises(preflight.CannotFix, match="no audio track"):
        remux(source, io.BytesIO(), "m4a")


def test_packets_that_do_not_fit_into_the_container(tmp_path: Path) -> None:
    path = tmp_path / "take.m4a"
    path.write_bytes(M4AS["one channel"])
    with Source.open(path) as source, pytest.raises(preflight.CannotFix, match="packets cannot be copied") as caught:
        remux(source, io.BytesIO(), "mp3")
    assert caught.value.hint == "re-encode it"


def test_audio_that_starts_later_than_its_picture_starts_at_once(tmp_path: Path) -> None:
    path, out = tmp_path / "late.mp4", tmp_path / "out.m4a"
    path.write_bytes(copied(M4AS["one channel"], "mp4", shift_s=3.0))
    with Source.open(path) as source, out.open("w+b") as file:
        remux(source, file, "m4a")
    assert packets(out) == packets(path)
    with av.open(str(out)) as container:
        track = container.streams.audio[0]
        assert float((track.start_time or 0) * (track.time_base or 1)) < 0.1


WRONG_TIMES = {
    "a gap": copied(M4AS["one channel"], "ipod", gap_s=2.0),
    "a gap in fragments": copied(
        M4AS["one channel"], "ipod", gap_s=2.0, muxing={"movflags": "frag_keyframe+empty_moov"}
    ),
    "a gap in Matroska": copied(M4AS["one channel"], "matroska", gap_s=2.0),
    "48 kHz for 44.1 kHz": patched(M4AS["one channel"], b"mdhd", 12, (RATE * 480 // 441).to_bytes(4)),
}


@pytest.mark.parametrize("name", WRONG_TIMES)
def test_timestamps_that_contradict_the_audio_are_replaced(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"take{'.mkv' if 'Matroska' in name else '.m4a'}"
    path.write_bytes(WRONG_TIMES[name])
    if path.suffix == ".m4a":
        assert [finding.rule for finding in preflight.check(path).findings] == ["header-mismatch"]
    fixed = preflight.fix(path, tmp_path / "out.m4a")
    assert (fixed.action, fixed.after and fixed.after.findings) == ("rewrap", ())
    assert packets(tmp_path / "out.m4a") == packets(path)
    shown = lengths_in_players(tmp_path / "out.m4a")
    assert shown == pytest.approx([SECONDS] * 2, abs=0.1)
