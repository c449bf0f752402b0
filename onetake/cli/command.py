"""The base of all commands: `-q`, `-v`, `--no-color`, and a help that fits a terminal of 24 lines."""

from __future__ import annotations

import os
from typing import Any

import click

from onetake.console.streams import print_line
from onetake.console.verbosity import Verbosity, log_requests, set_verbosity
from onetake.errors import Status, UsageError

_SHOW_ALL = "onetake.show-all-options"
_VERBOSITY = "onetake.verbosity"


class AdvancedOption(click.Option):
    """An option that `--help-all` shows, but `--help` does not: too many options would hide the common ones."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The line of the option in the help, if any."""
        return super().get_help_record(ctx) if _SHOW_ALL in ctx.meta else None


class _CommonOption(click.Option):
    """An option of every command; they share one line of the help."""

    def get_help_record(self, _ctx: click.Context) -> None:
        return None


def _choose_verbosity(ctx: click.Context, option: click.Parameter, is_given: bool) -> None:
    if not is_given or ctx.resilient_parsing:
        return
    verbosity = Verbosity.QUIET if option.name == "quiet" else Verbosity.VERBOSE
    if ctx.meta.setdefault(_VERBOSITY, verbosity) is not verbosity:
        raise UsageError("-q and -v contradict each other", "give one of them")
    set_verbosity(verbosity)
    if verbosity is Verbosity.VERBOSE:
        from onetake.console.steps import print_step

        log_requests(print_step)


def _disable_color(ctx: click.Context, _option: click.Parameter, is_given: bool) -> None:
    if is_given and not ctx.resilient_parsing:
        os.environ["NO_COLOR"] = "1"


def _print_full_help(ctx: click.Context, _option: click.Parameter, is_given: bool) -> None:
    if is_given and not ctx.resilient_parsing:
        ctx.meta[_SHOW_ALL] = True
        print_line(ctx.get_help())
        ctx.exit()


class _Base(click.Command):
    """Adds the options that every command has."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        quiet = _CommonOption(["-q", "--quiet"], is_flag=True, expose_value=False, callback=_choose_verbosity)
        verbose = _CommonOption(["-v", "--verbose"], is_flag=True, expose_value=False, callback=_choose_verbosity)
        color = _CommonOption(["--no-color"], is_flag=True, expose_value=False, callback=_disable_color)
        self.params += [quiet, verbose, color]
        if self._has_advanced:
            names = ["--help-all"]
            self.params.append(
                _CommonOption(names, is_flag=True, is_eager=True, expose_value=False, callback=_print_full_help)
            )

    @property
    def _has_advanced(self) -> bool:
        return any(isinstance(param, AdvancedOption) for param in self.params)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        help_option = self.get_help_option(ctx)
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option) and param != help_option]
        rows = [row for option in options if (row := option.get_help_record(ctx)) is not None]
        both = ("-h, --help, --help-all", "Show this, or all options, and exit.")
        with formatter.section("Options"):
            formatter.write_dl(
                [
                    *rows,
                    ("-q, -v, --no-color", "Quiet, verbose, no colors."),
                    both if self._has_advanced and _SHOW_ALL not in ctx.meta else ("-h, --help", "Show this and exit."),
                ]
            )


class Command(_Base):
    """A command."""


class Group(_Base, click.Group):
    """A command with subcommands."""

    command_class = Command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the subcommands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


def exit_with(status: Status) -> Any:
    """Exit a command with `status`; `onetake.cli.main.run` returns it."""
    return click.get_current_context().exit(int(status))
