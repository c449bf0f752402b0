"""Options that several commands share."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from onetake.cli.command import AdvancedOption
from onetake.config.settings import Settings, home_path, load
from onetake.config.settings_table import SETTINGS
from onetake.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Decorated = Any

ANY_PATH = click.Path(readable=False)
"""A path that click does not check: one unreadable file among many is a finding, not a usage error."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
sandbox_option = click.option("--sandbox", is_flag=True, help="Use a local storage and a stand-in service.")


def chosen_format(form: str | None, *, as_json: bool) -> str:
    """The output format from ``--format`` and ``--json``; raises `UsageError` if they contradict each other."""
    if as_json and form not in {None, "json"}:
        raise UsageError(f"--json and --format {form} contradict each other", "give one of them")
    return form or ("json" if as_json else "text")


def setting_options(*names: str, advanced: bool = False) -> Callable[[Decorated], Decorated]:
    """Add options for settings. Secrets have no option, because other users can see the command line of a process.

    Args:
        names: Names of settings.
        advanced: Whether only ``--help-all`` shows them.
    """

    def decorate(function: Decorated) -> Decorated:
        for setting in reversed(SETTINGS):
            if setting.name in names and not setting.secret:
                metavar = "MODEL" if setting.name == SPEECH_MODEL else None
                text = f"{setting.description[0].upper()}{setting.description[1:]}."
                kind = AdvancedOption if advanced else click.Option
                function = click.option(setting.option, setting.name, cls=kind, metavar=metavar, help=text)(function)
        return function

    return decorate


STORAGE = ("provider", "bucket", "s3_endpoint", "region")
STORAGE_DETAILS = (
    *("public_endpoint", "prefix", "addressing", "url_expires_s", "link_check"),
    *("sse", "sse_kms_key_id", "aws_profile"),
)
SERVICE = ("base_url",)
RATE_LIMITS = ("calls_at_once", "calls_per_minute")
SPEECH_MODEL = "speech_model"


@contextlib.contextmanager
def services(options: dict[str, Any], *, sandbox: bool) -> Iterator[tuple[Settings, Path]]:
    """The settings and the folder of the ledger, for the real services or for a sandbox that runs during the block.

    Args:
        options: Settings from the command line.
        sandbox: Whether to run a sandbox.
    """
    settings = load(options)
    if not sandbox:
        yield settings, home_path()
        return
    from pathlib import Path

    from onetake.sandbox.session import sandbox as run_sandbox

    with run_sandbox() as access:
        yield settings.with_values(access.settings(), "sandbox"), Path(access.folder)
