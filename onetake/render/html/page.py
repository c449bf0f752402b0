"""The page as a whole."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from onetake.render.html.entry import short_names
from onetake.render.html.markup import escaped
from onetake.render.html.player import Shelf
from onetake.render.html.table import summary, table
from onetake.render.html.take import section

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from onetake.render.html.entry import Entry
    from preflight import Profile

_FEW: Final = 3
"""So many recordings are shown unfolded."""


def page(entries: Sequence[Entry], profile: Profile, folder: Path) -> Iterator[str]:
    """The page, piece by piece.

    Args:
        entries: The recordings, in their order.
        profile: By which they were judged.
        folder: Where the page will be: links to recordings start there.
    """
    names = short_names(entries)
    title = names[0] if len(entries) == 1 else f"{len(entries)} takes"
    style, script = (files(__package__).joinpath(name).read_text("utf-8") for name in ("style.css", "script.js"))
    yield _head(title, style, _policy(style, script))
    yield (
        f'<body><a class="skip" href="#main">Skip to the takes</a><header><h1>{escaped(title)}, checked</h1>'
        f'{summary(entries)}<p class="facts">Profile {escaped(profile.name)}</p></header>\n'
        '<main id="main" tabindex="-1">'
    )
    if len(entries) > 1:
        yield table(entries, names)
    shelf, target = Shelf(folder), target_db(profile)
    is_open = len(entries) <= _FEW
    for place, (entry, name) in enumerate(zip(entries, names, strict=True), start=1):
        yield section(entry, name, place, shelf, target, is_open=is_open)
    yield f'</main><p id="trouble" role="alert"></p>\n<script>{script}</script></body></html>\n'


def target_db(profile: Profile) -> tuple[float, float]:
    """The level that a profile asks for, from and to, in dBFS RMS."""
    from preflight import RULES

    quiet, loud = (profile.apply(RULES[name]) for name in ("too-quiet", "too-loud"))
    return quiet["min_rms_dbfs"], loud["max_rms_dbfs"]


def _head(title: str, style: str, policy: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{escaped(title)}: checked by onetake</title><style>{style}</style></head>\n"
    )


def _policy(style: str, script: str) -> str:
    """Nothing comes from anywhere, but sound from the page's own folder."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
        "media-src data: file: 'self'; base-uri 'none'; form-action 'none'"
    )


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
