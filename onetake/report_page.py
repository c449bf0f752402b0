"""Check recordings, and put what was found on one page."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onetake.errors import UsageError
from onetake.render.html.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from preflight import Profile, Report

_ENDINGS: Final = {".html", ".htm"}


class CheckedPage:
    """Gathers recordings as they are checked, then writes the page.

    Args:
        out: The file to be written.
        profile: By which the recordings are judged.

    Raises:
        UsageError: `out` cannot be the name of a page.
    """

    def __init__(self, out: str | None, profile: Profile) -> None:
        if out is None:
            raise UsageError("where to write the page is not said", "add -o report.html")
        self.path = Path(out)
        if self.path.suffix.lower() not in _ENDINGS:
            raise UsageError(f"a page is no {self.path.suffix or 'file without an ending'}", "name it like report.html")
        if not self.path.absolute().parent.is_dir() or self.path.is_dir():
            raise UsageError(f"{out} cannot be a file", "name a file in a folder that exists")
        self._profile = profile
        self._entries: list[Entry] = []

    def check(self, takes: Sequence[str], *, quick: bool, jobs: int | None) -> Generator[Report, None, None]:
        """Check recordings, several at a time, and yield their reports in order."""
        from preflight.batch import illustrate_many

        for take in takes:
            self._require_other(take)
        checks = illustrate_many(takes, quick=quick, profile=self._profile, workers=jobs)
        with contextlib.closing(checks) as found:
            for take, one in zip(takes, found, strict=True):
                self._entries.append(Entry(take, one.report, one.pictures))
                yield one.report

    def check_prompt(self, clip: str, text: str | None, *, quick: bool) -> Report:
        """Check a prompt clip."""
        from preflight.checks import examine

        self._require_other(clip)
        one = examine(clip, role="prompt", prompt_text=text, quick=quick, pictures=True, profile=self._profile)
        self._entries.append(Entry(clip, one.report, one.pictures))
        return one.report

    def write(self) -> None:
        """Write the page; what stood under its name is replaced once all of it is on the disk.

        Raises:
            CannotWrite: The disk is full, or the folder may not be written to; what stood there still does.
        """
        from onetake.io.atomic_write import atomic_write
        from onetake.render.html.page import page
        from preflight import CannotWrite, display_name

        try:
            with atomic_write(self.path) as (file, _):
                for part in page(self._entries, self._profile, self.path.absolute().parent):
                    file.write(part.encode("utf-8", "backslashreplace"))
        except OSError as error:
            reason = (error.strerror or "it failed").lower()
            name = display_name(self.path)
            raise CannotWrite(f"{name} cannot be written: {reason}", "write it elsewhere") from error

    def _require_other(self, take: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self.path.exists() and self.path.samefile(take):
                raise UsageError(f"{take} is to be checked: a page cannot replace it", "name another file with -o")
