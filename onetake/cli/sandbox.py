"""`onetake sandbox`."""

from __future__ import annotations

import shlex
import threading

import click


@click.command(
    "sandbox", epilog="Example: onetake sandbox   (and in another terminal, with what it prints: onetake clone …)"
)
def command() -> None:
    """Run embedded storage and a stand-in clone service on this machine until Ctrl-C."""
    from onetake.sandbox.supervisor import running

    with running(lambda line: click.echo(line, err=True)) as access:
        click.echo("# The sandbox is running on this machine; nothing leaves it, and nothing is charged.")
        click.echo("# Paste these lines into another terminal:")
        for name, value in access.settings().items():
            click.echo(f"export ONETAKE_{name.upper()}={shlex.quote(value)}")
        click.echo("# Ctrl-C ends it.", err=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("[sandbox] ending", err=True)
