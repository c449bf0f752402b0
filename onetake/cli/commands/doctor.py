"""`onetake doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from onetake.cli.main import Command, exit_with
from onetake.cli.options import (
    SERVICE,
    STORAGE,
    STORAGE_DETAILS,
    json_option,
    sandbox_option,
    services,
    setting_options,
)
from onetake.console.streams import print_json, print_text
from onetake.console.terminal import safe
from onetake.exit_status import Status

if TYPE_CHECKING:
    from onetake.doctor import Component


@click.command("doctor", cls=Command, epilog="Example: onetake doctor --sandbox")
@setting_options(*STORAGE)
@setting_options(*STORAGE_DETAILS, *SERVICE, advanced=True)
@sandbox_option
@json_option
def command(*, sandbox: bool, as_json: bool, **options: Any) -> Any:
    """Test each component (decoders, settings, ledger, key, storage, clock) and suggest fixes for those that fail.

    Nothing is sent to the clone service.
    """
    from onetake.doctor import check_components

    components: list[Component] = []
    with services(options, sandbox=sandbox) as (settings, home):
        for component in check_components(settings, home):
            components.append(component)
            if not as_json:
                _print(component)
    if as_json:
        print_json({"schema_version": 1, "parts": components})
    return exit_with(max((component.status for component in components), default=Status.DONE))


def _print(component: Component) -> None:
    state = "ok" if component.status == Status.DONE else "PROBLEM"
    print_text(f"{state:<8} {component.name:<10} {safe(component.message)}")
    if component.hint:
        print_text(f"{'':<20}{safe(component.hint)}")
    for warning in component.warnings:
        print_text(f"{'WARNING':<8} {component.name:<10} {safe(warning)}")
