"""What `check` returns: facts, measurements, findings, verdict."""

from __future__ import annotations

from typing import Literal

import msgspec

Severity = Literal["error", "warning", "info"]
Verdict = Literal["ready", "fixable", "rejected"]
Role = Literal["recording", "prompt"]
Method = Literal["decoded", "headers"]
Span = tuple[float, float]

SCHEMA_VERSION = 1


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is, by its content.

    Attributes:
        container: ``wav``, ``mp3``, ``m4a``, or what else was found: ``ogg``, ``flac``, ``mov``, …; empty
            when nothing was recognised.
        codec: FFmpeg's name for the coding, e.g. ``aac``, ``pcm_s16le``; empty when unknown.
        bytes: Size of the file.
        duration_s: Seconds of sound: decoded, or by the header when ``method`` is ``headers``; None when unknown.
        sample_rate_hz: Samples a second and channel; 0 when unknown.
        channels: Number of channels; 0 when unknown.
        bit_rate_bps: Bits a second of the audio; None when unknown.
        audio_tracks: How many there are.
        audio_track: Which one was examined and is used, counted from 1: the one with the most speech. By headers alone,
            the one that FFmpeg plays.
        sha256: Of the whole file, in hexadecimal; None when only headers were read.
    """

    container: str
    codec: str
    bytes: int
    duration_s: float | None
    sample_rate_hz: int
    channels: int
    bit_rate_bps: int | None
    sha256: str | None
    audio_tracks: int = 1
    audio_track: int = 1


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule says about one take.

    Attributes:
        rule: The rule's name, e.g. ``too-short``.
        severity: ``error`` decides the verdict; ``warning`` and ``info`` do not.
        message: What is the matter, and what to do about it, in one line.
        value: What was measured, in the unit of the limit; None when there is no number.
        limit: What it was held against.
        spans: Where, as (start, end) in seconds.
        fix: What `preflight.fix` does about it; None when it can do nothing.
    """

    rule: str
    severity: Severity
    message: str
    value: float | None = None
    limit: float | None = None
    spans: tuple[Span, ...] = ()
    fix: str | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `check` found out about one take.

    Attributes:
        path: The file's name, fit to be shown: bytes that are no UTF-8 appear escaped. What has no file is called after
            its kind, such as ``<bytes>``.
        role: Whether it was held against the limits of a recording or of a prompt clip.
        verdict: ``ready`` to be sent as it is, ``fixable`` by `preflight.fix`, or ``rejected``.
        method: ``decoded``, or ``headers`` when only these were read.
        file: What the file is.
        measurements: Numbers by name, each with its unit in its name.
        speech: Where somebody speaks, as (start, end) in seconds.
        findings: What the rules say, errors first.
    """

    path: str
    role: Role
    verdict: Verdict
    method: Method
    file: FileFacts
    measurements: dict[str, float]
    speech: tuple[Span, ...] = ()
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep the take from being ready."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from preflight.display.notebook import html_of_report

        return html_of_report(self)


def verdict_of(findings: tuple[Finding, ...]) -> Verdict:
    """``ready`` without errors, ``fixable`` when every error has a fix, else ``rejected``."""
    errors = [finding for finding in findings if finding.severity == "error"]
    if not errors:
        return "ready"
    return "fixable" if all(finding.fix for finding in errors) else "rejected"
