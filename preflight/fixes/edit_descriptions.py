"""Descriptions of the changes to a recording, as plans and results list them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from preflight.display.text import clock
from preflight.fixes.options import EDIT_KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from preflight.fixes.encoding_target import Target
    from preflight.fixes.options import Container
    from preflight.media.probe import Probe
    from preflight.report import Span

MAX_GAIN_DBTP: Final = -3.0
"""The highest true peak after an upward gain: ACX's limit. Lossy encoders and players add overshoot."""
HEADROOM_DBTP: Final = -1.0
"""The target for peaks that would clip otherwise: the maximum true peak level of EBU R 128."""
HIGH_PASS_HZ: Final = 80.0
"""Below the fundamental of the lowest speaking voices; the usual low cut of speech recorders and mixers."""


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """One change.

    Attributes:
        name: Its kind, e.g. ``cut``, ``rewrap``, ``convert``, ``loudness``.
        rule: The finding that it fixes; empty if it was requested or another edit needs it.
        what: A description.
        safe: Whether nothing audible is lost.
        seconds: Change of the duration.
        db: Change of the level; None if it has to be measured first.
        bytes: Approximate change of the file size.
    """

    name: str
    rule: str
    what: str
    safe: bool
    seconds: float = 0.0
    db: float | None = 0.0
    bytes: int = 0


