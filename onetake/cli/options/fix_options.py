"""Options that say what is wanted of a mended recording."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

import click

from onetake.cli.command import AdvancedOption
from onetake.cli.options.profile_options import names_in
from preflight.fixes.options import EDIT_KINDS, Container, Keep

if TYPE_CHECKING:
    from preflight import FixOptions


class _Moment(click.ParamType):  # type: ignore[type-arg]
    """Seconds, or minutes and seconds, or hours too: 75, 1:15, 0:01:15.5."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        if not re.fullmatch(r"(\d{1,6}:){0,2}\d{1,6}(\.\d{1,9})?", value):
            self.fail(f"{value!r} is no time; write 75, 1:15 or 0:01:15.5", param, ctx)
        seconds = 0.0
        for part in value.split(":"):
            seconds = 60 * seconds + float(part)
        return seconds


def wishing_options(function: Any) -> Any:
    """Flags that `wishes_from` understands."""
    moment = _Moment()
    options = [
        click.option("--to", type=click.Choice(get_args(Container)), help="The format to write."),
        click.option(
            "--keep",
            type=click.Choice(get_args(Keep)),
            default="best",
            metavar="WHAT",
            help=f"Of what is too long: {', '.join(get_args(Keep))}.",
        ),
        click.option("--from", "start_s", type=moment, metavar="TIME", help="Keep what comes from here, e.g. 1:15."),
        click.option("--until", "end_s", type=moment, metavar="TIME", help="Keep what comes until here."),
        click.option("--loudness", "loudness_lufs", type=float, metavar="LUFS", help="Bring it there, e.g. -20."),
        click.option("--limit", cls=AdvancedOption, is_flag=True, help="Limit peaks at -3 dBTP for that."),
        click.option("--edit", multiple=True, metavar="NAME", help=f"{', '.join(EDIT_KINDS)} (repeatable)."),
        click.option("--unsafe", is_flag=True, help="Every edit that answers a finding."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def wishes_from(flags: dict[str, Any]) -> FixOptions:
    """What the flags ask for; they are taken out of `flags`.

    Raises:
        preflight.InvalidFixOptions: It cannot be.
    """
    from preflight import FixOptions

    edits = frozenset(names_in(flags.pop("edit")))
    names = ("to", "keep", "start_s", "end_s", "loudness_lufs", "limit", "unsafe")
    return FixOptions(edits=edits, **{name: flags.pop(name) for name in names})
