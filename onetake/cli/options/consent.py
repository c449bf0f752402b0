"""The statement of consent: from an option, a manifest or a setting, or asked for at a terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from onetake.console.terminal import can_prompt

if TYPE_CHECKING:
    from onetake.clones.request import CloneRequest
    from onetake.config.settings import Settings


_MIN_LENGTH = 5
"""Long enough to refuse "yes" and "no"; a name and a date are longer."""


def _statement(answer: str) -> str:
    if len(answer.strip()) < _MIN_LENGTH:
        raise click.BadParameter("write a name and a date")
    return answer.strip()


def with_known_consent(request: CloneRequest, settings: Settings) -> CloneRequest:
    """The request with its own consent, else with that of the settings, if any."""
    return request if request.consent is not None else replace(request, consent=settings.text("consent"))


def with_consent(request: CloneRequest, settings: Settings) -> CloneRequest:
    """The request with its own consent, else that of the settings, else the user's answer, which is asked for once."""
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
