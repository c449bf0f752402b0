"""The root command `onetake`, the base of all commands, and `run`, which turns exceptions into an exit status."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from typing import TYPE_CHECKING, Any, Final

import click

import onetake
from onetake.cli.output.failure import name_of_file, print_failure, print_failure_document, requested_format
from onetake.console.streams import (
    begin_output,
    flush,
    is_document_printed,
    print_line,
    print_step,
    redirect_to_null,
    status_line,
)
from onetake.console.terminal import Verbosity, log_requests, set_verbosity
from onetake.errors import OutputClosed, OutputLost, UsageError, failure_of
from onetake.exit_status import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.shell_completion import CompletionItem


_SHOW_ALL = "onetake.show-all-options"
_VERBOSITY = "onetake.verbosity"


class AdvancedOption(click.Option):
    """An option that `--help-all` shows, but `--help` does not: too many options would hide the common ones."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The line of the option in the help, if any."""
        return super().get_help_record(ctx) if _SHOW_ALL in ctx.meta else None


class CommonOption(click.Option):
    """An option of every command; they share one line of the help."""

    def get_help_record(self, _ctx: click.Context) -> None:
        """No line of its own."""


def _choose_verbosity(ctx: click.Context, option: click.Parameter, is_given: bool) -> None:
    if not is_given or ctx.resilient_parsing:
        return
    verbosity = Verbosity.QUIET if option.name == "quiet" else Verbosity.VERBOSE
    if ctx.meta.setdefault(_VERBOSITY, verbosity) is not verbosity:
        raise UsageError("-q and -v contradict each other", "give one of them")
    set_verbosity(verbosity)
    if verbosity is Verbosity.VERBOSE:
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
        common: list[tuple[list[str], Any, str]] = [  # the texts are for the manual
            (["-q", "--quiet"], _choose_verbosity, "Print results and warnings only."),
            (["-v", "--verbose"], _choose_verbosity, "Print details, and every request."),
            (["--no-color"], _disable_color, "Print no colors."),
        ]
        if self._has_advanced:
            common.append((["--help-all"], _print_full_help, "Show all options and exit."))
        for names, callback, text in common:
            is_eager = callback is _print_full_help
            option = CommonOption(
                names, is_flag=True, is_eager=is_eager, expose_value=False, callback=callback, help=text
            )
            self.params.append(option)

    @property
    def _has_advanced(self) -> bool:
        return any(isinstance(param, AdvancedOption) for param in self.params)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse `args`; the error of a bad option names the help, and how to write a file name that starts with -."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            arguments = [param for param in self.params if isinstance(param, click.Argument)]
            takes_files = any(isinstance(argument.type, click.Path) for argument in arguments)
            name = name_of_file(error.option_name, given) if takes_files else None
            if name is None:
                raise
            hint = f"for a file of that name, write ./{name}, or -- before it; see {ctx.command_path} --help"
            raise UsageError(f"no such option {error.option_name!r}", hint) from error
        except click.BadOptionUsage as error:
            error.ctx = error.ctx or ctx  # the parser does not set it
            raise

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


COMMANDS: Final = {
    "check": "check whether recordings are fit for cloning",
    "fix": "write a version of a recording that is fit",
    "join": "join short takes into one recording",
    "prompt": "find the best clip for --prompt",
    "upload": "upload a recording and print its URL",
    "clone": "clone the voice of one or more recordings",
    "voices": "list cloned voices and when they expire",
    "keep": "keep voices permanently",
    "say": "read a text with a voice",
    "report": "show the worst takes of a folder of results",
    "storage": "clean up the storage, or print its policy",
    "ledger": "copy the ledger to a database that machines share",
    "doctor": "test each component and suggest fixes",
    "config": "show all settings and their origins",
    "rule": "explain a rule",
    "studio": "record, check and clone in a local web page",
    "sandbox": "run local storage and a stand-in service",
    "completion": "print a shell completion script",
}


class _LazyGroup(Group):
    """A group whose commands are imported when they are used: `--help` must not import numpy."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"onetake.cli.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from preflight.display.text import did_you_mean

            commands = f"the commands are {', '.join(COMMANDS)}"
            raise UsageError(f"there is no command {args[0]!r}", did_you_mean(args[0], COMMANDS, commands))
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        # click's own method imports every command to get its help text, which takes too long after pressing Tab
        commands = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return commands + click.Command.shell_complete(self, ctx, incomplete)


def _print_version(ctx: click.Context, _option: click.Parameter, is_given: bool) -> None:
    if is_given and not ctx.resilient_parsing:
        print_line(f"onetake {onetake.__version__}")
        ctx.exit()


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: onetake check take.m4a && onetake clone take.m4a --sandbox",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
def root() -> None:
    """Check a voice recording, fix it, upload it, clone the voice."""
    from onetake.io.temporary_folders import remove_abandoned

    remove_abandoned()


def run(arguments: Sequence[str]) -> int:
    """Run the command line `arguments` and return its exit status.

    Every exception ends here: it becomes one message on standard error and, if a machine-readable format was
    requested, the one document on standard output.
    """
    from onetake.io.signals import forget_received, interruptible

    interruptible(click.Command.main)
    forget_received()
    begin_output()
    _prepare_streams()
    set_verbosity(Verbosity.NORMAL)
    given = list(arguments) or ["--help"]
    try:
        status = root.main(given, prog_name="onetake", standalone_mode=False)
        flush()
        return int(status or 0)
    except (SystemExit, OutputClosed):  # click exits by itself when its own output is a broken pipe
        redirect_to_null(sys.stdout)
        return int(Status.DONE)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one place for all of them
        return _fail(error, requested_format(arguments))


def _prepare_streams() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # started with the descriptor closed: the next file that is opened must not get it
            from pathlib import Path

            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - it stays open
        elif isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(OSError):  # it flushes; an error appears again at the next print
                stream.reconfigure(errors="backslashreplace")  # characters that an ASCII terminal does not have
                if isinstance(stream.buffer, io.RawIOBase):
                    setattr(sys, name, _buffered(stream))


def _buffered(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """Return a stream to the same file, with a buffer.

    Without one (PYTHONUNBUFFERED, ``python -u``), a signal cuts off what is being printed: write(2) then returns before
    everything is written, and nothing writes the rest.
    """
    binary = open(stream.fileno(), "wb", closefd=False)  # noqa: SIM115 - it stays open
    return io.TextIOWrapper(
        binary, stream.encoding, "backslashreplace", line_buffering=stream.line_buffering, write_through=True
    )


def _fail(error: BaseException, machine_format: str | None) -> int:
    status_line.end()
    failure = failure_of(error)
    try:
        if machine_format and not is_document_printed():
            print_failure_document(failure, machine_format)
        flush()
    except OutputLost:
        redirect_to_null(sys.stdout)
    print_failure(failure)
    return int(failure.status)
