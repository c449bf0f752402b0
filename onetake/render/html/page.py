"""The report page: jinja2 templates with autoescape, filled from entries."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from onetake.console.terminal import safe
from onetake.render.html.player import AudioSources
from onetake.render.html.report_page import short_names
from onetake.render.html.table import QUALITIES, VERDICTS, table_context
from onetake.render.html.take import take_context
from preflight.display.words import badness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from onetake.render.html.report_page import Entry
    from preflight import Profile

_FEW: Final = 3
"""Up to this many recordings are shown unfolded; of more, only the first, which is the worst."""


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
