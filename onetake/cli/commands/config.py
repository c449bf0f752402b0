"""`onetake config`."""

from __future__ import annotations

from typing import Any

import click

from onetake.cli import exit_with
from onetake.cli.command import Command
from onetake.cli.options.shared import (
    PACE,
    SERVICE,
    SPEECH_MODEL,
    STORAGE,
    STORAGE_DETAILS,
    json_option,
    setting_options,
)
from onetake.config.config_view import exposures_of, problems_of, shown_value
from onetake.config.settings import config_path, home_path, load
from onetake.config.settings_table import SETTINGS
from onetake.console.json_output import print_json
from onetake.console.steps import print_warning
from onetake.console.streams import print_aside, print_text
from onetake.errors import Status
from onetake.render.text import safe


@click.command("config", cls=Command, epilog="Example: ONETAKE_BUCKET=takes onetake config")
@setting_options(*STORAGE, *SERVICE)
@setting_options(*STORAGE_DETAILS, *PACE, SPEECH_MODEL, "consent", "price", further=True)
@json_option
def command(*, as_json: bool, **flags: str) -> Any:
    """Show every setting, its value and where it comes from; secrets are masked. An invalid value is reported and sets
    the status to 2; a settings file that other users can change, or read the keys of, is a warning.
    """  # noqa: D205 - as one paragraph the help fits a screen
    settings = load(flags)
    shown = {
        setting.name: {"value": shown_value(setting, value := settings[setting.name]), "origin": value.origin}
        for setting in SETTINGS
    }
    problems, exposures = list(problems_of(settings)), list(exposures_of(settings))
    if as_json:
        places = {"file": str(config_path()), "home": str(home_path())}
        wrong = [problem._asdict() for problem in problems]
        warnings = [exposure._asdict() for exposure in exposures]
        print_json({"schema_version": 1, "settings": shown, **places, "problems": wrong, "warnings": warnings})
    else:
        _print(shown)
    for message, hint in exposures:
        print_warning(f"{message}: {hint}")
    for message, hint in problems:
        print_aside(f"{click.style('wrong:', fg='red')} {safe(message)}\n  {safe(hint)}")
    return exit_with(Status.USAGE if problems else Status.DONE)


def _print(shown: dict[str, dict[str, str | int | None]]) -> None:
    for setting in SETTINGS:
        value, origin = shown[setting.name]["value"], shown[setting.name]["origin"]
        print_text(f"{setting.name:<18} {safe(str('-' if value is None else value)):<32} {safe(str(origin))}")
    print_text(f"file: {safe(str(config_path()))}; ledger: {safe(str(home_path()))}")