@dataclass(frozen=True)
class DspSettings:
    """Processing between decoder and encoder; see `preflight.fixes.dsp`.

    Attributes:
        invert: Invert the second of two channels.
        remove_dc: Subtract the mean of each channel.
        high_pass_hz: Corner of the high-pass filter; None for no filter.
        hum_hz: Mains frequency, which is filtered out with its harmonics; None for no filter.
        pauses: Spans of the decoded audio to remove from long pauses.
        loudness_lufs: Target for the integrated loudness; None to leave it unchanged.
        limit: Limit peaks if the target needs it.
        gain_db: A gain that keeps peaks below full scale; 0 for none.
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
    def changes_samples(self) -> bool:
        """Whether samples get other values."""
        return self.invert or self.filters or self.gain_db != 0 or self.loudness_lufs is not None

    @property
    def filters(self) -> bool:
        """Whether the waveform changes its shape, so that its peaks have to be measured again."""
        return self.remove_dc or self.high_pass_hz is not None or self.hum_hz is not None


NO_DSP: Final = DspSettings()


def cut_edit(window: Span, seconds: float, rule: str, reason: str, *, is_safe: bool = False) -> Edit:
    """Return the edit that keeps `window` of a recording of `seconds`."""
    what = f"keep {clock(window[0])} to {clock(window[1])} of {clock(seconds)}, {reason}"
    name = "trim-silence" if rule == "edge-silence" else "cut"
    return Edit(name=name, rule=rule, what=what, safe=is_safe, seconds=round(window[1] - window[0] - seconds, 3))


def dsp_edits(settings: DspSettings, measurements: Mapping[str, float]) -> list[Edit]:
    """Return an edit for each step of the processing.

    Args:
        settings: The processing.
        measurements: Of the recording.
    """
    used = {
        "fix-polarity": settings.invert,
        "remove-dc": settings.remove_dc,
        "high-pass": settings.high_pass_hz is not None,
        "notch-hum": settings.hum_hz is not None,
        "shorten-pauses": bool(settings.pauses),
    }
    removed_s = round(sum(end - start for start, end in settings.pauses), 3)
    edits = [
        Edit(
            name=name,
            rule=next(iter(EDIT_KINDS[name].rules), ""),
            what=EDIT_KINDS[name].description,
            safe=EDIT_KINDS[name].is_safe,
            seconds=-removed_s if name == "shorten-pauses" else 0.0,
        )
        for name, is_used in used.items()
        if is_used
    ]
    if settings.loudness_lufs is not None:
        edits.append(_loudness_edit(measurements, settings.loudness_lufs, limit=settings.limit))
    return edits


def _loudness_edit(measurements: Mapping[str, float], lufs: float, *, limit: bool) -> Edit:
    """Return the edit for a target loudness, estimated from the measurements of the whole unprocessed recording."""
    measured, peak = measurements.get("integrated_loudness_lufs"), measurements.get("true_peak_dbtp")
    what, gain_db = f"normalize the loudness to {lufs:g} LUFS", None
    if measured is not None and peak is not None:
        gain_db = round(lufs - measured, 1)
        # estimates before other edits: removing hum or an offset changes both values a little
        max_gain_db = round(MAX_GAIN_DBTP - peak, 1)
        if limit:
            what += f", and limit peaks at {MAX_GAIN_DBTP:g} dBTP"
        elif gain_db > max_gain_db:
            gain_db = max_gain_db
            what = (
                f"raise the loudness to {measured + max_gain_db:.1f} LUFS: "
                f"{lufs:g} LUFS would bring a peak above {MAX_GAIN_DBTP:g} dBTP (use --limit)"
            )
    return Edit(name="loudness", rule="", what=what, safe=False, db=gain_db)


def scale_edit(scale: float) -> Edit:
    """Return the edit for floating-point samples that are divided by their own full scale."""
    db = -20 * math.log10(scale)
    return Edit(name="scale", rule="float-scale", what=f"divide the samples by {scale:.7g}", safe=True, db=round(db, 2))


def gain_edit(gain_db: float, peak_db: float, rule: str = "") -> Edit:
    """Return the edit for a gain that keeps a peak at `peak_db` from clipping; `rule` is the finding it fixes."""
    what = f"lower the level by {-gain_db:.1f} dB: a peak at {peak_db:+.1f} dB would clip at full scale"
    return Edit(name="gain", rule=rule, what=what, safe=True, db=round(gain_db, 2))


def remux_edit(facts: Probe, container: Container, rule: str, *, size_change: int) -> Edit:
    """Return the edit for encoded audio that is copied into a new file."""
    what = f"copy the {facts.codec.upper()} audio unchanged into a new {container.upper()}{_track(facts, ' ({})')}"
    return Edit(name="rewrap", rule=rule, what=what, safe=True, bytes=size_change)


def encoding_edits(
    facts: Probe,
    container: Container,
    target: Target,
    found: frozenset[str],
    *,
    size_change: int,
) -> list[Edit]:
    """Return the edits for decoding and encoding a recording: downmix, resampling and the encoding itself.

    Args:
        facts: Of the recording.
        container: Container to write.
        target: Encoding of the result.
        found: The rules with findings.
        size_change: Bytes by which the file grows.
    """
    edits = []
    if target.downmix:
        edits.append(_downmix_edit(facts.channels, target.downmix, found))
    if target.sample_rate_hz != facts.sample_rate_hz:
        what = f"resample from {facts.sample_rate_hz} Hz to {target.sample_rate_hz} Hz"
        # nothing is lost upwards; downwards everything above the new Nyquist frequency is
        is_upward = target.sample_rate_hz > facts.sample_rate_hz
        edits.append(Edit(name="resample", rule="", what=what, safe=is_upward))
    most = "at most " if container == "m4a" else ""  # FFmpeg's AAC encoder needs less for low sample rates
    bit_rate = f"{most}{target.bit_rate_bps // 1000} kbit/s"
    encoding = target.sample_format if container == "wav" else f"{bit_rate}, encoded once"
    # the finding that made a new file necessary, if it is one of these
    rule = next((rule for rule in ("unsupported-format", "too-large", "header-mismatch") if rule in found), "")
    what = f"write {container.upper()} ({encoding}){_track(facts, ' from {}')}"
    # what the processing before it changes is marked at its own edits
    edits.append(Edit(name="convert", rule=rule, what=what, safe=container == "wav", bytes=size_change))
    return edits


def _downmix_edit(channels: int, weights: tuple[float, ...], found: frozenset[str]) -> Edit:
    rule = next((rule for rule in ("too-many-channels", *EDIT_KINDS["mono"].rules) if rule in found), "")
    # people count channels from 1
    kept = [number for number, weight in enumerate(weights, 1) if weight]
    what = f"downmix {channels} channels to mono"
    if len(kept) == 1:
        what = f"keep channel {kept[0]} of {channels}, which has the voice"
    return Edit(name="fold-down", rule=rule, what=what, safe=rule == "false-stereo")


def _track(facts: Probe, form: str) -> str:
    """Return which audio track is used, if there are several."""
    return form.format(f"audio track {facts.audio_track + 1} of {facts.audio_tracks}") if facts.audio_tracks > 1 else ""
