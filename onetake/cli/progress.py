"""A bar on standard error for what takes long, where somebody looks and nothing else is shown."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

_LONG_S: Final = 1.0


def counted(items: Iterable[T], total: int, *, shown: bool) -> Iterator[T]:
    """Yield `items`, and show how many of `total` there were."""
    if not shown or not sys.stderr.isatty():
        yield from items
        return
    with click.progressbar(length=total, label="checking", file=sys.stderr, show_pos=True) as bar:
        for item in items:
            yield item
            bar.update(1)


def timed() -> Callable[[float, float | None], None] | None:
    """Shows how much of one recording was heard, when that takes longer than a second; None where nobody looks."""
    if not sys.stderr.isatty():
        return None
    begun = time.monotonic()
    width = 0

    def show(done_s: float, total_s: float | None) -> None:
        nonlocal width
        if time.monotonic() - begun < _LONG_S:
            return
        is_done = total_s is not None and done_s >= total_s
        text = "" if is_done or not total_s else f"checking  {min(99, 100 * done_s / total_s):3.0f} %"
        click.echo(f"\r{text:<{width}}\r{text}", err=True, nl=False)
        width = len(text)

    return show
