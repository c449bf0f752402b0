"""One recording on the report page."""

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
        path: The path as given, so that it can be opened.
        report: Its report.
        pictures: Its waveform, spectrogram and loudness; None if it was not decoded.
    """

    path: str
    report: Report
    pictures: Pictures | None

    @property
    def duration_s(self) -> float:
        """Duration in seconds; 0 if it is unknown."""
        return self.report.file.duration_s or 0.0


def short_names(entries: Sequence[Entry]) -> list[str]:
    """The paths of the entries relative to the folder that contains all of them."""
    names = [entry.report.path for entry in entries]
    try:
        shared = os.path.commonpath({Path(name).parent for name in names}) if names else ""
    except ValueError:  # some are absolute, some not
        return names
    return [os.path.relpath(name, shared) if shared.strip(os.sep) else name for name in names]
