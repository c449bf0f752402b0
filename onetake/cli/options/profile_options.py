"""Options that say how the rules judge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from onetake.cli.command import FurtherOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from preflight import Profile

_HELP: Final = {
    "--select": ("RULE", "Ask only this rule (repeatable, or a,b)."),
    "--profile": ("NAME|TOML", "default, strict, or a file of your own."),
    "--ignore": ("RULE", "Do not ask this rule (repeatable, or a,b)."),
    "--severity": ("RULE=LEVEL", "error, warning, info or off (repeatable)."),
}


def judging_options(*, judging: bool = False) -> Callable[[Any], Any]:
    """Flags for a profile and for what overrules it; `profile_from` understands them.

    Args:
        judging: Whether that is what the command is for: rules can be selected then, too.
    """
    names = [name for name in _HELP if judging or name != "--select"]

    def decorate(function: Any) -> Any:
        for name in reversed(names):
            metavar, told = _HELP[name]
            kind = click.Option if judging else FurtherOption
            is_multiple = name != "--profile"
            function = click.option(name, cls=kind, multiple=is_multiple, metavar=metavar, help=told)(function)
        return function

    return decorate


def profile_from(flags: dict[str, Any]) -> Profile:
    """The profile that the flags ask for; they are taken out of `flags`.

    Raises:
        preflight.BadProfile: They ask for what does not exist.
    """
    from preflight import PROFILES, BadProfile, load_profile

    name = flags.pop("profile") or "default"
    if name not in PROFILES and not (Path(name).suffix or Path(name).exists()):
        raise BadProfile(f"there is no profile {name!r}", f"there are {', '.join(PROFILES)}, or name a TOML file")
    profile = PROFILES.get(name) or load_profile(name)
    levels = {}
    for pair in names_in(flags.pop("severity")):
        rule, equals, level = pair.partition("=")
        if not equals:
            raise BadProfile(f"--severity {pair} names no severity", "write --severity RULE=warning")
        levels[rule] = level
    return profile.changed(
        select=names_in(flags.pop("select", ())), ignore=names_in(flags.pop("ignore")), levels=levels
    )


def names_in(values: tuple[str, ...]) -> list[str]:
    """The names in the values of a flag that can be repeated, or holds several with commas between."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]
