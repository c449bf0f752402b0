"""Counts of a set of results, and its worst takes."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterable
from itertools import count
from typing import Final

import msgspec

from onetake.results.part_formats import Entry
from preflight.report import Report

_VERDICTS: Final = ("ready", "fixable", "rejected")
_QUALITIES: Final = (None, "good", "fair", "poor")


class Summary(msgspec.Struct, kw_only=True):
    """Counts of recordings.

    Attributes:
        takes: All.
        verdicts: By verdict.
        qualities: By quality; ``unknown`` if it was not measured.
        rules: By rule that reports at least one error or warning about a recording.
        failed: Those that could not be examined.
        bytes: Size of the recordings.
        seconds: Their duration, as far as it is known.
    """

    takes: int = 0
    verdicts: Counter[str] = msgspec.field(default_factory=Counter)
    qualities: Counter[str] = msgspec.field(default_factory=Counter)
    rules: Counter[str] = msgspec.field(default_factory=Counter)
    failed: int = 0
    bytes: int = 0
    seconds: float = 0.0

    def add(self, entry: Entry) -> None:
        """Count a recording."""
        report = entry.report
        self.takes += 1
        self.verdicts[report.verdict] += 1
        self.qualities[report.quality or "unknown"] += 1
        self.rules.update({finding.rule for finding in report.findings if finding.severity != "info"})
        self.failed += entry.is_failed
        self.bytes += report.file.bytes
        self.seconds += report.file.duration_s or 0.0

    def lines(self) -> list[str]:
        """Return the counts as lines of text."""
        hours = f"{self.seconds / 3600:.1f} h, {self.bytes / 1e6:.1f} MB"
        lines = [f"{self.takes} recordings ({hours}), {self.failed} could not be examined"]
        for label, counts in (("verdict", self.verdicts), ("quality", self.qualities), ("rule", self.rules)):
            lines += [f"  {label}  {name:<24} {number}" for name, number in counts.most_common()]
        return lines


def badness(report: Report) -> tuple[int, int, int]:
    """Return a key by which worse recordings are larger: verdict, quality, number of errors and warnings."""
    serious = sum(finding.severity != "info" for finding in report.findings)
    return _VERDICTS.index(report.verdict), _QUALITIES.index(report.quality), serious


def choose(
    entries: Iterable[Entry], worst: int, sample: int, seed: int = 0
) -> tuple[Summary, list[Entry], list[Entry]]:
    """Count recordings, and choose some of them; memory grows only with `worst` and `sample`.

    Args:
        entries: The last entry of each recording.
        worst: How many of the worst to choose, the worst first.
        sample: How many to choose at random from all of them (algorithm R of Waterman, in Knuth's TAOCP 2, 3.4.2).
        seed: The same seed chooses the same sample.

    Returns:
        The counts, the worst, and the sample without those among the worst.
    """
    summary, generator, order = Summary(), random.Random(seed), count()
    heap: list[tuple[tuple[int, int, int], int, Entry]] = []
    chosen: list[Entry] = []
    for entry in entries:
        summary.add(entry)
        if worst:
            item = (badness(entry.report), -next(order), entry)
            heapq.heappush(heap, item) if len(heap) < worst else heapq.heappushpop(heap, item)
        if len(chosen) < sample:
            chosen.append(entry)
        elif sample and (place := generator.randrange(summary.takes)) < sample:
            chosen[place] = entry
    found = [entry for *_, entry in sorted(heap, key=lambda item: item[:2], reverse=True)]
    names = {entry.name for entry in found}
    return summary, found, [entry for entry in chosen if entry.name not in names]
