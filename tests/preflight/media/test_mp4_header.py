"""The boxes of MP4, from the smallest movie that has them."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.errors import WrongHeader
from preflight.media.mp4_header import Movie, read_movie, with_movie_facts
from preflight.media.probe import Probe
from tests.support.sources import opened

SCALE, RATE = 1000, 44_100
EMPTY_EDIT, UNKNOWN = -1, 0xFFFFFFFF


def box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + name + body


def full_box(name: bytes, *content: bytes, version: int = 0) -> bytes:
    return box(name, bytes([version, 0, 0, 0]), *content)


def times(scale: int, duration: int, version: int = 0) -> bytes:
    """Creation time, modification time, time scale and duration of mvhd and mdhd."""
    return struct.pack(">QQIQ" if version else ">IIII", 0, 0, scale, duration)


def edit_list(*edits: tuple[int, int], version: int = 0) -> bytes:
    form = ">QqI" if version else ">IiI"
    entries = b"".join(struct.pack(form, duration, time, 1 << 16) for duration, time in edits)
    return box(b"edts", full_box(b"elst", struct.pack(">I", len(edits)), entries, version=version))


def track(
    media_s: float = 10.0,
    *,
    handler: bytes = b"soun",
    declared_s: float | None = None,
    edits: bytes = b"",
    size: int = 100,
    packets: int | None = None,
    formats: tuple[bytes, ...] = (b"mp4a",),
    described_by: tuple[int, ...] = (1,),
    offsets: tuple[int, ...] = (),
    gap_s: int = 0,
) -> bytes:
    """Return a track of one-second samples of `size` bytes; `packets` is their number in the table of sizes.

    `formats` are those of the sample descriptions, and `described_by` their numbers for successive chunks, which have
    these `offsets`. The last sample lasts `gap_s` longer.
    """
    ticks = round(media_s * RATE)
    tables = box(
        b"stbl",
        full_box(b"stts", struct.pack(">IIIII", 2, round(media_s) - 1, RATE, 1, RATE * (1 + gap_s))),
        full_box(b"stsd", struct.pack(">I", len(formats)), *(box(kind, bytes(28)) for kind in formats)),
        full_box(
            b"stsc",
            struct.pack(">I", len(described_by)),
            *(struct.pack(">III", chunk, 1, number) for chunk, number in enumerate(described_by, 1)),
        ),
        full_box(b"stsz", struct.pack(">II", size, packets or round(media_s))),
        full_box(b"stco", struct.pack(f">I{len(offsets)}I", len(offsets), *offsets)),
    )
    media = box(
        b"mdia",
        full_box(b"mdhd", times(RATE, ticks)),
        full_box(b"hdlr", bytes(4), handler),
        box(b"minf", tables),
    )
    declared = round((media_s if declared_s is None else declared_s) * SCALE)
    return box(b"trak", full_box(b"tkhd", struct.pack(">IIIII", 0, 0, 1, 0, declared)), edits, media)


def moov(*tracks: bytes, duration_s: float = 10.0, version: int = 0, more: bytes = b"") -> bytes:
    header = full_box(b"mvhd", times(SCALE, round(duration_s * SCALE), version), version=version)
    return box(b"moov", header, *tracks, more)


def read(content: bytes) -> Movie:
    with opened(content) as source:
        movie = read_movie(source)
    assert movie is not None
    return movie


def completed(content: bytes, audio_track: int = 0, codec: str = "alac") -> Probe:
    facts = Probe("m4a", codec, RATE, 1, declared_duration_s=1.0, audio_track=audio_track)
    with opened(content) as source:
        return with_movie_facts(source, facts, 0)


@pytest.mark.parametrize("version", [0, 1])
def test_a_movie_with_one_track(version: int) -> None:
    movie = read(box(b"ftyp", b"M4A ") + moov(track(), version=version))
    assert movie.durations == {"mvhd": 10.0}
    (audio,) = movie.tracks
    assert (audio.handler, audio.timescale, audio.media_s, audio.sample_bytes) == (b"soun", RATE, 10.0, 1000)
    assert audio.durations == {"tkhd": 10.0, "mdhd": 10.0}


@pytest.mark.parametrize("ticks", [0, UNKNOWN])
def test_an_unknown_duration_is_not_declared(ticks: int) -> None:
    movie = read(box(b"moov", full_box(b"mvhd", times(SCALE, ticks)), track()))
    assert movie.durations == {}


def test_a_file_without_movie_box() -> None:
    with opened(box(b"ftyp", b"M4A ") + box(b"mdat", bytes(100))) as source:
        assert read_movie(source) is None


def test_sample_sizes_from_a_table() -> None:
    sizes = full_box(b"stsz", struct.pack(">IIIII", 0, 3, 10, 20, 30))
    media = box(b"mdia", full_box(b"mdhd", times(RATE, 1)), box(b"minf", box(b"stbl", sizes)))
    assert read(moov(box(b"trak", media))).tracks[0].sample_bytes == 60


def test_boxes_with_a_64_bit_size_and_up_to_the_end_of_the_file() -> None:
    large = struct.pack(">I", 1) + b"free" + struct.pack(">Q", 16 + 50) + bytes(50)
    last = struct.pack(">I", 0) + b"mdat" + bytes(100)
    movie = read(large + moov(track()) + last)
    assert (len(movie.tracks), movie.held_share) == (1, 1.0)


def test_the_share_of_a_truncated_mdat() -> None:
    content = moov(track()) + box(b"mdat", bytes(1000))
    assert read(content[:-250]).held_share == 0.75
    assert completed(content[:-250]).estimated_duration_s == 7.5


@pytest.mark.parametrize(("packets", "seconds"), [(431, 10.0), (216, 10.0), (120, 2.786), (4310, 100.078)])
def test_the_packets_of_aac_show_a_wrong_time_scale(packets: int, seconds: float) -> None:
    """431 packets of 1024 samples are 10 s at 44.1 kHz, and so are 216 with SBR."""
    facts = completed(moov(track(packets=packets)), codec="aac")
    assert facts.estimated_duration_s == pytest.approx(seconds, abs=0.001)
    assert dict(facts.declared)["stts"] == 10.0
    assert not facts.is_contradictory


@pytest.mark.parametrize(("missing", "is_whole", "seconds"), [(0, True, 10.0), (1, False, 4.995)])
def test_an_mdat_that_claims_too_much_is_whole_with_all_samples(missing: int, is_whole: bool, seconds: float) -> None:
    # the first chunk has one sample, and the second one the other nine
    begin = len(moov(track(offsets=(0, 0)))) + 8
    content = moov(track(offsets=(begin, begin + 100))) + struct.pack(">I", 2008) + b"mdat" + bytes(1000)
    facts = completed(content[: len(content) - missing])
    assert facts.is_whole == is_whole
    assert facts.estimated_duration_s == pytest.approx(seconds)


def test_chunks_out_of_order_prove_nothing() -> None:
    assert read(moov(track(offsets=(500, 100)))).tracks[0].end is None


def test_a_gap_in_the_timestamps_is_declared_and_not_held() -> None:
    facts = completed(moov(track(gap_s=5), duration_s=15.0))
    assert facts.estimated_duration_s == 10.0
    assert dict(facts.declared) == {"mvhd": 15.0, "tkhd": 10.0, "mdhd": 10.0, "stts": 15.0}


@pytest.mark.parametrize("kind", [b"enca", b"drms"])
def test_an_encrypted_track_is_protected_even_if_its_original_format_is_stated(kind: bytes) -> None:
    assert completed(moov(track(formats=(kind,)))).protected
    assert not completed(moov(track())).protected


def test_a_movie_box_that_is_marked_as_free_is_contradictory() -> None:
    """FFmpeg reads it, and other programs do not."""
    assert completed(moov(track()).replace(b"moov", b"free")).is_contradictory


def test_a_media_header_without_time_scale() -> None:
    content = moov(track()).replace(b"mdhd" + bytes(12) + struct.pack(">I", RATE), b"mdhd" + bytes(16))
    assert completed(content).is_contradictory


def test_a_segment_index_is_summed_up_by_reference_without_nested_indexes() -> None:
    entries = [(0, 4000), (0, 5000), (1 << 31, 9000)]
    content = b"".join(struct.pack(">III", kind, duration, 0) for kind, duration in entries)
    sidx = full_box(b"sidx", struct.pack(">IIII", 7, SCALE, 0, 0), struct.pack(">HH", 0, len(entries)), content)
    movie = read(moov(track()) + sidx + sidx)
    assert movie.indexed == {7: 18.0}
    assert movie.durations["sidx"] == 18.0


def test_the_fragment_duration() -> None:
    mehd = box(b"mvex", full_box(b"mehd", struct.pack(">I", 12 * SCALE)))
    assert read(moov(track(), more=mehd)).durations["mehd"] == 12.0


@pytest.mark.parametrize("version", [0, 1])
def test_an_edit_list_that_hides_audio(version: int) -> None:
    edits = edit_list((500, EMPTY_EDIT), (4000, 2 * RATE), version=version)
    facts = completed(moov(track(edits=edits, declared_s=4.0), duration_s=4.0))
    assert (facts.estimated_duration_s, facts.hidden_s) == (4.0, 6.0)
    assert dict(facts.declared) == {"mvhd": 4.0, "tkhd": 4.0, "elst": 4.0, "stts": 4.0}
    assert (facts.is_size_known, facts.audio_bytes) == (True, 1000)


def test_an_encoder_delay_is_not_hidden_audio() -> None:
    facts = completed(moov(track(edits=edit_list((9950, 2112)))))
    assert facts.hidden_s == 0.0
    assert facts.estimated_duration_s == pytest.approx(9.95)


def test_an_edit_of_duration_zero_plays_the_rest_of_a_fragmented_file_and_else_nothing() -> None:
    edits = track(edits=edit_list((0, 3 * RATE)))
    assert completed(moov(edits, more=box(b"mvex"))).estimated_duration_s == 7.0
    assert completed(moov(edits)).estimated_duration_s == 0.0


@pytest.mark.parametrize(("time", "seconds"), [(-1, 0.0), (-2, 4.0), (-(2**31), 4.0), (0, 4.0), (7 * RATE, 3.0)])
def test_only_the_media_time_minus_one_is_an_empty_edit(time: int, seconds: float) -> None:
    assert completed(moov(track(edits=edit_list((4 * SCALE, time))))).estimated_duration_s == seconds


def test_an_edit_after_the_end_of_the_media_plays_nothing() -> None:
    facts = completed(moov(track(edits=edit_list((5 * SCALE, 30 * RATE)))))
    assert (facts.estimated_duration_s, dict(facts.declared)["stts"]) == (0.0, 10.0)


def test_only_a_text_track_longer_than_the_audio_is_declared() -> None:
    for seconds, expected in ((5.0, []), (20.0, ["text track tkhd", "text track mdhd"])):
        facts = completed(moov(track(), track(seconds, handler=b"text")))
        assert [name for name, _ in facts.declared if "text" in name] == expected


def test_the_chosen_audio_track_counts() -> None:
    content = moov(track(8.0, handler=b"vide"), track(10.0), track(6.0))
    assert completed(content, audio_track=1).estimated_duration_s == 6.0


def test_a_movie_without_audio_track_adds_nothing() -> None:
    assert completed(moov(track(handler=b"vide"))).estimated_duration_s is None


@pytest.mark.parametrize(
    ("formats", "described_by", "is_read"),
    [
        ((b"mp4a", b"alac"), (1, 1), True),
        ((b"mp4a", b"mp4a"), (1, 2), True),
        ((b"mp4a", b"alac"), (2,), False),
        ((b"mp4a", b"alac"), (1, 2, 1), False),
        ((b"mp4a",), (3,), True),  # not described at all
        ((), (1,), True),
    ],
)
def test_samples_of_a_second_format_are_rejected(
    formats: tuple[bytes, ...], described_by: tuple[int, ...], is_read: bool
) -> None:
    content = moov(track(formats=formats, described_by=described_by))
    if is_read:
        assert completed(content).estimated_duration_s == 10.0
    else:
        with pytest.raises(WrongHeader, match="mp4a and alac"):
            completed(content)


@given(data=st.data())
def test_overwritten_boxes_do_not_raise(data: st.DataObject) -> None:
    content = bytearray(moov(track(edits=edit_list((4000, RATE)))) + box(b"mdat", bytes(50)))
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=5)):
        content[at] = value
    with contextlib.suppress(WrongHeader):
        facts = completed(bytes(content[: data.draw(st.integers(1, len(content)))]))
        assert facts.estimated_duration_s is None or facts.estimated_duration_s >= 0
