"""`onetake studio`."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from onetake.cli.main import AdvancedOption, Command
from onetake.cli.options import ANY_PATH, sandbox_option
from onetake.config.ledger_location import home_path
from onetake.console.streams import print_line, print_stderr, print_warning
from onetake.errors import OnetakeError
from onetake.io.signals import wait_for_signal


class StudioUnavailable(OnetakeError):
    """The packages of the studio are not installed."""

    kind = "studio-unavailable"


@click.command("studio", cls=Command, epilog="Example: onetake studio --sandbox")
@click.argument("takes", nargs=-1, type=ANY_PATH, metavar="[TAKE...]")
@sandbox_option
@click.option("--port", type=click.IntRange(0, 65_535), default=0, metavar="N", help="Port; default: a free one.")
@click.option("--no-open", is_flag=True, help="Do not open the page in a browser.")
@click.option(
    "--answer-delay",
    cls=AdvancedOption,
    type=click.FloatRange(0, 600),
    default=0.0,
    metavar="SECONDS",
    help="Delay of each answer of a rehearsal.",
)
def command(takes: tuple[str, ...], port: int, answer_delay: float, *, sandbox: bool, no_open: bool) -> None:
    """Open a local web page to record, check, fix, rehearse and clone, until Ctrl-C.

    Only this machine can reach the page. Nothing leaves it until you clone with the real service.
    """
    try:
        from onetake.studio.server import running
    except ImportError as error:
        hint = 'install the extra: pip install "onetake[studio]"'
        raise StudioUnavailable(f"the studio needs a package that is missing: {error.name}", hint) from error
    options = {"sandbox_only": sandbox, "port": port, "answer_delay_s": answer_delay}
    with running([Path(take) for take in takes], home_path(), print_warning, **options) as address:  # type: ignore[arg-type]
        print_line(f"The studio is open at {address}")
        print_stderr("Stop it with Ctrl-C.")
        if not no_open:
            webbrowser.open(address)
        try:
            wait_for_signal()
        except KeyboardInterrupt:
            print_stderr("stopping the studio")
