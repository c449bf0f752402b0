"""The rules about background noise, gating, hum and bandwidth."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.analyses import WAV, changed, finding, findings


@pytest.mark.parametrize(
    ("rule", "measurements", "message"),
    [
        ("noisy", {"snr_db": 19.6}, "SNR 19.6 dB, below 20 dB: record in a quieter room"),
        ("noisy", {"noise_floor_dbfs": -25.0}, "noise floor -25.0 dBFS, above -30 dBFS: record in a quieter room"),
        ("gated", {"digital_silence_percent": 80.0}, "80.0 % of the pauses are digital silence, above 50 %"),
        (
            "gated",
            {"gate_steps_per_minute": 9.0, "gate_step_db": 25.0},
            "a noise gate turns the pauses down by 25 dB (9 such steps a minute, above 3)",
        ),
        ("hum", {"hum_db": 22.0, "hum_dbfs": -55.0}, "mains hum at 50 Hz and harmonics: -55 dBFS, 22.0 dB above"),
        ("narrow-band", {"bandwidth_hz": 3400.0}, "bandwidth 3400 Hz, below 6000 Hz (the sample rate allows 22050 Hz)"),
    ],
)
def test_reported(rule: str, measurements: dict[str, float], message: str) -> None:
    found = finding(rule, changed(measurements))
    assert found.message.startswith(message)
    assert found.value in measurements.values()


@pytest.mark.parametrize(
    ("rule", "measurements"),
    [
        ("noisy", {"snr_db": 20.0, "noise_floor_dbfs": -30.0}),
        ("gated", {"digital_silence_percent": 50.0}),
        ("gated", {"gate_steps_per_minute": 3.0, "gate_step_db": 25.0}),
        ("hum", {"hum_db": 13.0, "hum_dbfs": -55.0}),
        ("hum", {"hum_db": 40.0, "hum_dbfs": -76.0}),
        ("narrow-band", {"bandwidth_hz": 9000.0}),
    ],
)
def test_not_reported_at_the_limit(rule: str, measurements: dict[str, float]) -> None:
    assert findings(rule, changed(measurements)) == []


@pytest.mark.parametrize("rule", ["noisy", "gated", "hum", "narrow-band"])
def test_not_reported_without_a_measurement(rule: str) -> None:
    few = {"rms_dbfs": -20.0, "sample_peak_dbfs": -3.0}
    analysis = changed()
    analysis.measurements.clear()
    analysis.measurements.update(few)
    assert findings(rule, analysis) == []


@pytest.mark.parametrize(
    ("bandwidth_hz", "codec", "bit_rate_bps", "severity"),
    [
        (5900.0, "pcm_s16le", None, "warning"),
        (6500.0, "pcm_s16le", None, "info"),
        (7500.0, "pcm_s16le", None, None),  # recorded at 16 kHz, and upsampled
        (7500.0, "mp3", 32_000, "info"),
        (7500.0, "mp3", 128_000, None),
        (7900.0, "aac", 24_000, "info"),
        (8100.0, "aac", 24_000, None),
        (8600.0, "pcm_s16le", None, "info"),
    ],
)
def test_a_low_bit_rate_is_an_info(
    bandwidth_hz: float, codec: str, bit_rate_bps: int | None, severity: str | None
) -> None:
    probe = replace(WAV, codec=codec, bit_rate_bps=bit_rate_bps, channels=1)
    found = findings("narrow-band", changed({"bandwidth_hz": bandwidth_hz}, probe=probe))
    assert [finding.severity for finding in found] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("rumble_db", "snr_db", "rules"), [(5.0, 15.0, {"rumble"}), (5.0, 30.0, set()), (-5.0, 15.0, {"noisy"})]
)
def test_loud_pauses_are_named_for_what_fills_them(rumble_db: float, snr_db: float, rules: set[str]) -> None:
    analysis = changed({"rumble_db": rumble_db, "snr_db": snr_db})
    assert {rule for rule in ("rumble", "noisy") if findings(rule, analysis)} == rules


def test_a_whine_above_its_limit() -> None:
    found = finding("whine", changed({"whine_hz": 1000.0, "whine_dbfs": -55.0}))
    assert found.message.startswith("a steady tone of 1000 Hz at -55 dBFS, above -70 dBFS")
    assert not findings("whine", changed({"whine_hz": 1000.0, "whine_dbfs": -75.0}))


def test_music_alone_has_a_lower_limit_than_a_voice_in_a_room() -> None:
    with_voice = changed({"held_tones": 1.8})
    assert not findings("music", with_voice)
    alone = changed({"held_tones": 1.8})
    del alone.measurements["speech_level_dbfs"]
    assert finding("music", alone).quality == "poor"
    assert not findings("music", changed({"held_tones": 3.5, "room_decay_s": 0.6}))


@pytest.mark.parametrize(
    ("fading", "has_voice", "decay_s", "is_music"),
    [(4.0, False, 0.2, True), (3.4, False, 0.2, False), (5.0, True, 0.2, True), (4.0, True, 0.2, False),
     (9.0, True, 0.9, False)],
)  # fmt: skip
def test_tones_that_fade_are_music(fading: float, has_voice: bool, decay_s: float, is_music: bool) -> None:
    analysis = changed({"held_tones": 0.2, "fading_tones": fading, "room_decay_s": decay_s})
    if not has_voice:
        del analysis.measurements["speech_level_dbfs"]
    found = findings("music", analysis)
    assert [finding.value for finding in found] == ([fading] if is_music else [])


LOUD = {
    "background_bend_db": 5.0,
    "background_likeness": 0.5,
    "background_level_db": -20.0,
    "background_spread_db": 3.0,
    "held_tones": 0.5,
}


def test_babble_is_loud_changes_and_does_not_ring() -> None:
    found = finding("babble", changed(LOUD))
    assert found.message.startswith("other voices, or music, behind the voice: its pauses are only 20 dB quieter")
    for name, value in (
        ("background_bend_db", 3.5),  # noise
        ("background_likeness", 0.2),  # what noise reduction leaves
        ("background_level_db", -28.0),
        ("background_spread_db", 8.0),  # a voice without pauses
        ("background_spread_db", 5.0),  # a voice that fades away, in a room or a compressor
        ("pause_bend_db", 2.5),  # noise, of which a compressor bends the edges
        ("room_decay_s", 0.5),
        ("buzz_db", 6.0),
        ("hum_db", 20.0),
    ):
        assert not findings("babble", changed({**LOUD, name: value})), name


DISTANT = {
    **LOUD,
    "background_bend_db": 3.0,
    "background_likeness": 0.1,
    "pause_bend_db": 3.5,
    "pause_likeness": 0.4,
    "room_decay_s": 0.25,
}


def test_voices_in_a_room_change_in_whole_pauses() -> None:
    found = finding("babble", changed({**DISTANT, "room_decay_s": 0.5, "background_spread_db": 2.9}))
    assert "their level fluctuates by 3.5 dB within 0.2 s (limit 2.5 dB)" in found.message
    assert found.value == 3.5
    for values in (
        {"pause_bend_db": 2.5},
        {"pause_likeness": 0.19},  # what noise reduction leaves
        {"room_decay_s": 0.61, "background_spread_db": 2.0},  # the voice itself
        {"room_decay_s": 0.5, "background_spread_db": 3.0},
        {"background_spread_db": 4.5},
        {"background_level_db": -28.0},
    ):
        assert not findings("babble", changed({**DISTANT, **values})), values
    unknown = changed(DISTANT)
    del unknown.measurements["room_decay_s"]
    assert not findings("babble", unknown)


def test_bands_that_flicker_each_for_itself_are_the_trace_of_noise_reduction() -> None:
    found = finding("denoised", changed({**LOUD, "background_likeness": 0.1}))
    assert found.message.startswith("noise reduction has left tones that flicker in the pauses")
    assert not findings("denoised", changed(LOUD))
    assert not findings("denoised", changed({**LOUD, "background_likeness": 0.1, "background_bend_db": 4.5}))


def test_buzz_is_hum_with_many_harmonics() -> None:
    buzz = {"hum_db": 9.0, "hum_dbfs": -50.0, "hum_hz": 60.0, "buzz_db": 7.5}
    assert finding("hum", changed(buzz)).message.startswith("mains buzz at 60 Hz and harmonics: -50 dBFS, 7.5 dB above")
    assert not findings("hum", changed({**buzz, "buzz_db": 5.0}))
    assert len(findings("hum", changed({**buzz, "hum_db": 20.0}))) == 1


def test_where_pauses_are_loud_fewer_held_tones_are_music() -> None:
    tones = {"held_tones": 1.1}
    assert findings("music", changed({**LOUD, **tones}))
    assert not findings("babble", changed({**LOUD, **tones}))
    assert not findings("music", changed({**LOUD, **tones, "background_level_db": -32.0}))
    assert not findings("music", changed({**LOUD, **tones, "background_spread_db": 6.0}))
    assert not findings("music", changed({**LOUD, **tones, "room_decay_s": 0.9}))
    assert findings("music", changed({**LOUD, "fading_tones": 3.0}))
    assert not findings("music", changed({**LOUD, "fading_tones": 2.4}))
