"""`onetake completion`."""

from __future__ import annotations

from typing import Final

import click

from onetake.cli.main import Command
from onetake.console.streams import print_line

_SHELLS: Final = ("bash", "zsh", "fish")


@click.command("completion", cls=Command, epilog="Example: onetake completion bash >> ~/.bashrc")
@click.argument("shell", type=click.Choice(_SHELLS))
def command(shell: str) -> None:
    """Print a script that completes commands, options and file names in a shell.

    Append it to ~/.bashrc or ~/.zshrc, or save it as ~/.config/fish/completions/onetake.fish.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click supports all three
    root = click.get_current_context().find_root().command
    print_line(kind(root, {}, "onetake", "_ONETAKE_COMPLETE").source().strip())
