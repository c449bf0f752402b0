"""A bar on standard error for what takes long, where somebody looks and nothing else is shown."""

from __future__ import annotations

import contextlib
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


@contextlib.contextmanager
def timed(*, shown: bool) -> Iterator[Callable[[float, float | None], None] | None]:
    """What shows how much of one recording was heard, once that takes longer than a second; None where nobody looks."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    begun, told = time.monotonic(), ""

    def show(done_s: float, total_s: float | None) -> None:
        nonlocal told
        if total_s and time.monotonic() - begun > _LONG_S:
            text = f"checking  {min(99, int(100 * done_s / total_s))} %"
            if text != told:
                click.echo(f"\r{text}", err=True, nl=False)
                told = text

    try:
        yield show
    finally:
        if told:
            click.echo(f"\r{'':<{len(told)}}\r", err=True, nl=False)
