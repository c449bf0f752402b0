"""`onetake clone` for several recordings: estimate, confirmation, results as they come, Ctrl-C."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import click

from onetake.cli.options.consent import with_consent, with_known_consent
from onetake.cli.output.batch_output import BatchOutput
from onetake.cli.output.failure import print_failure
from onetake.console.progress import with_progress
from onetake.console.streams import print_stderr
from onetake.console.terminal import can_prompt
from onetake.errors import LedgerFailed, Status, UsageError, failure_of, most_severe, stop_status
from onetake.io.signals import finishing

if TYPE_CHECKING:
    from onetake.clones.batch import BatchClone
    from onetake.clones.cloner import Cloner
    from onetake.clones.request import CloneRequest
    from onetake.config.settings import Settings
    from onetake.console.steps import Steps
    from onetake.ledger import Attempt


@dataclass(frozen=True)
class Limits:
    """Spending limits of one run.

    Attributes:
        clones: Maximum number of clones; None for no limit.
        cost: Maximum cost; None for no limit.
        agreed: Whether the user has agreed beforehand (``--yes``).
    """

    clones: int | None
    cost: str | None
    agreed: bool

    def most_clones(self, price: Decimal | None) -> int | None:
        """The stricter of both limits as a number of clones; None for no limit.

        Raises:
            UsageError: The cost is not a number, or the price is unknown.
        """
        if self.cost is None:
            return self.clones
        if price is None:
            raise UsageError("--max-cost needs the price of a clone", "add --price AMOUNT")
        try:
            cost = Decimal(self.cost)
        except InvalidOperation:
            cost = Decimal(-1)
        if not (cost.is_finite() and cost >= 0):
            raise UsageError(f"--max-cost {self.cost} is not a number", "write it like 99.50")
        affordable = int(cost // price)
        return affordable if self.clones is None else min(self.clones, affordable)

    def require_one(self, price: Decimal | None) -> None:
        """Raise `UsageError` if one clone exceeds the limits."""
        if self.most_clones(price) == 0:
            raise UsageError(f"a clone costs {price}, above --max-cost {self.cost}", "raise --max-cost")


def clone_many(
    cloner: Cloner, requests: list[CloneRequest], settings: Settings, limits: Limits, steps: Steps, form: str
) -> Status:
    """Clone the recordings that have no voice yet, show each result, and return the exit status."""
    from onetake.clones.batch import BatchClone

    price = settings.price()
    requests = [with_known_consent(request, settings) for request in requests]
    batch = BatchClone(cloner, requests, steps, most_clones=limits.most_clones(price))
    output = BatchOutput(form)
    note = "paid calls finish, nothing new is started (Ctrl-C again abandons them)"

    def on_first() -> None:
        batch.stop()
        steps.warn(note)

    try:
        for outcome in batch.find_known():
            output.add(outcome)
        batch.pending = [with_consent(request, settings) for request in batch.pending]
        for request in batch.pending:
            cloner.require_ready(request)
        _ask(batch, len(requests), price, agreed=limits.agreed or settings.is_local)
        with finishing(on_first) as stop, contextlib.closing(batch.run()) as outcomes:
            for outcome in with_progress(outcomes, len(batch.pending), label="cloning"):
                output.add(outcome)
                if output.lost_output:
                    batch.stop()
    except (Exception, KeyboardInterrupt) as error:
        lost = _mark_interrupted(cloner, steps)
        if not (lost or output.has_paid):
            raise
        failure = failure_of(error)
        output.add_rest(requests, lost)
        output.end(price, failure)
        print_failure(failure)
        return most_severe([output.status, failure.status])
    output.end(price)
    return stop_status() if stop.asked_to_stop and output.status is not Status.UNKNOWN else output.status


def _mark_interrupted(cloner: Cloner, steps: Steps) -> list[Attempt]:
    """Mark the paid calls in progress as unknown, and return them; if the ledger fails, that is a warning."""
    try:
        lost = cloner.context.ledger.attempts.mark_interrupted()
    except LedgerFailed as error:
        steps.warn(f"the calls in progress could not be marked as unknown: {error.message}")
        return []
    for attempt in lost:
        steps.warn(f"{attempt.take}: whether its voice was made is unknown (attempt {attempt.id})")
    return lost


def _ask(batch: BatchClone, total: int, price: Decimal | None, *, agreed: bool) -> None:
    """Print the estimate, and ask for confirmation at a terminal."""
    if not batch.to_clone:
        return
    cost = f", at most {price * batch.to_clone:,}" if price is not None else ""
    print_stderr(f"{total} {'recording' if total == 1 else 'recordings'}, up to {batch.to_clone} to be cloned{cost}")
    if not agreed and can_prompt():
        click.confirm("Continue?", abort=True, err=True)
