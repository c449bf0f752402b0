"""What the page shows of one recording."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from preflight import Report
    from preflight.analysis.pictures import Pictures


@dataclass(frozen=True)
class Entry:
    """One recording.

    Attributes:
        path: As it was given, so that it can be opened.
        report: What the check said.
        pictures: What can be drawn of it.
    """

    path: str
    report: Report
    pictures: Pictures | None

    @property
    def duration_s(self) -> float:
        """Seconds of sound; 0 where none is known."""
        return self.report.file.duration_s or 0.0


def short_names(entries: Sequence[Entry]) -> list[str]:
    """The entries' names without the folder that all of them are in."""
    names = [entry.report.path for entry in entries]
    try:
        shared = os.path.commonpath({Path(name).parent for name in names}) if names else ""
    except ValueError:  # some are absolute, some not
        return names
    return [os.path.relpath(name, shared) if shared.strip(os.sep) else name for name in names]
