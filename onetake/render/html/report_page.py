"""The HTML page of `onetake check --format html`: collects reports, then writes the page atomically."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onetake.errors import UsageError
from onetake.io.paths import is_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onetake.io.inputs import Take
    from preflight import Profile, Report
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
    names = [entry.report.path.removeprefix(f".{os.sep}") for entry in entries]
    try:
        shared = os.path.commonpath({Path(name).parent for name in names}) if names else ""
    except ValueError:  # some are absolute, some not
        return names
    return [os.path.relpath(name, shared) if shared.strip(os.sep) else name for name in names]


_SUFFIXES: Final = {".html", ".htm"}


class ReportPage:
    """A page with the reports of a run.

    Args:
        out: The output file.
        profile: The profile of the run.
        inputs: All inputs: the page plays them, and must not replace one.

    Attributes:
        path: The output file.

    Raises:
        UsageError: `out` is missing or not a valid output file, or an input is standard input.
    """

    def __init__(self, out: str | None, profile: Profile, inputs: Sequence[Take]) -> None:
        if out is None:
            raise UsageError("--format html needs an output file", "add -o report.html")
        self.path = Path(out)
        if self.path.suffix.lower() not in _SUFFIXES:
            raise UsageError(f"{out} does not end in .html or .htm", "choose a name like report.html")
        if not is_folder(self.path.absolute().parent) or is_folder(self.path):
            raise UsageError(f"{out} is a folder, or in a folder that does not exist", "choose another output file")
        for take in inputs:
            self._require_valid_input(take)
        self._profile = profile
        self._entries: list[Entry] = []

    def add(self, take: Take, report: Report, pictures: Pictures | None) -> None:
        """Add a recording or a prompt clip."""
        self._entries.append(Entry(str(take), report, pictures))

    def write(self) -> None:
        """Write the page. An existing page is replaced when the new one is complete and on disk.

        Raises:
            CannotWrite: The disk is full, or the folder is not writable; an existing page is unchanged.
        """
        from onetake.io.atomic_write import atomic_write
        from onetake.render.html.page import page
        from preflight import CannotWrite, display_name

        try:
            with atomic_write(self.path) as (file, _):
                for part in page(self._entries, self._profile, self.path.absolute().parent):
                    file.write(part.encode("utf-8", "backslashreplace"))
        except OSError as error:
            reason = (error.strerror or "unknown error").lower()
            name = display_name(self.path)
            raise CannotWrite(f"{name} cannot be written: {reason}", "write it elsewhere") from error

    def _require_valid_input(self, take: Take) -> None:
        if not isinstance(take, str):
            raise UsageError(
                "a page plays files, not standard input or objects in a bucket", "name a file on this machine"
            )
        with contextlib.suppress(OSError, ValueError):  # an input that does not exist gets a finding
            if self.path.exists() and self.path.samefile(take):
                raise UsageError(f"{take} is an input: the page must not replace it", "choose another output file")
