"""Text as HTML: what is not ours cannot become markup."""

from __future__ import annotations

import html

from onetake.render.text import safe


def escaped(text: str) -> str:
    """`text` for any place in a page, also between quotes; what is not printable is shown as an escape."""
    return html.escape(safe(text), quote=True)


def isolated(text: str) -> str:
    """`text` as an element whose writing direction does not reorder what stands around it."""
    return f"<bdi>{escaped(text)}</bdi>"


def number(value: float, digits: int = 1) -> str:
    """`value` with so many digits and without what says nothing: ``3``, ``3.5``, ``-0.1``."""
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
