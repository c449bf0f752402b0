"""Cloning many recordings: the estimate, the question, the results as they come, and Ctrl-C."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

import click

from onetake.cli.consent import with_consent
from onetake.console.documents import print_json
from onetake.console.progress import counted
from onetake.console.streams import can_ask, print_aside, print_line, print_text
from onetake.console.verbosity import is_quiet
from onetake.errors import OutputLost, Status, UsageError
from onetake.interrupts import finishing
from onetake.render.outcomes import csv_line, outcome_fields, outcome_line, summary
from onetake.render.text import safe

if TYPE_CHECKING:
    from onetake.cloning.order import Order
    from onetake.cloning.pipeline import Pipeline
    from onetake.cloning.series import Outcome, Series
    from onetake.console.steps import Steps
    from onetake.settings import Settings


_WEIGHTIEST: Final = (Status.UNKNOWN, Status.BUG, Status.SERVICE, Status.STORAGE, Status.USAGE, Status.NOT_FIT)


@dataclass(frozen=True)
class Limits:
    """How much may be paid.

    Attributes:
        clones: As a number.
        cost: As an amount.
        agreed: Whether the question was answered beforehand.
    """

    clones: int | None
    cost: str | None
    agreed: bool

    def most_clones(self, price: Decimal | None) -> int | None:
        """The smaller of both as a number; None for no limit.

        Raises:
            UsageError: The cost is no amount, or the price is not known.
        """
        if self.cost is None:
            return self.clones
        if price is None:
            raise UsageError("--max-cost needs what a clone costs", "add --price AMOUNT")
        try:
            affordable = int(Decimal(self.cost) // price)
        except (InvalidOperation, ValueError, OverflowError):
            raise UsageError(f"--max-cost {self.cost} is no amount", "write it like 99.50") from None
        return affordable if self.clones is None else min(self.clones, affordable)


def clone_many(
    pipeline: Pipeline, orders: list[Order], settings: Settings, limits: Limits, steps: Steps, form: str
) -> Status:
    """Clone what is not known yet, show each result as it comes, and return the status to exit with."""
    from onetake.cloning.series import Series

    price = settings.price()
    series = Series(pipeline, orders, steps, most_clones=limits.most_clones(price))
    show = _Show(form)
    note = "what is paid for comes to its end, nothing more is begun (Ctrl-C again gives it up)"

    def on_first() -> None:
        series.stop()
        steps.warn(note)

    unknown = False
    try:
        for outcome in series.survey():
            show.outcome(outcome)
        series.left = [with_consent(order, settings) for order in series.left]
        for order in series.left:
            pipeline.require(order)
        _ask(series, len(orders), price, agreed=limits.agreed or settings.is_local)
        with finishing(on_first) as patience, contextlib.closing(series.run()) as outcomes:
            for outcome in counted(outcomes, len(series.left), doing="cloning"):
                show.outcome(outcome)
                if show.lost_output:
                    series.stop()
    except KeyboardInterrupt:
        for attempt in pipeline.ledger.attempts.give_up():
            steps.warn(f"{attempt.take}: whether its voice was made is not known (attempt {attempt.id})")
            unknown = True
        if not unknown:
            raise
        return Status.UNKNOWN
    show.end(price)
    return Status.INTERRUPTED if patience.asked_to_stop and show.status is not Status.UNKNOWN else show.status


def _ask(series: Series, total: int, price: Decimal | None, *, agreed: bool) -> None:
    """Say what it may cost, and ask where somebody can answer."""
    if not series.to_clone:
        return
    cost = f", at most {price * series.to_clone:,}" if price is not None else ""
    print_aside(f"{total} recordings, up to {series.to_clone} to be cloned{cost}")
    if not agreed and can_ask():
        click.confirm("Go on?", abort=True, err=True)


class _Show:
    """Prints each outcome as it comes, and remembers how they ended."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._outcomes: list[Outcome] = []
        self.lost_output: OutputLost | None = None
        if form == "csv":
            print_line(csv_line(None))

    @property
    def status(self) -> Status:
        """What to exit with: an unknown outcome weighs most."""
        found = {outcome.failure.status for outcome in self._outcomes if outcome.failure}
        if any(outcome.cloned and outcome.cloned.name is None for outcome in self._outcomes):
            found.add(Status.UNKNOWN)
        return next((status for status in _WEIGHTIEST if status in found), Status.DONE)

    def outcome(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        for warning in outcome.warnings:
            print_aside(f"{click.style('warning:', fg='yellow')} {safe(_about(outcome, warning))}")
        try:
            self._print(outcome)
        except OutputLost as error:  # what is paid for still comes to its end
            self.lost_output = self.lost_output or error

    def _print(self, outcome: Outcome) -> None:
        if self.lost_output:
            return
        if self._form == "jsonl":
            print_json(outcome_fields(outcome), in_one_line=True)
        elif self._form == "csv":
            print_line(csv_line(outcome))
        elif self._form == "text":
            print_text(outcome_line(outcome))

    def end(self, price: Decimal | None) -> None:
        if self.lost_output:
            raise self.lost_output
        counts = summary(self._outcomes)
        if self._form == "json":
            takes = [outcome_fields(outcome) for outcome in self._outcomes]
            print_json({"schema_version": 1, "takes": takes, "summary": counts})
        told = ", ".join(f"{count} {ending}" for ending, count in counts.items())
        cost = f"; about {price * counts.get('cloned', 0):,} to pay" if price is not None else ""
        if not is_quiet():
            print_aside(f"{told}{cost}")


def _about(outcome: Outcome, warning: str) -> str:
    return warning if warning.startswith(outcome.path) else f"{outcome.path}: {warning}"
