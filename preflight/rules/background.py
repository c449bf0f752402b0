"""Rules about the room and the devices: background noise, rumble, whine, hum, reverberation and bandwidth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from preflight.display.text import number_beside
from preflight.rules.model import Rule, Threshold, worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from preflight.analysis.analysis import Analysis
    from preflight.media.probe import Probe
    from preflight.report import Finding


_FULL_BAND_HZ: Final = 10_500.0
"""Half of the least sample rate at which a bandwidth below 9 kHz is the choice of an encoder."""


_WIDEBAND_HZ: Final = (7250.0, 8250.0)
"""Where a voice ends that was recorded at 16 kHz and upsampled: nothing was lost by an encoder."""
_WIDEBAND_LOSSY_HZ: Final = 7950.0
"""AAC of 24 kbit/s at 44.1 kHz ends between 7.7 and 7.9 kHz; upsampled recordings of 16 kHz mostly at 8.1 kHz."""
_LOW_BIT_RATE_BPS: Final = 40_000
"""For each channel: above MP3 at 32 kbit/s and AAC at 24, whose bandwidth is below 9 kHz (`min_full_bandwidth_hz`)."""
_RUMBLE_SNR_DB: Final = 25.0
"""5 dB above the limit of `noisy`: rumble farther below the voice is not reported."""
_RUMBLE_DB: Final = 0.0
"""Above this (power below 45 Hz relative to 90 to 1000 Hz), loud pauses are reported as rumble, not as noise."""


def _noisy(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    measured = analysis.measurements
    if "snr_db" in measured and not _is_rumble(measured, measured["snr_db"], _RUMBLE_DB):
        yield from worst(_noise(rule, analysis.measurements))


def _noise(rule: Rule, measured: Mapping[str, float]) -> Iterator[Finding]:
    floor, ratio = measured["noise_floor_dbfs"], measured["snr_db"]
    advice = "record in a quieter room, closer to the microphone"
    if ratio < rule["min_snr_db"]:
        yield rule.finding(
            f"SNR {number_beside(ratio, rule['min_snr_db'])} dB, below {rule['min_snr_db']:g} dB: {advice}",
            value=ratio,
            threshold="min_snr_db",
            detail=f"SNR {ratio:.0f} dB",
        )
    if floor > rule["max_noise_floor_dbfs"]:
        yield rule.finding(
            f"noise floor {number_beside(floor, rule['max_noise_floor_dbfs'])} dBFS, above "
            f"{rule['max_noise_floor_dbfs']:g} dBFS: {advice}",
            value=floor,
            threshold="max_noise_floor_dbfs",
            detail=f"noise floor {floor:.0f} dBFS",
        )


def _is_rumble(measured: Mapping[str, float], ratio: float, least_db: float) -> bool:
    """Whether low-frequency noise alone makes the pauses loud."""
    return ratio < _RUMBLE_SNR_DB and measured.get("rumble_db", 0.0) > least_db


def _rumble(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    measured = analysis.measurements
    rumble, limit = measured.get("rumble_db", 0.0), rule["max_rumble_db"]
    if analysis.can_be_judged and _is_rumble(measured, measured.get("snr_db", float("inf")), limit):
        yield rule.finding(
            f"noise below 45 Hz is {number_beside(rumble, limit, 0)} dB stronger than noise above 90 Hz (limit "
            f"{limit:g} dB), and only {measured['snr_db']:.0f} dB below the voice: turn on the low cut, and use a "
            "shock mount",
            value=rumble,
            threshold="max_rumble_db",
            detail=f"{measured['snr_db']:.0f} dB below the voice",
        )


def _whine(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    measured = analysis.measurements
    # without speech, the tone may be a musical note
    is_judged = analysis.can_be_judged and "speech_level_dbfs" in measured
    if is_judged and measured.get("whine_dbfs", -120.0) > rule["max_whine_dbfs"]:
        level, limit = measured["whine_dbfs"], rule["max_whine_dbfs"]
        yield rule.finding(
            f"a steady tone of {measured['whine_hz']:.0f} Hz at {number_beside(level, limit, 0)} dBFS, above {limit:g} "
            "dBFS: switch off the device that makes it, or move away from it",
            value=level,
            threshold="max_whine_dbfs",
            detail=f"{measured['whine_hz']:.0f} Hz",
        )


def _hum(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    measured = analysis.measurements
    if "hum_db" not in measured or measured["hum_dbfs"] <= rule["max_hum_dbfs"]:
        return
    for name, value, threshold in (
        ("mains hum", measured["hum_db"], "max_hum_db"),
        ("mains buzz", measured.get("buzz_db", 0.0), "max_buzz_db"),
    ):
        if value <= rule[threshold]:
            continue
        yield rule.finding(
            f"{name} at {measured['hum_hz']:.0f} Hz and harmonics: {measured['hum_dbfs']:.0f} dBFS, "
            f"{number_beside(value, rule[threshold])} dB above the surrounding noise (limit {rule[threshold]:g} dB): "
            "check cables, power supplies and dimmers",
            value=value,
            limit=rule[threshold],
            quality=rule.threshold("max_hum_dbfs").grade(measured["hum_dbfs"]),
            detail=f"{measured['hum_dbfs']:.0f} dBFS",
        )
        return


def _reverberant(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    decay, limit = analysis.measurements.get("room_decay_s", 0.0), rule["max_room_decay_s"]
    if decay > limit:
        yield rule.finding(
            f"the room echoes: sound takes {number_beside(decay, limit, 2)} s to decay by 60 dB, above {limit:g} s: "
            "record closer to the microphone, in a room with carpet, curtains and full shelves",
            value=decay,
            threshold="max_room_decay_s",
            detail=f"{decay:.1f} s",
        )


def _is_upsampled(bandwidth: float, facts: Probe) -> bool:
    """Whether the voice ends where 16 kHz end; a low bit rate is the likelier reason where the file has one."""
    rate = facts.bit_rate_bps
    is_low = not facts.codec.startswith("pcm") and rate is not None and rate <= _LOW_BIT_RATE_BPS * facts.channels
    return (_WIDEBAND_LOSSY_HZ if is_low else _WIDEBAND_HZ[0]) < bandwidth < _WIDEBAND_HZ[1]


def _narrow_band(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    bandwidth = analysis.measurements.get("bandwidth_hz", float("inf"))
    if not analysis.can_be_judged or analysis.probe is None:
        return
    possible, detail = analysis.probe.sample_rate_hz / 2, f"nothing above {bandwidth / 1000:.1f} kHz"
    if bandwidth < rule["min_bandwidth_hz"]:
        yield rule.finding(
            f"bandwidth {number_beside(bandwidth, rule['min_bandwidth_hz'], 0)} Hz, below "
            f"{rule['min_bandwidth_hz']:g} Hz (the sample rate allows {possible:.0f} Hz): use the original instead of "
            "a telephone, headset or low-bit-rate recording",
            value=bandwidth,
            threshold="min_bandwidth_hz",
            detail=detail,
        )
    elif (
        bandwidth < rule["min_full_bandwidth_hz"]
        and possible >= _FULL_BAND_HZ
        and not _is_upsampled(bandwidth, analysis.probe)
    ):
        yield rule.finding(
            f"bandwidth {number_beside(bandwidth, rule['min_full_bandwidth_hz'], 0)} Hz, below "
            f"{rule['min_full_bandwidth_hz']:g} Hz (the sample rate allows {possible:.0f} Hz), as with a low bit "
            "rate: use the original if there is one",
            severity="info",
            value=bandwidth,
            threshold="min_full_bandwidth_hz",
            detail=detail,
        )


NOISY = Rule(
    "noisy",
    "warning",
    what="There is noise behind the voice.",
    why="The clone reproduces it. Removing it afterward damages the timbre.",
    source="ACX requires a noise floor below -60 dBFS RMS; so does the strict profile.",
    fix_hint="Record in a quieter room, closer to the microphone. The service can reduce noise (--noise-reduction).",
    judge=_noisy,
    thresholds=(
        Threshold(
            "min_snr_db",
            20.0,
            "Azure's custom neural voice flags recordings below this, and recommends 35 dB.",
            15.0,
            "ASHA's guideline for classrooms: below this, listeners no longer understand every word.",
        ),
        Threshold(
            "max_noise_floor_dbfs",
            -30.0,
            "30 dB above the maximum of ACX.",
            -25.0,
            "Less than 5 dB below the level that ElevenLabs recommends for the voice (-23 to -18 dBFS RMS).",
        ),
    ),
    label="background noise",
)
RUMBLE = Rule(
    "rumble",
    "warning",
    what="There is low-frequency noise, such as from traffic, wind or handling the microphone.",
    why="It takes headroom from the voice, and the clone reproduces it.",
    source="The power between 10 and 45 Hz relative to that between 90 and 1000 Hz, in the quietest tenth of all "
    "half-second windows.",
    fix_hint="Turn on the high-pass filter (low cut) of the microphone or interface, and use a shock mount.",
    judge=_rumble,
    thresholds=(
        Threshold(
            "max_rumble_db",
            0.0,
            "Above this, rumble determines the noise floor. Reported if pauses are less than 25 dB below the voice.",
        ),
    ),
    label="rumble",
)
WHINE = Rule(
    "whine",
    "warning",
    what="There is a steady tone, such as from a fan, a charger or a screen.",
    why="The clone reproduces it.",
    source="A spectral line between 500 and 4000 Hz in four fifths of the quieter 0.2 s windows, which is not a "
    "harmonic of the mains; above 4 kHz, a band of 100 Hz that is 10 dB above its neighbors and steady there.",
    fix_hint="Switch off the device that makes the tone, move away from it, or use battery power.",
    judge=_whine,
    thresholds=(
        Threshold("max_whine_dbfs", -70.0, "10 dB below the noise floor limit of ACX: tones are audible below noise."),
    ),
    label="whine",
)
HUM = Rule(
    "hum",
    "warning",
    what="There is mains hum at 50 or 60 Hz and harmonics.",
    why="The clone reproduces the hum as part of a low voice.",
    source="Spectral lines above the level 6 to 24 Hz away, in the quietest tenth of all half-second windows.",
    fix_hint="Check cables, power supplies and dimmers, use battery power, or run `onetake fix --edit notch-hum`.",
    judge=_hum,
    thresholds=(
        Threshold("max_hum_db", 13.0, "Speech without hum has up to 11 dB: docs/benchmarks.md."),
        Threshold(
            "max_buzz_db",
            5.0,
            "The median of all harmonics up to 900 Hz. Speech without buzz has up to 4 dB: docs/benchmarks.md.",
        ),
        Threshold(
            "max_hum_dbfs",
            -75.0,
            "15 dB below the noise floor limit of ACX: inaudible up to this.",
            -45.0,
            "15 dB above the noise floor limit of ACX: audible under every word.",
        ),
    ),
    label="mains hum",
)
REVERBERANT = Rule(
    "reverberant",
    "warning",
    what="The room reverberates.",
    why="The clone sounds as if it were in that room, and reverberation cannot be removed well.",
    source="The median slope of the decays after words in four octave bands (350 to 5600 Hz), as the time for 60 dB "
    "(ISO 3382-1).",
    fix_hint="Record closer to the microphone, in a room with carpet, curtains and full shelves.",
    judge=_reverberant,
    thresholds=(
        Threshold(
            "max_room_decay_s",
            0.42,
            "Dry speech measures up to 0.3 s, speech in a room with a reverberation time of 0.6 s at least 0.45 s: "
            "docs/benchmarks.md.",
            0.6,
            "The most that ANSI/ASA S12.60 allows for classrooms.",
        ),
    ),
    label="echo of the room",
)
NARROW_BAND = Rule(
    "narrow-band",
    "warning",
    what="The voice has no high frequencies, although the sample rate allows them.",
    why="The clone sounds as dull as its source.",
    source="Telephones reach 3.4 kHz (ITU-T G.712), wideband telephony 7 kHz (G.722).",
    fix_hint="Use the original recording, not one from a telephone or messenger, and not an upsampled one.",
    judge=_narrow_band,
    thresholds=(
        Threshold(
            "min_bandwidth_hz",
            6000.0,
            "Between narrowband (3.4 kHz) and wideband telephony (7 kHz). Opus at 6 and 8 kbit/s and MP3 at 16 kbit/s "
            "end between 4.7 and 5.8 kHz.",
            4000.0,
            "Narrowband telephony, sampled at 8 kHz. Azure's custom neural voice requires at least 16 kHz.",
        ),
        Threshold(
            "min_full_bandwidth_hz",
            9000.0,
            "MP3 at 32 kbit/s and AAC at 24 kbit/s end between 7.3 and 8.6 kHz. The severity is info. Not reported at "
            "sample rates below 21 kHz, or between 7.25 and 8.25 kHz (7.95 and 8.25 kHz in files of at most 40 kbit/s "
            "per channel), where recordings upsampled from 16 kHz end.",
            None,
            "Wideband telephony can be cloned.",
        ),
    ),
    label="dull sound",
)
