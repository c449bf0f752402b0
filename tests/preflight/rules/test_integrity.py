"""The rules about completeness, damage, headers and dropouts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from preflight.media.damage import Damage
from tests.support.analyses import HEADER, M4A, MP3, WAV, changed, finding, findings, headers_only, seconds

MIDDLE = Damage(20.0, 21.0, 20.0, 20.0)


def test_truncated() -> None:
    found = finding("truncated", seconds(58.0, probe=replace(WAV, declared_duration_s=62.0)))
    assert found.message == "the header says 62.0 s, the file ends at 58.0 s: copy or download it again"
    assert (found.value, found.limit, found.spans, found.fix) == (58.0, 62.0, ((58.0, 62.0),), "rewrite-header")


@pytest.mark.parametrize("declared_s", [None, 60.0, 60.25])
def test_encoder_padding_is_not_missing(declared_s: float | None) -> None:
    assert findings("truncated", changed(probe=replace(MP3, declared_duration_s=declared_s))) == []


def test_lost_audio_in_the_middle_is_damage_and_not_truncation() -> None:
    analysis = changed(probe=replace(MP3, declared_duration_s=61.5), damage=(MIDDLE,))
    assert findings("truncated", analysis) == []
    assert finding("damaged", analysis).value == 1.0


def test_headers_show_truncation_only_where_they_count_the_content() -> None:
    facts = replace(M4A, declared_duration_s=80.0)
    assert findings("truncated", headers_only(facts)) == []
    for counted in (replace(facts, is_size_known=True), replace(WAV, declared_duration_s=80.0, wav=HEADER)):
        assert finding("truncated", headers_only(counted)).value == 60.0


def test_a_recording_whose_decoding_was_stopped_is_not_truncated() -> None:
    assert findings("truncated", seconds(100.0, probe=replace(WAV, declared_duration_s=900.0), stopped=True)) == []


def test_damaged() -> None:
    found = finding("damaged", changed(damage=(MIDDLE,)))
    assert found.message == "1.00 s could not be decoded, at 0:20.0: copy the file again from its source"
    assert (found.severity, found.spans, found.fix) == ("error", ((20.0, 21.0),), "keep-intact")
    assert findings("damaged", changed()) == []


def test_what_cannot_be_decoded_is_not_damaged_too() -> None:
    assert findings("damaged", headers_only(replace(MP3, sample_rate_hz=0), damage=(MIDDLE,))) == []
    assert findings("damaged", headers_only(replace(M4A, protected=True), damage=(MIDDLE,))) == []


def test_damage_in_several_places() -> None:
    found = finding("damaged", changed(damage=(MIDDLE, Damage(31.0, 31.5, 30.0, 30.0))))
    assert found.message.startswith("1.50 s could not be decoded, in 2 places, first at 0:20.0")


def test_damage_that_leaves_no_usable_part_has_no_fix() -> None:
    assert finding("damaged", seconds(15.0, damage=(Damage(7.0, 8.0, 7.0, 7.0),))).fix is None
    assert finding("damaged", changed(damage=(MIDDLE,), role="prompt")).fix is None


@pytest.mark.parametrize("damage", [Damage(0.0, 0.05, 0.0, 0.0), Damage(60.0, 60.05, 60.0, 60.0)])
def test_damage_at_the_edge_is_a_warning(damage: Damage) -> None:
    found = finding("damaged", changed(damage=(damage,)))
    assert (found.severity, found.fix) == ("warning", None)
    assert found.message.endswith("at the very start or end: no audible loss")


def test_header_mismatch() -> None:
    found = finding("header-mismatch", seconds(58.0, probe=replace(MP3, declared=(("Xing header", 62.0),))))
    assert (
        found.message == "the header says 62.0 s (Xing header), the file holds 58.0 s: rewrite the header (onetake fix)"
    )
    assert (found.severity, found.value, found.limit, found.fix) == ("warning", 62.0, 58.0, "rewrite-header")


def test_the_duration_that_players_show_has_no_name_unless_it_is_estimated() -> None:
    wav, mp3 = (replace(probe, header_duration_s=70.0) for probe in (WAV, MP3))
    assert "the header says 70.0 s, the file" in finding("header-mismatch", changed(probe=wav)).message
    assert "70.0 s (estimated from the bit rate), the" in finding("header-mismatch", changed(probe=mp3)).message


@pytest.mark.parametrize(("declared_s", "severity"), [(299.0, "warning"), (301.0, "error"), (9.0, "error")])
def test_a_declared_duration_outside_the_limits_is_an_error(declared_s: float, severity: str) -> None:
    probe = replace(M4A, declared=(("mvhd", declared_s), ("tkhd", 62.0)))
    found = finding("header-mismatch", changed(probe=probe))
    assert (found.severity, found.value) == (severity, declared_s)


@pytest.mark.parametrize("declared_s", [59.7, 60.0, 60.3])
def test_small_differences_are_normal(declared_s: float) -> None:
    assert findings("header-mismatch", changed(probe=replace(M4A, declared=(("mvhd", declared_s),)))) == []


def test_hidden_audio() -> None:
    found = finding("header-mismatch", changed(probe=replace(M4A, hidden_s=13.1)))
    assert found.message.startswith("the edit list hides 13.1 s of the audio")
    assert (found.severity, found.value, found.limit) == ("error", 73.1, 60.0)


def test_a_tag_between_frames() -> None:
    found = finding("header-mismatch", changed(probe=replace(MP3, inner_tags_s=30.0)))
    assert found.message.startswith("there is a tag between the audio frames at 0:30.0, where some decoders stop")
    assert found.severity == "warning"


def test_dropouts_and_clicks() -> None:
    found = finding("dropouts", changed(dropouts=((5.0, 5.1),), clicks=((2.0, 2.0), (9.0, 9.0))))
    assert found.message.startswith("1 dropout and 2 clicks, first at 0:02.0: close other programs")
    assert (found.value, len(found.spans)) == (3, 3)
    assert findings("dropouts", changed()) == []


def test_the_corners_of_clipped_peaks_are_no_clicks() -> None:
    clipped, clicks = ((1.0, 1.2), (5.0, 5.1)), ((0.97, 0.9701), (1.1, 1.1001), (3.0, 3.0001), (5.14, 5.1401))
    found = finding("dropouts", changed(clipped=clipped, clicks=clicks))
    assert found.spans == ((3.0, 3.0),)
    assert not findings("dropouts", changed(clipped=clipped, clicks=clicks[:2]))


def test_a_place_is_listed_once() -> None:
    found = finding(
        "dropouts", changed(dropouts=((1.0, 1.5), (1.5, 1.6)), clicks=((1.6, 1.6), (2.0, 2.0), (2.0, 2.00002)))
    )
    assert found.spans == ((1.0, 1.6), (2.0, 2.0))


def test_plosives() -> None:
    found = finding("plosives", changed(plosives=((2.0, 2.1), (9.0, 9.1))))
    assert found.message.startswith("2 plosives or bumps below 50 Hz, first at 0:02.0, as loud as the voice")
    assert (found.severity, found.value, len(found.spans)) == ("info", 2, 2)
    assert findings("plosives", changed()) == []


def test_splices_but_not_the_corners_of_clipped_peaks() -> None:
    splices = ((1.1, 1.1001), (3.0, 3.0001), (9.0, 9.0001))
    found = finding("splices", changed(clipped=((1.0, 1.2),), splices=splices))
    assert found.message.startswith("the waveform jumps at 2 places, first at 0:03.0, as if a word had been cut")
    assert (found.value, found.spans) == (2, ((3.0, 3.0), (9.0, 9.0)))
    assert findings("splices", changed(splices=splices[:1]))[0].message.startswith("the waveform jumps at one place")
    assert findings("splices", changed()) == []
    ends = ((0.05, 0.0501), (59.93, 59.9301))
    assert findings("splices", changed(splices=ends)) == []
    assert finding("splices", changed(splices=(*ends, splices[1]))).spans == ((3.0, 3.0),)
