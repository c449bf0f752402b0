"""Options that several commands share."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from onetake.cli.command import FurtherOption
from onetake.config.settings import Settings, home_path, load
from onetake.config.settings_table import SETTINGS
from onetake.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Decorated = Any

ANY_PATH = click.Path(readable=False)
"""A path of which the command itself says what is wrong: click would stop at one of many that may not be read."""

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
sandbox_option = click.option("--sandbox", is_flag=True, help="Rehearse with storage and service on this machine.")


def chosen_format(form: str | None, *, as_json: bool) -> str:
    """The output format that `--format` and `--json` choose together; raises `UsageError` if they contradict."""
    if as_json and form not in {None, "json"}:
        raise UsageError(f"--json and --format {form} contradict each other", "give one of them")
    return form or ("json" if as_json else "text")


def setting_options(*names: str, further: bool = False) -> Callable[[Decorated], Decorated]:
    """A flag for each of the settings `names`; secrets have none, since others can see a command line.

    Args:
        names: Of the settings.
        further: Whether `--help` leaves them to `--help-all`.
    """

    def decorate(function: Decorated) -> Decorated:
        for setting in reversed(SETTINGS):
            if setting.name in names and not setting.secret:
                flag = f"--{setting.name.replace('_', '-')}"
                metavar = "MODEL" if setting.name == SPEECH_MODEL else None
                what = f"{setting.what[0].upper()}{setting.what[1:]}."
                kind = FurtherOption if further else click.Option
                function = click.option(flag, setting.name, cls=kind, metavar=metavar, help=what)(function)
        return function

    return decorate


STORAGE = ("provider", "bucket", "s3_endpoint", "region")
STORAGE_DETAILS = (
    *("public_endpoint", "prefix", "addressing", "url_expires_s", "link_check"),
    *("sse", "sse_kms_key_id", "aws_profile"),
)
SERVICE = ("base_url",)
PACE = ("calls_at_once", "calls_per_minute")
SPEECH_MODEL = "speech_model"


@contextlib.contextmanager
def services(flags: dict[str, Any], *, sandbox: bool) -> Iterator[tuple[Settings, Path]]:
    """Settings, and the folder to remember things in: of the real services, or of a sandbox that is started.

    Args:
        flags: Settings from the command line.
        sandbox: Whether to start a sandbox.
    """
    settings = load(flags)
    if not sandbox:
        yield settings, home_path()
        return
    from pathlib import Path

    from onetake.sandbox.session import sandbox as start

    with start() as access:
        yield settings.with_values(access.settings(), "sandbox"), Path(access.folder)
