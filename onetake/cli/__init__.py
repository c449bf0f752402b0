"""The command line: one file per command, and the one place where exceptions become messages and statuses."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

import onetake
from onetake.cli.command import Group
from onetake.console.status_line import status_line
from onetake.console.streams import divert, flush, print_aside, print_line
from onetake.console.verbosity import Verbosity, choose
from onetake.errors import Failure, NobodyReads, OutputLost, Status, UsageError, failure_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.shell_completion import CompletionItem

_COMMANDS = {
    "check": "tell whether recordings are fit to be sent",
    "fix": "write a version of a recording that is fit",
    "join": "make one recording of several short takes",
    "prompt": "find the best clip for --prompt",
    "upload": "put a recording into storage and print its URL",
    "clone": "clone the voice of a recording, or of many",
    "voices": "list what was cloned, and until when it lives",
    "keep": "keep voices for good",
    "say": "read a text with a voice",
    "storage": "delete what was left in the storage",
    "doctor": "try each part, and say what to do",
    "config": "show every setting and where it comes from",
    "rule": "explain a rule",
    "sandbox": "run storage and a stand-in service to rehearse with",
    "completion": "teach a shell to complete what you type",
}


_MOST_DETAILS: Final = 20
"""Lines of detail below an error message; a JSON document lists all."""


class _LazyGroup(Group):
    """Commands are imported when they are used: `--version` must not pay for numpy."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"onetake.cli.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise UsageError(f"there is no command {args[0]!r}", f"the commands are {', '.join(_COMMANDS)}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        # without their modules: whoever presses Tab waits
        commands = [CompletionItem(name, help=told) for name, told in _COMMANDS.items() if name.startswith(incomplete)]
        return commands + click.Command.shell_complete(self, ctx, incomplete)


def _tell_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        print_line(f"onetake {onetake.__version__}")
        ctx.exit()


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: onetake check take.m4a && onetake clone take.m4a --sandbox",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_tell_version, help="Show the version."
)
def root() -> None:
    """Check a voice recording, mend it, upload it, clone the voice."""
    from onetake.io.scratch import remove_abandoned

    remove_abandoned()


def run(arguments: Sequence[str]) -> int:
    """Run the command line `arguments` and return its exit status.

    Every exception ends here: it becomes one message, on standard error and, where a machine reads, as the one
    document on standard output.
    """
    from onetake.io.signals import forget_received, interruptible

    forget_received()
    _prepare_streams()
    choose(Verbosity.USUAL)
    given = list(arguments) or ["--help"]
    try:
        status = interruptible(lambda: root.main(given, prog_name="onetake", standalone_mode=False))
        flush()
        return int(status or 0)
    except (SystemExit, NobodyReads):  # click, too, ends so when nobody reads
        return _silenced(Status.DONE)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one place for all of them
        return _report(_failure(error), _machine_form(arguments))


def _prepare_streams() -> None:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started us; the next file that is opened must not become it
            setattr(sys, name, _nowhere())
        elif isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            with contextlib.suppress(OSError):  # it flushes; what cannot be written is told when it is printed
                stream.reconfigure(errors="backslashreplace")  # a terminal that knows only ASCII gets every line too


def _silenced(status: Status) -> int:
    """Return `status`, and keep the interpreter from writing to a standard output that is of no use any more."""
    divert(sys.stdout)
    return int(status)


def _nowhere() -> TextIO:
    from pathlib import Path

    return Path(os.devnull).open("w", encoding="utf-8")


def _failure(error: BaseException) -> Failure:
    # at Ctrl-C click first ends the line on standard error, where nothing can be written perhaps
    is_lost = isinstance(error, OSError) and isinstance(error.__context__, KeyboardInterrupt)
    if is_lost or isinstance(error, click.Abort):
        return failure_of(KeyboardInterrupt())
    if isinstance(error, click.ClickException):
        hint = ""
        if isinstance(error, click.UsageError) and error.ctx is not None:
            hint = f"see {error.ctx.command_path} --help"
        return Failure("usage", error.format_message().replace("\n\t", " ").rstrip("."), hint, Status.USAGE)
    return failure_of(error)


def _machine_form(arguments: Sequence[str]) -> str | None:
    """For which machine standard output was to be, found without parsing: the parsing may be what failed."""
    from onetake.render.formats import LINE_FORMS

    words = [*takewhile(lambda word: word != "--", arguments), ""]
    for word, following in pairwise(words):
        if word == "--json":
            return "json"
        option, _, form = word.partition("=")
        if option == "--format" and (form or following) in {"json", "jsonl", *LINE_FORMS}:
            return form or following
    return None


def _report(failure: Failure, machine_form: str | None) -> int:
    status_line.end()
    try:
        if machine_form:
            _tell_machine(failure, machine_form)
        flush()
    except OutputLost:
        divert(sys.stdout)
    tell_failure(failure)
    return int(failure.status)


def tell_failure(failure: Failure) -> None:
    """Say on standard error what happened, and what to do next."""
    from onetake.render.text import safe

    shown = failure.details[:_MOST_DETAILS]
    more = len(failure.details) - len(shown)
    has_more_words = failure.service_message and failure.service_message not in failure.message
    lines = [
        *map(safe, shown),
        *([f"the service says: {safe(failure.service_message)}"] if has_more_words else []),
        *([f"trace id, for the service's support: {safe(failure.trace_id)}"] if failure.trace_id else []),
        *([f"and {more} more"] if more else []),
        *([safe(failure.hint)] if failure.hint else []),
    ]
    head = f"{click.style('onetake:', fg='red', bold=True)} {safe(failure.message)}"
    print_aside("\n  ".join([head, *lines]))


def _tell_machine(failure: Failure, form: str) -> None:
    from onetake.render.formats import LINE_FORMS, form_called

    if form in LINE_FORMS:
        for line in form_called(form).failure(failure):
            print_line(line)
    else:
        from onetake.console.json_output import print_json
        from onetake.render.outcomes import error_fields

        print_json({"error": error_fields(failure)}, in_one_line=form == "jsonl")


def exit_with(status: Status) -> Any:
    """End a command with `status`; click hands it to `run`."""
    return click.get_current_context().exit(int(status))
