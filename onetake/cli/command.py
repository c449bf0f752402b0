"""What all commands share: `-q`, `-v`, `--no-color`, and a help that fits one screen."""

from __future__ import annotations

import os
from typing import Any

import click

from onetake.console.streams import print_line
from onetake.console.verbosity import Verbosity, choose
from onetake.errors import UsageError

_ALL = "onetake.all-options"
_CHOSEN = "onetake.verbosity"


class FurtherOption(click.Option):
    """An option that `--help` leaves to `--help-all`, where there are so many that nobody would find the others."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The option's line in the help, if it has one there."""
        return super().get_help_record(ctx) if _ALL in ctx.meta else None


class _SharedOption(click.Option):
    """One that every command has: all of them stand in one line of the help."""

    def get_help_record(self, _ctx: click.Context) -> None:
        return None


def _set_verbosity(ctx: click.Context, option: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    chosen = Verbosity.QUIET if option.name == "quiet" else Verbosity.VERBOSE
    if ctx.meta.setdefault(_CHOSEN, chosen) is not chosen:
        raise UsageError("-q and -v contradict each other", "give one of them")
    choose(chosen)
    if chosen is Verbosity.VERBOSE:
        from onetake.console.request_log import tell_requests

        tell_requests()


def _decline_colour(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        os.environ["NO_COLOR"] = "1"


def _tell_all(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        ctx.meta[_ALL] = True
        print_line(ctx.get_help())
        ctx.exit()


class _Shared(click.Command):
    """Adds the options that every command has."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        quiet = _SharedOption(["-q", "--quiet"], is_flag=True, expose_value=False, callback=_set_verbosity)
        verbose = _SharedOption(["-v", "--verbose"], is_flag=True, expose_value=False, callback=_set_verbosity)
        colour = _SharedOption(["--no-color"], is_flag=True, expose_value=False, callback=_decline_colour)
        self.params += [quiet, verbose, colour]
        if self._has_more:
            names = ["--help-all"]
            self.params.append(
                _SharedOption(names, is_flag=True, is_eager=True, expose_value=False, callback=_tell_all)
            )

    @property
    def _has_more(self) -> bool:
        return any(isinstance(param, FurtherOption) for param in self.params)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        helping = self.get_help_option(ctx)
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option) and param is not helping]
        rows = [row for option in options if (row := option.get_help_record(ctx)) is not None]
        more = ("-h, --help, --help-all", "Show this, or every option, and exit.")
        with formatter.section("Options"):
            formatter.write_dl(
                [
                    *rows,
                    ("-q, -v, --no-color", "Say less, say more, use no colours."),
                    more if self._has_more and _ALL not in ctx.meta else ("-h, --help", "Show this and exit."),
                ]
            )


class Command(_Shared):
    """A command."""


class Group(_Shared, click.Group):
    """A command that has others."""

    command_class = Command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the commands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)
