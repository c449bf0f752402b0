"""Who agreed that a voice is cloned: said by a flag or a setting, or asked for where somebody can answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from onetake.console.terminal import can_prompt

if TYPE_CHECKING:
    from onetake.clones.request import CloneRequest
    from onetake.config.settings import Settings


_SHORTEST = 5
"""A name and a date are longer; yes and no are not."""


def _statement(answer: str) -> str:
    if len(answer.strip()) < _SHORTEST:
        raise click.BadParameter("write a name and a date")
    return answer.strip()


def with_known_consent(request: CloneRequest, settings: Settings) -> CloneRequest:
    """The request with its own consent, else with that of the settings, if there is one."""
    return request if request.consent is not None else replace(request, consent=settings.text("consent"))


def with_consent(request: CloneRequest, settings: Settings) -> CloneRequest:
    """The request with its own consent, else with that of the settings; asked for once, and not for a sandbox."""
    request = with_known_consent(request, settings)
    if request.consent is None and not settings.is_local and can_prompt():
        consent = click.prompt(
            "Who agreed that this voice is cloned, and when (such as Ann Example, 2026-11-01)",
            err=True,
            value_proc=_statement,
        )
        settings.remember("consent", consent)
        return replace(request, consent=consent)
    return request
