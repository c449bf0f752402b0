"""Reports made by hand, for tests of what is printed."""

from __future__ import annotations

from preflight import Finding, Report
from preflight.report import FileFacts, Role, verdict_of, worst_quality


def make_report(path: str, *findings: Finding, role: Role = "recording", **measurements: float) -> Report:
    """A report of a recording of twelve seconds with the given findings and measurements."""
    return Report(
        path=path,
        role=role,
        verdict=verdict_of(findings),
        quality=worst_quality(findings),
        method="decoded",
        file=FileFacts(
            container="wav",
            codec="pcm_s16le",
            bytes=529_244,
            duration_s=12.0,
            sample_rate_hz=22_050,
            channels=1,
            bit_rate_bps=352_800,
            sha256=None,
        ),
        measurements=measurements,
        findings=findings,
    )
