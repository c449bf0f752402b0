"""The report that `check` returns: file facts, measurements, findings, verdict."""

from __future__ import annotations

from typing import Literal

import msgspec

Severity = Literal["error", "warning", "info"]
Verdict = Literal["ready", "fixable", "rejected"]
Quality = Literal["good", "fair", "poor"]
Role = Literal["recording", "prompt", "room"]
Method = Literal["decoded", "headers"]
Span = tuple[float, float]

SCHEMA_VERSION = 1


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The format and size of a file, determined from its content.

    Attributes:
        container: ``wav``, ``mp3``, ``m4a`` or another format: ``ogg``, ``flac``, ``mov``, …; empty if unknown.
        codec: FFmpeg's name of the codec, e.g. ``aac``, ``pcm_s16le``; empty if unknown.
        bytes: The size of the file.
        duration_s: The duration in seconds: decoded, or from the header if ``method`` is ``headers``; None if unknown.
        sample_rate_hz: The sample rate in hertz; 0 if unknown.
        channels: The number of channels; 0 if unknown.
        bit_rate_bps: The bit rate of the audio in bits per second; None if unknown.
        audio_tracks: The number of audio tracks.
        audio_track: The track that was analyzed, counted from 1: the one with the most speech. If only the headers
            were read, the one that FFmpeg plays by default.
        sha256: The SHA-256 of the file in hexadecimal; None if only the headers were read.
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


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """Where a recording came from that is not a local file.

    Attributes:
        etag: The entity tag of the object; it changes with the content.
        bytes: The size of the object.
        fetched_bytes: How many bytes were fetched: fewer if only the headers were read.
    """

    etag: str
    bytes: int
    fetched_bytes: int


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A problem that a rule reports about a recording.

    Attributes:
        rule: The name of the rule, e.g. ``too-short``.
        severity: ``error`` affects the verdict; ``warning`` and ``info`` do not.
        message: What is wrong and what to do about it, in one line.
        value: The measured value in the unit of the limit; None if there is none.
        limit: The limit that the value was compared with.
        spans: Where the problem is, as (start, end) in seconds.
        fix: The name of the edit with which `preflight.fix` fixes it; None if it cannot.
        quality: The quality of the recording by this finding alone, ``fair`` or ``poor``; None if the finding is about
            the file or the contract rather than the sound.
        summary: The problem in a few words, such as ``clipped (16 % of the samples)``.
    """

    rule: str
    severity: Severity
    message: str
    value: float | None = None
    limit: float | None = None
    spans: tuple[Span, ...] = ()
    fix: str | None = None
    quality: Literal["fair", "poor"] | None = None
    summary: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of checking one recording.

    Attributes:
        path: The path for display, with bytes that are not valid UTF-8 escaped; for a recording without a file its
            kind, such as ``<bytes>``.
        role: Whether the limits of a recording, of a prompt clip or of a room check applied.
        verdict: Whether the service would accept it: ``ready`` to be sent unchanged, ``fixable`` by `preflight.fix`, or
            ``rejected``.
        quality: Whether you would want its clone: the worst quality of the findings, ``good`` if there is none; None if
            the sound was not measured.
        method: ``decoded``, or ``headers`` if only the headers were read.
        file: The format and size of the file.
        measurements: The measurements by name; each name ends with the unit.
        judged: The part that was measured and judged, as (start, end) in seconds: what `preflight.fix` would keep of a
            recording that is too long; None for all of it.
        speech: The speech segments, as (start, end) in seconds.
        findings: The findings, errors first.
        not_checked: The rules that were not applied because a profile has to ask for them: ``several-speakers``.
        remote: The object that was checked, if it is in a bucket; else unset, and absent from JSON.
    """

    path: str
    role: Role
    verdict: Verdict
    quality: Quality | None = None
    method: Method
    file: FileFacts
    measurements: dict[str, float]
    judged: Span | None = None
    speech: tuple[Span, ...] = ()
    findings: tuple[Finding, ...]
    not_checked: tuple[str, ...] = ()
    remote: Remote | msgspec.UnsetType = msgspec.UNSET

    @property
    def worst_finding(self) -> Finding | None:
        """The finding that says most about the recording: an error, else one that determines the quality."""
        graded = [finding for finding in self.findings if finding.quality and finding.quality == self.quality]
        return self.deciding_error or next(iter(graded), None)

    @property
    def deciding_error(self) -> Finding | None:
        """The error that decides the verdict: the first one that cannot be fixed, else the first one."""
        return min(self.errors, key=lambda finding: finding.fix is not None, default=None)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that make the verdict ``fixable`` or ``rejected``."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def _repr_html_(self) -> str:
        """Return the HTML that a notebook displays."""
        # imported here: a report does not need the display, and most programs never show one in a notebook
        from preflight.display.notebook import html_of_report

        return html_of_report(self)


def worst_quality(findings: tuple[Finding, ...]) -> Quality:
    """Return the worst quality of the findings, ``good`` if none has one."""
    found = {finding.quality for finding in findings}
    return "poor" if "poor" in found else "fair" if "fair" in found else "good"


def verdict_of(findings: tuple[Finding, ...]) -> Verdict:
    """Return ``ready`` without errors, ``fixable`` if every error has a fix, else ``rejected``."""
    errors = [finding for finding in findings if finding.severity == "error"]
    if not errors:
        return "ready"
    return "fixable" if all(finding.fix for finding in errors) else "rejected"
