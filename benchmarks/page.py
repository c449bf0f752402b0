"""The page docs/benchmarks.md, and each of its tables, as Markdown."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.table import Row, Table

_KEPT = {True: "kept", False: "**not kept**", None: "not measured"}


_START = """\
# Benchmarks

Written by `make bench`. Our figure and the peer's were measured in turn in the same run; trust the ratios more than the
figures. Times are medians of the rounds that other programs disturbed least.

"""
_SUMMARY = re.compile(r"^\d+ of \d+ promises are kept\.\n", re.MULTILINE)


def updated(page: str, tables: Sequence[Table]) -> str:
    """Return a page, which may be empty, with the sections of these tables replaced, or appended."""
    sections = {part.partition("\n")[0]: part for part in re.split(r"^(?=## )", page, flags=re.MULTILINE)[1:]}
    for table in tables:
        sections[f"## {table.title}"] = section(table) + "\n"
    text = _SUMMARY.sub("", _START + "".join(sections.values())).rstrip("\n")
    kept, missed = (text.count(f": {_KEPT[is_kept]}") for is_kept in (True, False))
    return f"{text}\n\n{kept} of {kept + missed} promises are kept.\n"


def section(table: Table) -> str:
    """Return one table under its heading."""
    machine = (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, PyAV {av.__version__}{_ffmpeg()}."
    )
    lines = [f"## {table.title}", "", f"{table.note} {machine}".strip(), ""]
    if table.rows:
        lines.append(f"| what | ours, {table.unit} | peer | peer, {table.unit} | ours / peer | promised |")
        lines.append("|---|---|---|---|---|---|")
        lines += [_line(row) for row in table.rows]
        lines.append("")
    return "\n".join(lines)


def broken(tables: Sequence[Table]) -> Iterator[str]:
    """Yield a line for each promise that is not kept."""
    for table in tables:
        for row in table.rows:
            for promise in row.promises:
                if row.holds(promise) is False:
                    yield f"{table.title}: {row.what}: {promise.words}"


def _line(row: Row) -> str:
    missing = "not installed" if row.peer else ""
    peers = missing if row.peers is None else _figure(row.peers)
    ratio = "" if row.ratio is None else f"{row.ratio:.3f}"
    promises = "; ".join(f"{promise.words}: {_KEPT[row.holds(promise)]}" for promise in row.promises)
    return f"| {row.what} | {_figure(row.ours)} | {row.peer} | {peers} | {ratio} | {promises} |"


def _figure(value: float) -> str:
    """Return a figure with as many digits as are significant."""
    return f"{value:.2f}" if value < 10 else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def _ffmpeg() -> str:
    if not shutil.which("ffmpeg"):
        return ""
    version = subprocess.run(["ffmpeg", "-version"], check=True, capture_output=True, text=True).stdout.split()[2]
    return f", FFmpeg {version}"
