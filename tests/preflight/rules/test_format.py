"""The rules about the format: readable, audio, accepted container and codec, extension, channels."""

from __future__ import annotations

from dataclasses import replace

import pytest

from preflight.analysis.analysis import Analysis
from preflight.errors import CannotOpen, NotARecording, NotExamined
from preflight.media.damage import Damage
from preflight.media.probe import Probe
from preflight.rules.format import format_problem
from tests.support.analyses import HEADER, M4A, MP3, WAV, changed, finding, findings, seconds


def test_not_examined() -> None:
    analysis = Analysis(problem=NotExamined.because("KeyError"))
    assert "KeyError" in finding("not-examined", analysis).message
    assert findings("unreadable", analysis) == []
    assert findings("not-examined", changed()) == []


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (CannotOpen("there is no such file", "check the name"), "there is no such file: check the name"),
        (NotARecording("the file is empty"), "the file is empty"),
    ],
)
def test_unreadable_with_the_reason(problem: CannotOpen | NotARecording, message: str) -> None:
    assert finding("unreadable", Analysis(problem=problem)).message == message


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (replace(WAV, codec=""), "unknown codec"),
        (replace(WAV, sample_rate_hz=10_000_000), "sample rate of 10000000 Hz, outside 1000 to 768000 Hz"),
        (replace(WAV, channels=0), "no channels"),
    ],
)
def test_unreadable_headers(probe: Probe, words: str) -> None:
    assert words in finding("unreadable", changed(probe=probe)).message


def test_audio_that_cannot_be_decoded() -> None:
    damage = (Damage(0.0, 5.0, 0.0, 0.0),)
    assert "none of the audio" in finding("unreadable", seconds(0.0, damage=damage)).message
    usac = replace(M4A, codec="xhe_aac")
    assert "xHE-AAC (USAC)" in finding("unreadable", seconds(0.0, probe=usac, damage=damage)).message
    assert findings("unreadable", changed(probe=usac)) == []


def test_no_audio() -> None:
    assert finding("no-audio", changed(probe=replace(WAV, audio_tracks=0))).message == (
        "no audio track: choose another file"
    )
    video = replace(M4A, audio_tracks=0, has_video=True)
    assert finding("no-audio", changed(probe=video)).message.startswith("no audio track, only video")
    assert "a header but no audio" in finding("no-audio", seconds(0.0)).message
    found = finding("no-audio", changed({"sample_peak_dbfs": -120.0}))
    assert found.message.startswith("silent: peak -120 dBFS, below -90 dBFS")
    assert (found.value, found.limit) == (-120.0, -90.0)
    assert findings("no-audio", changed({"sample_peak_dbfs": -90.0})) == []


def test_protected() -> None:
    analysis = changed(probe=replace(M4A, protected=True))
    assert "encrypted (DRM)" in finding("protected", analysis).message
    for rule in ("unreadable", "no-audio", "unsupported-format", "too-many-channels"):
        assert findings(rule, analysis) == []


@pytest.mark.parametrize(
    ("probe", "description"),
    [
        (WAV, None),
        (MP3, None),
        (M4A, None),
        (replace(WAV, container="ogg", codec="opus"), "an Ogg file with Opus audio"),
        (replace(WAV, container="flac", codec="flac"), "a FLAC file"),
        (replace(WAV, container="xyz", codec="abc"), "a file in an unsupported format (xyz) with abc audio"),
        (replace(M4A, codec="alac"), "an M4A with Apple Lossless (ALAC) audio"),
        (replace(M4A, ranges=((20, 100),)), "an M4A that starts with an ID3 tag"),
        (replace(MP3, codec="mp2"), "MPEG layer II audio, not MP3"),
        (replace(WAV, codec="pcm_mulaw"), "a WAV with µ-law audio"),
        (replace(WAV, wav=replace(HEADER, block_align=3)), "a WAV with a contradictory header"),
        (replace(WAV, wav=replace(HEADER, parts=2)), "2 concatenated WAV files, each with its own header"),
        (
            replace(WAV, wav=replace(HEADER, parts=2, is_uniform=False)),
            "2 concatenated WAV files of different formats (split them, then use onetake join)",
        ),
        (replace(WAV, wav=replace(HEADER, header_offset=20)), "a WAV that starts with a tag or text"),
        (
            replace(WAV, wav=replace(HEADER, lacks_padding=True)),
            "a WAV with a chunk of odd size without its padding byte",
        ),
        (
            replace(WAV, wav=replace(HEADER, ranges=((44, 50), (60, 70)))),
            "a WAV with 2 data chunks, and most programs read only the first",
        ),
        (
            replace(M4A, audio_tracks=2, audio_track=1),
            "a file with 2 audio tracks, and the service may use any of them (onetake uses track 2, which has the most "
            "speech)",
        ),
    ],
)
def test_format_problem(probe: Probe, description: str | None) -> None:
    assert format_problem(probe) == description


def test_unsupported_format() -> None:
    found = finding("unsupported-format", changed(probe=replace(WAV, container="flac", codec="flac")))
    assert found.message == "a FLAC file; the service accepts MP3, M4A (AAC) and WAV (PCM): convert it (onetake fix)"
    assert found.fix == "convert"
    mixed = replace(WAV, wav=replace(HEADER, parts=2, is_uniform=False))
    assert finding("unsupported-format", changed(probe=mixed)).fix is None
    assert findings("unsupported-format", changed()) == []


def test_a_change_of_the_format() -> None:
    found = finding("unsupported-format", changed(probe=MP3, changes=((30.0, 22_050, 1),)))
    assert found.message.startswith("the format changes at 0:30.0 to 22050 Hz, 1 channel: convert it")
    assert (found.spans, found.fix) == (((30.0, 60.0),), "convert")


def test_extension_mismatch() -> None:
    found = finding("extension-mismatch", changed(suffix=".mp3", probe=M4A))
    assert found.message == "the name ends in '.mp3', but the file is an M4A: rename it to end in '.m4a'"
    assert found.fix == "rename"


@pytest.mark.parametrize("suffix", [".wav", ".wave", ""])
def test_right_and_missing_extensions(suffix: str) -> None:
    assert findings("extension-mismatch", changed(suffix=suffix)) == []


def test_too_many_channels() -> None:
    found = finding("too-many-channels", changed(probe=replace(WAV, channels=6)))
    assert found.message == "6 channels, above the maximum of 2: use mono (onetake fix)"
    assert (found.value, found.limit, found.fix) == (6, 2, "fold-down")
    assert findings("too-many-channels", changed(probe=replace(WAV, channels=2))) == []
