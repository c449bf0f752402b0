"""The root command `onetake`, and `run`, where every exception becomes a message and an exit status."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from typing import TYPE_CHECKING, Final

import click

import onetake
from onetake.cli.command import Group
from onetake.cli.output.failure import print_failure, print_failure_document, requested_format
from onetake.console.status_line import status_line
from onetake.console.streams import flush, print_line, redirect_to_null
from onetake.console.verbosity import Verbosity, set_verbosity
from onetake.errors import OutputClosed, OutputLost, Status, UsageError, failure_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.shell_completion import CompletionItem

COMMANDS: Final = {
    "check": "check whether recordings are fit for cloning",
    "fix": "write a version of a recording that is fit",
    "join": "join short takes to one recording",
    "prompt": "find the best clip for --prompt",
    "upload": "upload a recording and print its URL",
    "clone": "clone the voice of one or more recordings",
    "voices": "list cloned voices and when they expire",
    "keep": "keep voices permanently",
    "say": "read a text with a voice",
    "storage": "clean up the storage",
    "doctor": "test each component and suggest fixes",
    "config": "show all settings and their origins",
    "rule": "explain a rule",
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
            raise UsageError(f"there is no command {args[0]!r}", f"the commands are {', '.join(COMMANDS)}")
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
    from onetake.io.scratch import remove_abandoned

    remove_abandoned()


def run(arguments: Sequence[str]) -> int:
    """Run the command line `arguments` and return its exit status.

    Every exception ends here: it becomes one message on standard error and, if a machine-readable format was
    requested, the one document on standard output.
    """
    from onetake.io.signals import forget_received, interruptible

    forget_received()
    _prepare_streams()
    set_verbosity(Verbosity.NORMAL)
    given = list(arguments) or ["--help"]
    try:
        status = interruptible(lambda: root.main(given, prog_name="onetake", standalone_mode=False))
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


def _fail(error: BaseException, machine_format: str | None) -> int:
    status_line.end()
    failure = failure_of(error)
    try:
        if machine_format:
            print_failure_document(failure, machine_format)
        flush()
    except OutputLost:
        redirect_to_null(sys.stdout)
    print_failure(failure)
    return int(failure.status)
