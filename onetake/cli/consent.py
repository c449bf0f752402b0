"""Who agreed that a voice is cloned: said by a flag or a setting, or asked for where somebody can answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from onetake.console.streams import can_ask

if TYPE_CHECKING:
    from onetake.cloning.order import Order
    from onetake.settings import Settings


def with_known_consent(order: Order, settings: Settings) -> Order:
    """The order with its own consent, else with that of the settings, if there is one."""
    return order if order.consent is not None else replace(order, consent=settings.text("consent"))


def with_consent(order: Order, settings: Settings) -> Order:
    """The order with its own consent, else with that of the settings; asked for once, and not for a sandbox."""
    order = with_known_consent(order, settings)
    if order.consent is None and not settings.is_local and can_ask():
        consent = click.prompt("Who agreed that this voice is cloned, and when", err=True)
        settings.remember("consent", consent)
        return replace(order, consent=consent)
    return order
