"""`onetake config`."""

from __future__ import annotations

import click

from onetake.cli.command import Command
from onetake.cli.options import PACE, SERVICE, SPEECH_MODEL, STORAGE, STORAGE_DETAILS, json_option, setting_options
from onetake.console.documents import print_json
from onetake.console.streams import print_text
from onetake.render.text import safe
from onetake.settings import SETTINGS, Value, config_path, home_path, load


@click.command("config", cls=Command, epilog="Example: ONETAKE_BUCKET=takes onetake config")
@setting_options(*STORAGE, *SERVICE)
@setting_options(*STORAGE_DETAILS, *PACE, SPEECH_MODEL, "consent", "price", further=True)
@json_option
def command(*, as_json: bool, **flags: str) -> None:
    """Show every setting, its value and where it comes from; secrets are masked."""
    settings = load(flags)
    shown = {setting.name: _shown(settings[setting.name], secret=setting.secret) for setting in SETTINGS}
    if as_json:
        places = {"file": str(config_path()), "home": str(home_path())}
        print_json({"schema_version": 1, "settings": shown, **places})
        return
    for setting in SETTINGS:
        value, origin = shown[setting.name]["value"], shown[setting.name]["origin"]
        print_text(f"{setting.name:<18} {safe(str('-' if value is None else value)):<32} {safe(str(origin))}")
    print_text(f"file: {safe(str(config_path()))}; ledger: {safe(str(home_path()))}")


def _shown(value: Value, *, secret: bool) -> dict[str, str | int | None]:
    masked = "********" if secret and value.value is not None else value.value
    return {"value": masked, "origin": value.origin}
