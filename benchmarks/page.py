"""The page docs/benchmarks.md, and each of its tables, as Markdown."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.table import Row, Table

_KEPT = {True: "kept", False: "**not kept**", None: "not measured"}


def page(tables: Sequence[Table]) -> str:
    """Return the whole page."""
    start = (
        f"# Benchmarks\n\nWritten by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, PyAV {av.__version__}. Our "
        "figure and the peer's were measured in turn in the same run; trust the ratios more than the figures. Times "
        "are medians of the rounds that other programs disturbed least.\n"
    )
    return "\n".join([start, *map(section, tables), _summary(tables)])


def section(table: Table) -> str:
    """Return one table under its heading."""
    lines = [f"## {table.title}", ""]
    if table.note:
        lines += [table.note, ""]
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


def _summary(tables: Sequence[Table]) -> str:
    verdicts = [row.holds(promise) for table in tables for row in table.rows for promise in row.promises]
    return f"{verdicts.count(True)} of {len(verdicts)} promises are kept.\n"
