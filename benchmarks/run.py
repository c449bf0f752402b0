"""Measure what the documentation promises, and the peers beside it, in one run.

Usage: ``python benchmarks/run.py`` (or ``make bench``) measures everything and writes docs/benchmarks.md;
``python benchmarks/run.py TOPIC...`` measures these topics only, and prints them; with ``--write`` it also replaces
their sections of the page. `ffmpeg` and `ffprobe` are measured where they are installed; onetake itself does not need
them.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.page import broken, section, updated
from benchmarks.processes import elsewhere_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.table import Table

HERE: Final = Path(__file__).parent
PAGE: Final = HERE.parent / "docs" / "benchmarks.md"
TOPICS: Final = {
    "cpu": "CPU seconds per hour of audio, beside ffmpeg",
    "startup": "start of the command, and a check of 30 s",
    "quick_check": "the quick check of many files, beside ffprobe",
    "speed": "the full check of five minutes, beside ffmpeg, decoding alone and pydub",
    "batch": "a folder of recordings, with one worker and with two",
    "memory": "peak memory of ten minutes and of two hours (Linux)",
    "fix": "a recording that is too long is cut, beside ffmpeg and pydub",
    "clone": "a folder is cloned, beside a sequential script; a large upload beside curl",
    "studio": "a recording is stopped in the studio, until its verdict is there",
    "scale": "objects of a bucket: on one machine and on Dask, and memory over 100,000 names",
    "defects": "defects found and false alarms",
    "speakers": "voices: equal error rate, two speakers found, and CPU time",
}
"""Each is a module here with one function: `tables(folder: Path) -> list[Table]`."""
_QUIET: Final = 0.1
"""Cores that other programs may use before the page mentions it."""


def main() -> None:
    """Measure the topics; write the page when all of them are measured."""
    chosen, is_written = _chosen(sys.argv[1:])
    signal.signal(signal.SIGTERM, _end)
    found = [table for topic in chosen or TOPICS for table in _measured(topic)]
    if is_written:
        PAGE.write_text(updated(PAGE.read_text(encoding="utf-8") if chosen else "", found), encoding="utf-8")
    for promise in broken(found):
        print(f"not kept: {promise}")


def _chosen(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """Return the topics, none for all, and whether the page is written."""
    topics = "\n".join(f"  {topic:12} {what}" for topic, what in TOPICS.items())
    parser = argparse.ArgumentParser(
        description="Measure the topics; without any, measure all and write docs/benchmarks.md.",
        epilog=f"topics:\n{topics}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("topics", nargs="*", metavar="TOPIC")
    parser.add_argument("--write", action="store_true", help="replace the sections of these topics in the page")
    given = parser.parse_args(arguments)
    chosen: list[str] = given.topics
    unknown = [topic for topic in chosen if topic not in TOPICS]
    if unknown:
        parser.error(f"unknown topic {unknown[0]}; the topics are {', '.join(TOPICS)}")
    return chosen, given.write or not chosen


def _end(*_: object) -> None:
    """Exit as after an error: child processes are ended, and temporary files removed."""
    sys.exit(128 + signal.SIGTERM)


def _measured(topic: str) -> list[Table]:
    if not (HERE / f"{topic}.py").exists():
        print(f"{topic}: skipped, benchmarks/{topic}.py is missing\n", flush=True)
        return []
    started_s, before_s = time.monotonic(), elsewhere_s()
    with tempfile.TemporaryDirectory() as folder:
        tables: list[Table] = importlib.import_module(f"benchmarks.{topic}").tables(Path(folder))
    cores = (elsewhere_s() - before_s) / (time.monotonic() - started_s)
    if cores > _QUIET:
        load = f"Other programs used {cores:.1f} cores meanwhile."
        tables = [table._replace(note=f"{table.note} {load}".strip()) for table in tables]
    for table in tables:
        print(section(table), flush=True)
    return tables


if __name__ == "__main__":
    main()
