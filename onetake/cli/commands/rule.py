"""`onetake rule`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from onetake.cli.main import Command
from onetake.cli.options import json_option
from onetake.console.streams import print_json, print_text
from onetake.errors import UsageError
from preflight.display.text import did_you_mean

if TYPE_CHECKING:
    from preflight import Rule


def _complete_rule(_ctx: click.Context, _argument: click.Parameter, incomplete: str) -> list[str]:
    from preflight import RULES

    return [name for name in RULES if name.startswith(incomplete)]


@click.command("rule", cls=Command, epilog="Example: onetake rule too-short")
@click.argument("name", required=False, shell_complete=_complete_rule)
@json_option
def command(name: str | None, *, as_json: bool) -> None:
    """Explain a rule: what it finds, why, its source, and how to fix it. Without NAME, list all rules."""
    from preflight import RULES

    if as_json and (name is None or name in RULES):
        print_json({"schema_version": 1, "rules": [_fields(RULES[each]) for each in ([name] if name else RULES)]})
        return
    if name is None:
        for rule in RULES.values():
            print_text(f"{rule.name:<20} {rule.severity:<8} {rule.what}")
        return
    if name not in RULES:
        raise UsageError(f"there is no rule {name!r}", did_you_mean(name, RULES, f"the rules are {', '.join(RULES)}"))
    rule = RULES[name]
    print_text(f"{rule.name} ({rule.severity})")
    for title, text in (("What", rule.what), ("Why", rule.why), ("Source", rule.source), ("Fix", rule.fix_hint)):
        print_text(f"{title + ':':<8}{text}")
    for threshold in rule.thresholds:
        print_text(f"  {threshold.name} = {threshold.value:g}  ({threshold.source.rstrip('.')})")
        if threshold.poor is not None:
            print_text(f"    poor {threshold.side} {threshold.poor:g}  ({threshold.poor_source.rstrip('.')})")
        elif threshold.poor_source:
            print_text(f"    never poor  ({threshold.poor_source.rstrip('.')})")


def _fields(rule: Rule) -> dict[str, Any]:
    thresholds = [
        {
            "name": limit.name,
            "value": limit.value,
            "source": limit.source,
            "poor": limit.poor,
            "poor_source": limit.poor_source,
        }
        for limit in rule.thresholds
    ]
    names = {"what": rule.what, "why": rule.why, "source": rule.source, "fix": rule.fix_hint}
    return {"name": rule.name, "severity": rule.severity, "label": rule.label, **names, "thresholds": thresholds}
