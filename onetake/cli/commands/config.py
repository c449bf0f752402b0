"""`onetake config`."""

from __future__ import annotations

from typing import Any

import click

from onetake.cli.main import Command, exit_with
from onetake.cli.options import (
    RATE_LIMITS,
    SERVICE,
    SPEECH_MODEL,
    STORAGE,
    STORAGE_DETAILS,
    json_option,
    setting_options,
)
from onetake.config.config_view import exposures_of, problems_of, shown_value
from onetake.config.ledger_location import home_path
from onetake.config.setting_definitions import SETTINGS
from onetake.config.settings import config_path, load
from onetake.console.streams import print_json, print_stderr, print_text, print_warning
from onetake.console.terminal import safe
from onetake.exit_status import Status


@click.command("config", cls=Command, epilog="Example: ONETAKE_BUCKET=takes onetake config")
@setting_options(*STORAGE, *SERVICE)
@setting_options(*STORAGE_DETAILS, *RATE_LIMITS, SPEECH_MODEL, "consent", "price", advanced=True)
@json_option
def command(*, as_json: bool, **options: str) -> Any:
    """Show all settings with their origins; secrets are masked. An invalid value exits with 2; a settings file that
    other users can change, or whose keys they can read, is a warning.
    """  # noqa: D205 - as one paragraph the help fits a screen
    settings = load(options)
    rows = {
        setting.name: {"value": shown_value(setting, value := settings[setting.name]), "origin": value.origin}
        for setting in SETTINGS
    }
    problems, exposures = list(problems_of(settings)), list(exposures_of(settings))
    if as_json:
        paths = {"file": str(config_path()), "home": str(home_path())}
        invalid = [problem._asdict() for problem in problems]
        warnings = [exposure._asdict() for exposure in exposures]
        print_json({"schema_version": 1, "settings": rows, **paths, "problems": invalid, "warnings": warnings})
    else:
        _print(rows)
    for message, hint in exposures:
        print_warning(f"{message}: {hint}")
    for message, hint in problems:
        print_stderr(f"{click.style('invalid:', fg='red')} {safe(message)}\n  {safe(hint)}")
    return exit_with(Status.USAGE if problems else Status.DONE)


def _print(rows: dict[str, dict[str, str | int | None]]) -> None:
    for setting in SETTINGS:
        value, origin = rows[setting.name]["value"], rows[setting.name]["origin"]
        print_text(f"{setting.name:<18} {safe(str('-' if value is None else value)):<32} {safe(str(origin))}")
    print_text(f"file: {safe(str(config_path()))}; ledger: {safe(str(home_path()))}")
