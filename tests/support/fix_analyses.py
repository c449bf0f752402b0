"""Analyses and reports for unit tests, made without audio."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from preflight.analysis.analysis import Analysis, ChannelFacts
from preflight.media.probe import Probe
from preflight.report import FileFacts, Finding, Report, verdict_of

if TYPE_CHECKING:
    from collections.abc import Iterable


def pauses_every(period_s: float, seconds: float, length_s: float = 1.0) -> tuple[tuple[float, float], ...]:
    """Pauses of `length_s` that end at each multiple of `period_s` before the end."""
    count = math.ceil(seconds / period_s)
    return tuple((number * period_s - length_s, number * period_s) for number in range(1, count))


def speech_between(pauses: Iterable[tuple[float, float]], seconds: float) -> tuple[tuple[float, float], ...]:
    """The spans outside `pauses`."""
    starts, ends = [0.0], []
    for begin, end in pauses:
        ends.append(begin)
        starts.append(end)
    return tuple((start, end) for start, end in zip(starts, [*ends, seconds], strict=True) if end > start)


def analysis_of(
    seconds: float = 60.0,
    *,
    container: str = "wav",
    codec: str = "pcm_s16le",
    rate: int = 48_000,
    channels: int = 1,
    bits: int | None = 16,
    **fields: Any,
) -> Analysis:
    """The analysis of a recording with a pause of one second every ten seconds and speech between them.

    Args:
        seconds: Its length.
        container: Its container.
        codec: Its codec.
        rate: Its sample rate in hertz.
        channels: Its channels.
        bits: Bits per sample; None for lossy codecs.
        fields: Replace fields of `Analysis`, or of `Probe` with a name that begins with ``probe_``.
    """
    probe_fields = {name.removeprefix("probe_"): fields.pop(name) for name in list(fields) if name.startswith("probe_")}
    pauses = fields.pop("pauses", pauses_every(10.0, seconds))
    known: dict[str, Any] = {
        "name": f"take.{container}",
        "suffix": f".{container}",
        "size": round(seconds * 16_000),
        "probe": Probe(container, codec, rate, channels, bits=bits, **probe_fields),
        "decoded_s": seconds,
        "measured_s": seconds,
        "measurements": {"sample_peak_dbfs": -6.0, "true_peak_dbtp": -5.8, "integrated_loudness_lufs": -23.0},
        "speech": speech_between(pauses, seconds),
        "pauses": pauses,
        "channels": ChannelFacts((-20.0,) * channels),
        "frame_s": 0.01,
    }
    return Analysis(**(known | fields))


def report_with(
    analysis: Analysis, errors: Iterable[str] = (), warnings: Iterable[str] = (), unfixable: Iterable[str] = ()
) -> Report:
    """A report of `analysis` with a finding for each rule.

    Args:
        analysis: Of the recording.
        errors: Rules whose errors can be fixed.
        warnings: Rules with warnings.
        unfixable: Rules whose errors cannot be fixed.
    """
    findings = (
        *(Finding(rule=rule, severity="error", message=f"{rule} found", fix="fix it") for rule in errors),
        *(Finding(rule=rule, severity="error", message=f"{rule} found") for rule in unfixable),
        *(Finding(rule=rule, severity="warning", message=f"{rule} found") for rule in warnings),
    )
    facts = analysis.probe or Probe("", "", 0, 0)
    file = FileFacts(
        container=facts.container,
        codec=facts.codec,
        bytes=analysis.size,
        duration_s=analysis.duration_s,
        sample_rate_hz=facts.sample_rate_hz,
        channels=facts.channels,
        bit_rate_bps=None,
        sha256=None,
    )
    return Report(
        path=analysis.name,
        role=analysis.role,
        verdict=verdict_of(findings),
        method=analysis.method,
        file=file,
        measurements=analysis.measurements,
        findings=findings,
    )


def with_measurements(analysis: Analysis, **values: float) -> Analysis:
    """`analysis` with other measurements."""
    return msgspec.structs.replace(analysis, measurements=analysis.measurements | values)
