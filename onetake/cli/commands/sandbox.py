"""`onetake sandbox`."""

from __future__ import annotations

import shlex
import sys

import click

from onetake.cli.main import Command
from onetake.console.streams import print_line, print_stderr
from onetake.io.signals import wait_for_signal


@click.command(
    "sandbox",
    cls=Command,
    epilog="Example: onetake sandbox   (then paste its output into another terminal)",
)
@click.option(
    "--answer-delay", type=click.FloatRange(0, 600), default=0.0, metavar="SECONDS", help="Delay of each answer."
)
def command(answer_delay: float) -> None:
    """Run local storage and a stand-in clone service on this machine until Ctrl-C."""
    from onetake.sandbox.supervisor import running

    with running(print_stderr, answer_delay) as access:
        try:
            print_line("# The sandbox is running on this machine; nothing leaves it, and nothing is charged.")
            print_line("# Paste these lines into another terminal:")
            for name, value in {**access.settings(), "home": access.folder}.items():
                print_line(_assignment(f"ONETAKE_{name.upper()}", value))
            print_stderr("# Stop it with Ctrl-C.")
            wait_for_signal()
        except KeyboardInterrupt:
            print_stderr("[sandbox] stopped")


def _assignment(name: str, value: str) -> str:
    """An assignment for a POSIX shell, or for PowerShell on Windows."""
    if sys.platform == "win32":
        quoted = value.replace("'", "''")
        return f"$env:{name} = '{quoted}'"
    return f"export {name}={shlex.quote(value)}"
