"""Check a broken recording, and assert what every report guarantees."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import psutil

import preflight
from preflight.batch import check_many
from preflight.worker import pool as workers
from tests.fuzz.recordings import Case

if TYPE_CHECKING:
    from collections.abc import Callable

    from preflight import Report

MOST_S: Final = 10.0
MOST_BYTES: Final = 500_000_000


class Outcome(msgspec.Struct, frozen=True):
    """The result of checking a case.

    Attributes:
        verdict: The verdict of the report.
        unreadable: The message of the rule `unreadable`; empty if the recording was read.
        seconds: The CPU time of the slowest check, in this process and its workers.
        peak_bytes: Peak memory of the worker for this case; None if it has exited, or not on Linux.
    """

    verdict: str
    unreadable: str
    seconds: float
    peak_bytes: int | None

    @property
    def exceeded_limits(self) -> list[str]:
        """The limits that were exceeded."""
        exceeded = [f"it took {self.seconds:.1f} s of CPU time"] if self.seconds > MOST_S else []
        if self.peak_bytes and self.peak_bytes > MOST_BYTES:
            exceeded.append(f"it took {self.peak_bytes / 1e6:.0f} MB")
        return exceeded


def outcome_of(case: Case, folder: Path) -> Outcome:
    """Check a case alone or as one of many, and every eighth case in both ways.

    Raises:
        AssertionError: The report contradicts a guarantee.
    """
    path = folder / f"take{case.ending}"
    path.write_bytes(case.data)
    _forget_peaks()
    reports, times = [], []
    for way in _ways(case.seed):
        begin, earlier = time.process_time(), cpu_seconds()
        reports.append(way(path))
        used = sum(after - earlier.get(pid, 0.0) for pid, after in cpu_seconds().items())
        times.append(time.process_time() - begin + used)
    for report in reports:
        require_sane(report)
    _require_equal(reports)
    first = reports[0]
    unreadable = next((finding.message for finding in first.findings if finding.rule == "unreadable"), "")
    peaks = [peak for pid in decoders() if (peak := peak_bytes(pid)) is not None]
    return Outcome(first.verdict, unreadable, max(times), max(peaks, default=None))


def _alone(path: Path) -> Report:
    return preflight.check(path)


def _of_many(path: Path) -> Report:
    return next(check_many([path], workers=1))


def _by_headers(path: Path) -> Report:
    return preflight.check(path, quick=True)


def _ways(seed: int) -> list[Callable[[Path], Report]]:
    ways = [_alone, _of_many]
    return [*(ways if seed % 8 == 0 else ways[seed % 2 :][:1]), _by_headers]


def require_sane(report: Report) -> None:
    """Assert what every report guarantees."""
    assert report.verdict in ("ready", "fixable", "rejected")
    assert (report.verdict == "ready") == (not report.errors)
    assert all(finding.message and "\n" not in finding.message for finding in report.findings), report.findings
    rules = [finding.rule for finding in report.findings]
    assert "not-examined" not in rules, report.findings  # a bug
    assert rules == ["unreadable"] or "unreadable" not in rules, rules
    assert all(start <= end for finding in report.findings for start, end in finding.spans), report.findings
    # JSON has no NaN: it would not survive the round trip
    assert msgspec.json.decode(msgspec.json.encode(report), type=preflight.Report) == report


def _require_equal(reports: list[Report]) -> None:
    decoded = [report for report in reports if report.method == "decoded"]
    assert all(report == decoded[0] for report in decoded), decoded


def decoders() -> list[int]:
    """The process ids of the idle workers."""
    return [waiting.pid for waiting in workers._free]


def cpu_seconds() -> dict[int, float]:
    """The CPU time of each idle worker, by its process id."""
    times = {}
    for pid in decoders():
        with contextlib.suppress(psutil.NoSuchProcess):
            used = psutil.Process(pid).cpu_times()
            times[pid] = used.user + used.system
    return times


def _forget_peaks() -> None:
    for pid in decoders():
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def peak_bytes(pid: int | None = None) -> int | None:
    """The peak resident memory of a process in bytes; None if it has exited, or not on Linux."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid or os.getpid()}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None
