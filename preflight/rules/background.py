"""Rules about what is heard beside the voice, and how much of the voice is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.rules.model import Rule, Subject, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.report import Finding


def _noisy(rule: Rule, subject: Subject) -> Iterator[Finding]:
    measured = subject.measurements
    if "snr_db" not in measured:
        return
    floor, ratio = measured["noise_floor_dbfs"], measured["snr_db"]
    advice = "record in a quieter room, and nearer to the microphone"
    if ratio < rule["min_snr_db"]:
        yield rule.finding(
            f"the voice is only {ratio:.0f} dB above the noise: {advice}", value=ratio, limit=rule["min_snr_db"]
        )
    elif floor > rule["max_noise_floor_dbfs"]:
        yield rule.finding(
            f"the noise between the words has {floor:.0f} dBFS: {advice}",
            value=floor,
            limit=rule["max_noise_floor_dbfs"],
        )


def _gated(rule: Rule, subject: Subject) -> Iterator[Finding]:
    measured = subject.measurements
    percent = measured.get("digital_silence_percent", 0.0)
    if percent > rule["max_digital_silence_percent"]:
        yield rule.finding(
            f"between the words there is digital silence ({percent:.0f} %), where a microphone would hear the room: "
            "a gate or noise reduction has been at work, or the voice is synthetic; the noise floor says nothing",
            value=percent,
            limit=rule["max_digital_silence_percent"],
        )


def _hum(rule: Rule, subject: Subject) -> Iterator[Finding]:
    measured = subject.measurements
    if "hum_db" not in measured or measured["hum_dbfs"] < rule["min_hum_dbfs"]:
        return
    if measured["hum_db"] > rule["max_hum_db"]:
        yield rule.finding(
            f"it hums at {measured['hum_hz']:.0f} Hz and its multiples ({measured['hum_dbfs']:.0f} dBFS, "
            f"{measured['hum_db']:.0f} dB above the rest): look for a bad cable, a power supply or a dimmer nearby",
            value=measured["hum_db"],
            limit=rule["max_hum_db"],
        )


def _narrow_band(rule: Rule, subject: Subject) -> Iterator[Finding]:
    measured = subject.measurements
    if not subject.can_be_judged or measured.get("bandwidth_hz", float("inf")) >= rule["min_bandwidth_hz"]:
        return
    rate = subject.probe.sample_rate_hz if subject.probe else 0
    yield rule.finding(
        f"the voice reaches only up to {measured['bandwidth_hz'] / 1000:.1f} kHz, although the file could hold "
        f"{rate / 2000:.0f} kHz: it comes from a telephone, a headset or a low bit rate; use the original",
        value=measured["bandwidth_hz"],
        limit=rule["min_bandwidth_hz"],
    )


NOISY = Rule(
    "noisy",
    "warning",
    what="Noise is heard behind the voice.",
    why="It is cloned with the voice. Removing it afterwards damages the timbre.",
    source="ACX asks for a noise floor of at most -60 dBFS RMS; the strict profile does too.",
    mend="Record in a quieter room, nearer to the microphone. The endpoint can reduce noise (--noise-reduction).",
    judge=_noisy,
    thresholds=(
        Threshold("min_snr_db", 20.0, "Below, noise is heard in every pause; the detector stays right down to 5 dB."),
        Threshold("max_noise_floor_dbfs", -30.0, "30 dB above what ACX accepts."),
    ),
)
GATED = Rule(
    "gated",
    "info",
    what="Between the words there is digital silence.",
    why="A naive noise measurement is deceived by it, and a gate also eats the ends of words.",
    source="Frames below -95 dBFS, the last bit of 16-bit audio, of all frames without speech.",
    mend="Record without a gate or noise reduction.",
    judge=_gated,
    thresholds=(Threshold("max_digital_silence_percent", 50.0, "More of it silence than room."),),
)
HUM = Rule(
    "hum",
    "warning",
    what="The mains hums in the recording, at 50 or 60 Hz and their multiples.",
    why="A clone learns the hum as part of a low voice.",
    source="Lines that stand out of their neighbourhood (6 to 24 Hz away) in the quietest quarter of the seconds.",
    mend="Look for a bad cable, a power supply or a dimmer nearby; run the laptop on its battery.",
    judge=_hum,
    thresholds=(
        Threshold("max_hum_db", 15.0, "Clean and noisy speech has up to 11 dB: docs/benchmarks.md."),
        Threshold("min_hum_dbfs", -75.0, "15 dB below the noise floor that ACX accepts: not heard."),
    ),
)
NARROW_BAND = Rule(
    "narrow-band",
    "warning",
    what="The voice has no high frequencies, whatever the sample rate says.",
    why="A clone sounds as dull as its source.",
    source="Telephones reach 3.4 kHz (ITU-T G.712), wide-band telephony 7 kHz (G.722).",
    mend="Use the original recording, not a telephone's, a messenger's or one that was sampled up.",
    judge=_narrow_band,
    thresholds=(Threshold("min_bandwidth_hz", 5000.0, "Between the two kinds of telephony."),),
)
