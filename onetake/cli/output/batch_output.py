"""Clone several recordings and print the outcomes, each as it comes."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING

import click

from onetake.cli.options import with_consent, with_known_consent
from onetake.cli.output.failure import print_failure
from onetake.clones.batch import Outcome
from onetake.clones.dedupe import as_path, not_settled, paid_once
from onetake.console.progress import Stopwatch, with_progress
from onetake.console.streams import print_document, print_json, print_line, print_stderr, print_text
from onetake.console.terminal import can_prompt, is_quiet, safe
from onetake.errors import Failure, LedgerFailed, OutputLost, failure_of, stopped_before_turn
from onetake.exit_status import Status, most_severe, stop_status
from onetake.io.signals import finishing
from onetake.render.outcomes import (
    CSV_HEADER,
    SANDBOX_ENDED,
    csv_line,
    error_fields,
    outcome_fields,
    outcome_line,
    summary,
)
from preflight.input.source import display_name

if TYPE_CHECKING:
    from decimal import Decimal

    from onetake.cli.commands.clone import SpendingLimits
    from onetake.clones.batch import BatchClone
    from onetake.clones.cloner import Cloner
    from onetake.clones.request import CloneRequest
    from onetake.config.settings import Settings
    from onetake.console.progress import Steps
    from onetake.ledger import Attempt


class BatchOutput:
    """Prints outcomes, and collects them.

    Args:
        form: ``text``, ``json``, ``jsonl``, ``csv`` or ``junit``.
        sandbox: Whether the voices end with a sandbox of this run, and nothing is paid.

    Attributes:
        lost_output: Why standard output can no longer be written; None while it can.
    """

    def __init__(self, form: str, *, sandbox: bool = False) -> None:
        self._form = form
        self._sandbox = sandbox
        self._outcomes: list[Outcome] = []
        self.lost_output: OutputLost | None = None
        self._stopwatch = Stopwatch()
        if form == "csv":
            print_line(CSV_HEADER)

    @property
    def status(self) -> Status:
        """The exit status: the most severe of all outcomes."""
        found = {outcome.failure.status for outcome in self._outcomes if outcome.failure}
        if any(outcome.cloned and outcome.cloned.name is None for outcome in self._outcomes):
            found.add(Status.UNKNOWN)
        return most_severe(found)

    @property
    def has_paid(self) -> bool:
        """Whether a call was or may have been paid, so that the outcomes must be printed even after a failure."""
        return any(outcome.ending in {"cloned", "unknown"} for outcome in self._outcomes)

    def add_rest(self, requests: list[CloneRequest], lost: list[Attempt]) -> None:
        """Add the outcomes of calls that were abandoned, and of recordings that were not started."""
        unknown = {attempt.take: attempt for attempt in lost}
        printed = Counter(outcome.path for outcome in self._outcomes)
        for request in requests:
            path = display_name(request.take)
            if printed[path]:
                printed[path] -= 1
                continue
            attempt = unknown.get(display_name(as_path(request.take).absolute()))
            if attempt is None:
                self.add(Outcome(path=path, ending="not-started", failure=stopped_before_turn()))
            else:
                self.add(Outcome(path=path, ending="unknown", failure=failure_of(not_settled(attempt))))

    def add(self, outcome: Outcome) -> None:
        """Print the outcome of one recording."""
        self._outcomes.append(outcome)
        self._stopwatch.split()
        for warning in outcome.warnings:
            print_stderr(f"{click.style('warning:', fg='yellow')} {safe(_with_path(outcome, warning))}")
        try:
            self._print(outcome)
        except OutputLost as error:  # paid calls in progress still finish
            self.lost_output = self.lost_output or error

    def _print(self, outcome: Outcome) -> None:
        if self.lost_output:
            return
        if self._form == "jsonl":
            print_json({"schema_version": 1, **outcome_fields(outcome)}, in_one_line=True)
        elif self._form == "csv":
            print_line(csv_line(outcome_fields(outcome)))
        elif self._form == "text":
            print_text(outcome_line(outcome, sandbox=self._sandbox))

    def end(self, price: Decimal | None, failure: Failure | None = None) -> None:
        """Print the document or the summary of all outcomes.

        Args:
            price: The price of a clone, if known.
            failure: Why the run ended early, if it did.

        Raises:
            OutputLost: An outcome could not be printed.
        """
        if self.lost_output:
            raise self.lost_output
        counts = summary(self._outcomes)
        if self._form == "json":
            takes = [outcome_fields(outcome) for outcome in self._outcomes]
            error = {"error": error_fields(failure)} if failure else {}
            print_json({"schema_version": 1, "takes": takes, "summary": counts, **error})
        elif self._form == "junit":
            from onetake.render.junit import junit_outcomes

            print_document(junit_outcomes(self._outcomes, self._stopwatch.seconds))
        summary_text = ", ".join(f"{count} {ending}" for ending, count in counts.items())
        payer = "would be paid without --sandbox" if self._sandbox else "to pay"
        cloned = counts.get("cloned", 0)
        cost = f"; about {price * cloned:,} {payer}" if price is not None and cloned else ""
        if not is_quiet():
            print_stderr(f"{summary_text}{cost}")
        if self._sandbox and self._form == "text" and counts.get("cloned"):
            print_text(SANDBOX_ENDED)


def _with_path(outcome: Outcome, warning: str) -> str:
    return warning if warning.startswith(outcome.path) else f"{outcome.path}: {warning}"


def clone_many(
    cloner: Cloner,
    requests: list[CloneRequest],
    settings: Settings,
    limits: SpendingLimits,
    steps: Steps,
    form: str,
    *,
    sandbox: bool,
) -> Status:
    """Clone the recordings that have no voice yet, show each result, and return the exit status."""
    from onetake.clones.batch import BatchClone

    price = settings.price()
    requests = [with_known_consent(request, settings) for request in requests]
    requests = paid_once(requests, cloner.context.client.base_url)
    batch = BatchClone(cloner, requests, steps, most_clones=limits.most_clones(price))
    output = BatchOutput(form, sandbox=sandbox)
    note = "waiting for the paid calls in progress; no new ones are started (Ctrl-C again abandons them)"

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
    most = batch.most_to_clone()
    if not most:
        return
    cost = f", at most {price * most:,}" if price is not None else ""
    print_stderr(f"{total} {'recording' if total == 1 else 'recordings'}, up to {most} to be cloned{cost}")
    if not agreed and can_prompt():
        click.confirm("Continue?", abort=True, err=True)
