"""`onetake rule`."""

from __future__ import annotations

import click

from onetake.cli.command import Command
from onetake.console.streams import print_text
from onetake.errors import UsageError


def _rules(_ctx: click.Context, _argument: click.Parameter, begun: str) -> list[str]:
    from preflight import RULES

    return [name for name in RULES if name.startswith(begun)]


@click.command("rule", cls=Command, epilog="Example: onetake rule too-short")
@click.argument("name", required=False, shell_complete=_rules)
def command(name: str | None) -> None:
    """Explain a rule: what it finds, why, by which source, and how to mend it. Without NAME, list all."""
    from preflight import RULES

    if name is None:
        for rule in RULES.values():
            print_text(f"{rule.name:<20} {rule.severity:<8} {rule.what}")
        return
    if name not in RULES:
        raise UsageError(f"there is no rule {name!r}", f"the rules are {', '.join(RULES)}")
    rule = RULES[name]
    print_text(f"{rule.name} ({rule.severity})")
    for title, text in (("What", rule.what), ("Why", rule.why), ("Source", rule.source), ("Mend", rule.mend)):
        print_text(f"{title + ':':<8}{text}")
    for threshold in rule.thresholds:
        print_text(f"  {threshold.name} = {threshold.value:g}  ({threshold.source.rstrip('.')})")
