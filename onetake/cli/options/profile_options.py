"""Options for the profile: which rules run, with which severities and thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from onetake.cli.command import AdvancedOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from preflight import Profile

_HELP: Final = {
    "--select": ("RULE", "Run only these rules (repeatable, or a,b)."),
    "--profile": ("NAME|TOML", "default, strict, or a TOML file."),
    "--ignore": ("RULE", "Skip these rules (repeatable, or a,b)."),
    "--severity": ("RULE=LEVEL", "error, warning, info or off (repeatable)."),
}


def profile_options(*, with_select: bool = False) -> Callable[[Any], Any]:
    """Add the options that `profile_from` reads.

    Args:
        with_select: For `check`: add ``--select``, and show the options in ``--help``.
    """
    names = [name for name in _HELP if with_select or name != "--select"]

    def decorate(function: Any) -> Any:
        for name in reversed(names):
            metavar, text = _HELP[name]
            kind = click.Option if with_select else AdvancedOption
            is_multiple = name != "--profile"
            function = click.option(name, cls=kind, multiple=is_multiple, metavar=metavar, help=text)(function)
        return function

    return decorate


def profile_from(options: dict[str, Any]) -> Profile:
    """Build the profile from the options, and remove them from `options`.

    Raises:
        preflight.BadProfile: The profile, a rule or a severity does not exist.
    """
    from preflight import PROFILES, BadProfile, load_profile

    name = options.pop("profile") or "default"
    if name not in PROFILES and not (Path(name).suffix or Path(name).exists()):
        raise BadProfile(f"there is no profile {name!r}", f"choose {', '.join(PROFILES)}, or a TOML file")
    profile = PROFILES.get(name) or load_profile(name)
    levels = {}
    for pair in names_in(options.pop("severity")):
        rule, equals, level = pair.partition("=")
        if not equals:
            raise BadProfile(f"--severity {pair} names no severity", "write --severity RULE=warning")
        levels[rule] = level
    return profile.changed(
        select=names_in(options.pop("select", ())), ignore=names_in(options.pop("ignore")), levels=levels
    )


def names_in(values: tuple[str, ...]) -> list[str]:
    """The names in the values of an option that is repeatable and accepts comma-separated names.

    >>> names_in(("clipped, too-short", "noise"))
    ['clipped', 'too-short', 'noise']
    """
    return [part.strip() for value in values for part in value.split(",") if part.strip()]
