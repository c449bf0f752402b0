"""Probing: container, codec, duration and tracks by the headers."""

from __future__ import annotations

import pytest

import preflight
from preflight.errors import NotARecording
from preflight.media.containers import lacks_packet_sizes
from preflight.media.probe import Probe, probe, probe_plain_wav
from tests.support.make_audio import FIXTURES, RATE, chunk, coded, form_chunk, riff, talk
from tests.support.sources import opened

SAMPLES = bytes(2 * RATE)
WAV = Probe("wav", "pcm_s16le", RATE, 1)


def test_a_wav_needs_no_decoder() -> None:
    with opened(riff(form_chunk(), chunk(b"data", SAMPLES))) as source:
        facts = probe_plain_wav(source)
        assert facts == probe(source)
    assert facts is not None
    assert (facts.container, facts.codec, facts.bits, facts.bit_rate_bps) == ("wav", "pcm_s16le", 16, RATE * 16)
    assert facts.declared_duration_s == facts.estimated_duration_s == 1.0
    assert facts.is_plain_wav


@pytest.mark.parametrize(
    ("size", "declared_s", "estimated_s"),
    [(2 * RATE, 1.0, 1.0), (4 * RATE, 2.0, 1.0), (RATE, 0.5, 1.0), (0, None, 1.0), (0xFFFFFFFF, None, 1.0)],
)
def test_the_declared_and_the_actual_duration_of_a_wav(size: int, declared_s: float | None, estimated_s: float) -> None:
    with opened(riff(form_chunk(), chunk(b"data", SAMPLES, size))) as source:
        facts = probe(source)
    assert (facts.declared_duration_s, facts.estimated_duration_s) == (declared_s, estimated_s)


@pytest.mark.parametrize(
    ("name", "container", "codec", "bits"),
    [
        ("good.mp3", "mp3", "mp3", None),
        ("good.m4a", "m4a", "aac", None),
        ("lossless.flac", "flac", "flac", 16),
        ("lossless.m4a", "m4a", "alac", 16),
        ("voice-message.ogg", "ogg", "opus", None),
        ("quicktime.qta", "mov", "aac", None),
        ("raw.aac", "adts", "aac", None),
    ],
)
def test_containers_and_codecs(name: str, container: str, codec: str, bits: int | None) -> None:
    content = (FIXTURES / name).read_bytes()
    for quick in (False, True):
        with opened(content) as source:
            assert probe_plain_wav(source) is None
            facts = probe(source, quick=quick)
        assert (facts.container, facts.codec, facts.bits) == (container, codec, bits)
        assert not facts.is_plain_wav


def test_aac_with_frame_headers_in_a_wav_can_be_decoded() -> None:
    take = riff(form_chunk(0x00FF, bits=0, align=1), chunk(b"data", coded(talk(2.0), "adts", "aac")))
    with opened(take) as source:
        assert (probe(source).codec, probe(source).has_sound) == ("aac", True)


def test_packets_without_sizes_in_a_wav() -> None:
    frames = coded(talk(2.0), "adts", "aac")
    assert lacks_packet_sizes("aac", frames[7:])
    assert lacks_packet_sizes("vorbis", frames)
    assert not lacks_packet_sizes("aac", frames)
    assert not lacks_packet_sizes("mp3", frames[7:])


def test_an_estimate_is_not_a_declared_duration() -> None:
    with opened((FIXTURES / "raw.aac").read_bytes()) as source:
        facts = probe(source, quick=True)
    assert facts.declared_duration_s is None
    assert facts.header_duration_s is not None


@pytest.mark.parametrize("content", [b"", b"text", bytes(5000)])
def test_other_content_is_not_a_recording(content: bytes) -> None:
    with opened(content) as source, pytest.raises(NotARecording):
        probe(source)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (WAV, True),
        (Probe("wav", "", RATE, 1), False),
        (Probe("wav", "pcm_s16le", 0, 1), False),
        (Probe("wav", "pcm_s16le", RATE, 0), False),
        (Probe("m4a", "aac", RATE, 1, protected=True), False),
    ],
)
def test_only_plausible_and_unprotected_audio_is_decoded(facts: Probe, expected: bool) -> None:
    assert facts.has_sound is expected


def test_the_duration_of_opus_in_ogg_is_without_its_delay() -> None:
    take = coded(talk(3.0), "ogg", "libopus")
    with opened(take) as source:
        assert probe(source).header_duration_s == preflight.check(take).file.duration_s


@pytest.mark.parametrize("before", [bytes(512), b"take.wav" + bytes(504), b"x" * 5000, b"PK\x03\x04"])
def test_a_wav_within_an_archive_or_after_long_text_is_not_read(before: bytes) -> None:
    with opened(before + riff(form_chunk(), chunk(b"data", SAMPLES))) as source, pytest.raises(NotARecording):
        probe(source)
