"""The HTML page of `onetake check --format html`: collect reports, render them with jinja2 templates, write the file.

Everything that is inserted into the templates is escaped (autoescape). The file is written atomically.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from onetake.console.terminal import safe
from onetake.errors import UsageError
from onetake.io.paths import is_folder
from onetake.render.html.player import AudioSources
from onetake.render.html.table import QUALITIES, VERDICTS, table_context
from onetake.render.html.take import take_context
from preflight.display.report_text import badness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onetake.io.inputs import Take
    from preflight import Profile, Report
    from preflight.analysis.pictures import Pictures

_SUFFIXES: Final = {".html", ".htm"}
_FEW: Final = 3
"""Up to this many recordings are shown unfolded; of more, only the first, which is the worst."""


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


def page(entries: Sequence[Entry], profile: Profile, folder: Path) -> Iterator[str]:
    """Render the page, piece by piece.

    Args:
        entries: The recordings; the page shows the worst first.
        profile: The profile that judged them.
        folder: The folder of the page: links to recordings are relative to it.
    """
    entries = sorted(entries, key=lambda entry: badness(entry.report))
    names = short_names(entries)
    style, script = (
        files("onetake.render.html").joinpath(name).read_text("utf-8") for name in ("style.css", "script.js")
    )
    verdicts = Counter(entry.report.verdict for entry in entries)
    qualities = Counter(entry.report.quality for entry in entries)
    sources, target = AudioSources(folder), target_db(profile)
    few = len(entries) <= _FEW
    takes = (
        take_context(entry, name, number, sources, target, is_open=few or number == 1)
        for number, (entry, name) in enumerate(zip(entries, names, strict=True), start=1)
    )
    yield from (
        environment()
        .get_template("report.html")
        .generate(
            title=names[0] if len(entries) == 1 else f"{len(entries)} takes",
            policy=_policy(style, script),
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            verdict_counts=[(verdict, verdicts[verdict]) for verdict in VERDICTS if verdicts[verdict]],
            quality_counts=[(quality, qualities[quality]) for quality in QUALITIES if qualities[quality]],
            profile=profile.name,
            table=table_context(entries, names) if len(entries) > 1 else None,
            takes=takes,
        )
    )


def target_db(profile: Profile) -> tuple[float, float]:
    """The level range that a profile requires, in dBFS RMS."""
    from preflight import RULES

    quiet, loud = (profile.apply(RULES[name]) for name in ("too-quiet", "too-loud"))
    return quiet["min_rms_dbfs"], loud["max_rms_dbfs"]


def environment() -> Environment:
    """The templates' environment: everything that is inserted is escaped."""
    return Environment(
        loader=PackageLoader("onetake.render.html"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        keep_trailing_newline=True,
    )


def _printable(value: Any) -> Any:
    """Show control and bidirectional characters of every inserted text as escapes."""
    return safe(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _policy(style: str, script: str) -> str:
    """A Content-Security-Policy that loads nothing but audio from files, or from the page's own server."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
        "media-src data: file: 'self'; base-uri 'none'; form-action 'none'"
    )


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
