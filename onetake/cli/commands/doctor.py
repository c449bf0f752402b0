"""`onetake doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from onetake.cli import exit_with
from onetake.cli.command import Command
from onetake.cli.options.shared import (
    SERVICE,
    STORAGE,
    STORAGE_DETAILS,
    json_option,
    sandbox_option,
    services,
    setting_options,
)
from onetake.console.json_output import print_json
from onetake.console.streams import print_text
from onetake.errors import Status
from onetake.render.text import safe

if TYPE_CHECKING:
    from onetake.doctor import Part


@click.command("doctor", cls=Command, epilog="Example: onetake doctor --sandbox")
@setting_options(*STORAGE)
@setting_options(*STORAGE_DETAILS, *SERVICE, further=True)
@sandbox_option
@json_option
def command(*, sandbox: bool, as_json: bool, **flags: Any) -> Any:
    """Try each part (decoders, storage, key, clock) and say what to do about those that fail.

    Nothing is sent to the clone service.
    """
    from onetake.doctor import examine_parts

    parts: list[Part] = []
    with services(flags, sandbox=sandbox) as (settings, home):
        for part in examine_parts(settings, home):
            parts.append(part)
            if not as_json:
                _show(part)
    if as_json:
        print_json({"schema_version": 1, "parts": parts})
    return exit_with(max((part.status for part in parts), default=Status.DONE))


def _show(part: Part) -> None:
    print_text(f"{'ok' if part.status == Status.DONE else 'PROBLEM':<8} {part.name:<10} {safe(part.message)}")
    if part.hint:
        print_text(f"{'':<20}{safe(part.hint)}")
    for warning in part.warnings:
        print_text(f"{'WARNING':<8} {part.name:<10} {safe(warning)}")
