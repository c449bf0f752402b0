"""Each change to a recording, as it is told before it is made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from preflight.display.text import clock
from preflight.fixes.options import KINDS

if TYPE_CHECKING:
    from preflight.checks import Examination
    from preflight.fixes.codec_targets import Target
    from preflight.fixes.options import Container
    from preflight.media.probe import Probe
    from preflight.report import Span

HIGHEST_DBTP: Final = -3.0
"""What a gain leaves of peaks: ACX's limit; coders and players add some."""
HEADROOM_DBTP: Final = -1.0
"""Where a gain brings peaks that would clip otherwise: the maximum true peak of EBU R 128."""
HIGH_PASS_HZ: Final = 80.0
"""Below the lowest speaking voice; speech recorders and mixers cut there."""


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """One change.

    Attributes:
        name: What it is, e.g. ``cut``, ``rewrap``, ``convert``, ``loudness``.
        rule: The finding that it answers; empty where it was asked for, or where another edit needs it.
        what: The change, in words.
        safe: Whether nothing audible is lost.
        seconds: By how much the recording gets longer.
        db: By how much it gets louder; None when that shows only when it is measured.
        bytes: By how much the file grows, about.
    """

    name: str
    rule: str
    what: str
    safe: bool
    seconds: float = 0.0
    db: float | None = 0.0
    bytes: int = 0


@dataclass(frozen=True)
class SoundEdits:
    """What is computed on the way from decoder to encoder.

    Attributes:
        invert: Whether the second of two channels is inverted.
        remove_dc: Whether the mean of each channel is taken away.
        high_pass_hz: Below this, sound is taken out; None for nothing.
        hum_hz: The mains whose lines are taken out; None for none.
        pauses: What is cut out of long pauses, as spans of the decoded sound.
        loudness_lufs: What it is brought to; None to leave it.
        limit: Whether peaks may be limited for that.
        gain_db: One gain for everything, so that no peak is cut off; 0 for none.
    """

    invert: bool = False
    remove_dc: bool = False
    high_pass_hz: float | None = None
    hum_hz: float | None = None
    pauses: tuple[Span, ...] = ()
    loudness_lufs: float | None = None
    limit: bool = False
    gain_db: float = 0.0

    @property
    def computes(self) -> bool:
        """Whether samples get other values."""
        return self.invert or self.filters or self.gain_db != 0 or self.loudness_lufs is not None

    @property
    def filters(self) -> bool:
        """Whether the shape of the wave changes, so that its peaks are not known before it is computed."""
        return self.remove_dc or self.high_pass_hz is not None or self.hum_hz is not None


UNCHANGED: Final = SoundEdits()


def cut_edit(window: Span, seconds: float, rule: str, where: str, *, is_safe: bool = False) -> Edit:
    """What `window` of `seconds` leaves out."""
    what = f"keep {clock(window[0])} to {clock(window[1])} of {clock(seconds)}, {where}"
    name = "trim-silence" if rule == "edge-silence" else "cut"
    return Edit(name=name, rule=rule, what=what, safe=is_safe, seconds=round(window[1] - window[0] - seconds, 3))


def edits_of_sound(examination: Examination, sound: SoundEdits) -> list[Edit]:
    """What is computed."""
    names = {
        "fix-polarity": sound.invert,
        "remove-dc": sound.remove_dc,
        "high-pass": sound.high_pass_hz is not None,
        "notch-hum": sound.hum_hz is not None,
        "shorten-pauses": bool(sound.pauses),
    }
    lost = -round(sum(end - start for start, end in sound.pauses), 3)
    edits = [
        Edit(
            name=name,
            rule=next(iter(KINDS[name].rules), ""),
            what=KINDS[name].what,
            safe=KINDS[name].is_safe,
            seconds=lost if name == "shorten-pauses" else 0.0,
        )
        for name, is_made in names.items()
        if is_made
    ]
    if sound.loudness_lufs is not None:
        edits.append(_edit_of_loudness(examination, sound.loudness_lufs, limit=sound.limit))
    return edits


def _edit_of_loudness(examination: Examination, lufs: float, *, limit: bool) -> Edit:
    """What a loudness takes, by what is measured of the whole recording, before anything else is done to it."""
    measured = examination.report.measurements
    now, peak = measured.get("integrated_loudness_lufs"), measured.get("true_peak_dbtp")
    what, away = f"bring it to {lufs:g} LUFS", None
    if now is not None and peak is not None:
        away = round(lufs - now, 1)
        most = round(HIGHEST_DBTP - peak, 1)
        if limit:
            what += f", and limit peaks at {HIGHEST_DBTP:g} dBTP"
        elif away > most:
            away, what = (
                most,
                f"bring it to {now + most:.1f} LUFS: for {lufs:g} a peak would lie above -3 dBTP (--limit)",
            )
    return Edit(name="loudness", rule="", what=what, safe=False, db=away)


def scale_edit(scale: float) -> Edit:
    """Floating-point samples divided by their full scale."""
    db = -20 * math.log10(scale)
    return Edit(name="scale", rule="float-scale", what=f"divide the samples by {scale:.7g}", safe=True, db=round(db, 2))


def gain_edit(gain_db: float, peak_db: float) -> Edit:
    """One gain for everything, because a peak at `peak_db` would be cut off otherwise."""
    what = f"lower the level by {-gain_db:.1f} dB: a peak at {peak_db:+.1f} dB would be cut off at full scale"
    return Edit(name="gain", rule="", what=what, safe=True, db=round(gain_db, 2))


def edits_of_coding(
    facts: Probe, container: Container, target: Target, sound: SoundEdits, found: frozenset[str], *, grows: int
) -> list[Edit]:
    """How it is coded anew; `found` are the rules that found something, and the file `grows` by so many bytes."""
    edits = []
    if target.fold:
        rules = ("too-many-channels", *KINDS["mono"].rules)
        rule = next((rule for rule in rules if rule in found), "")
        kept = [number for number, weight in enumerate(target.fold, 1) if weight]
        what = f"fold {facts.channels} channels down to one"
        if len(kept) == 1:
            what = f"keep channel {kept[0]} of {facts.channels}, which carries the voice"
        edits.append(Edit(name="fold-down", rule=rule, what=what, safe=rule == "false-stereo"))
    if target.sample_rate_hz != facts.sample_rate_hz:
        what = f"resample {facts.sample_rate_hz} Hz to {target.sample_rate_hz} Hz"
        is_lossless = target.sample_rate_hz > facts.sample_rate_hz
        edits.append(Edit(name="resample", rule="", what=what, safe=is_lossless))
    coding = f"{target.bits}-bit PCM" if container == "wav" else f"{target.bit_rate_bps // 1000} kbit/s, coded once"
    rule = next((rule for rule in ("unsupported-format", "too-large", "header-mismatch") if rule in found), "")
    track = f" from audio track {facts.audio_track + 1} of {facts.audio_tracks}" if facts.audio_tracks > 1 else ""
    what = f"write {container.upper()} ({coding}){track}"
    is_exact = container == "wav" and not sound.computes
    edits.append(Edit(name="convert", rule=rule, what=what, safe=is_exact, bytes=grows))
    return edits
