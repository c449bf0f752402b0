"""`onetake ledger`: move a ledger between this machine and a database that machines share."""

from __future__ import annotations

from pathlib import Path

import click

from onetake.cli.main import Group
from onetake.cli.options import json_option
from onetake.console.streams import print_json, print_text, print_warning
from onetake.console.terminal import safe
from onetake.errors import UsageError


@click.group("ledger", cls=Group, epilog="Example: onetake ledger copy ~/.local/state/onetake postgresql://db/onetake")
def command() -> None:
    """Copy the ledger of this machine to a database that machines share, or back."""


@command.command(
    "copy",
    short_help="copy everything to an empty ledger",
    epilog="Example: onetake ledger copy ~/.local/state/onetake postgresql://db/onetake",
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@json_option
def copy(source: str, target: str, *, as_json: bool) -> None:
    """Copy all voices, calls and uploads to an empty ledger. FROM and TO are folders or postgresql:// URLs.

    Other users can see the arguments of a process: put a password into ~/.pgpass or PGPASSWORD, not into a URL.
    Use only TO from then on: calls in one ledger are missing in the other.
    """
    from onetake.ledger import Ledger, is_ledger_expected, is_url

    try:
        is_there = is_url(source) or is_ledger_expected(Path(source))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{source!r} cannot be read: {reason}", "check the path") from error
    if not is_there:
        raise UsageError(f"{source!r} contains no ledger", "name the folder that `onetake config` shows as `ledger`")
    places = [place if is_url(place) else Path(place) for place in (source, target)]
    with Ledger(places[0], warn=print_warning) as old, Ledger(places[1], warn=print_warning) as new:
        counts = old.copy_to(new)
        shown = new.place
    if as_json:
        print_json({"schema_version": 1, "copied": counts})
    else:
        print_text(f"copied {', '.join(f'{count} {table}' for table, count in counts.items())}")
        print_text(f"from now on use only {safe(shown)}")
