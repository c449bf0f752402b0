"""Print the outcomes of `onetake clone` for several recordings, each as it comes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from onetake.clones.batch import Outcome
from onetake.clones.dedupe import as_path, not_settled
from onetake.console.progress import Stopwatch
from onetake.console.streams import print_json, print_line, print_stderr, print_text
from onetake.console.verbosity import is_quiet
from onetake.errors import Failure, OutputLost, Status, failure_of, most_severe, stopped_before_turn
from onetake.render.outcomes import CSV_HEADER, csv_line, error_fields, outcome_fields, outcome_line, summary
from onetake.render.text import safe
from preflight.input.source import display_name

if TYPE_CHECKING:
    from decimal import Decimal

    from onetake.clones.request import CloneRequest
    from onetake.ledger import Attempt


class BatchOutput:
    """Prints outcomes, and collects them.

    Args:
        form: ``text``, ``json``, ``jsonl``, ``csv`` or ``junit``.

    Attributes:
        lost_output: Why standard output can no longer be written; None while it can.
    """

    def __init__(self, form: str) -> None:
        self._form = form
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
            print_text(outcome_line(outcome))

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

            print_line(junit_outcomes(self._outcomes, self._stopwatch.seconds))
        summary_text = ", ".join(f"{count} {ending}" for ending, count in counts.items())
        cost = f"; about {price * counts.get('cloned', 0):,} to pay" if price is not None else ""
        if not is_quiet():
            print_stderr(f"{summary_text}{cost}")


def _with_path(outcome: Outcome, warning: str) -> str:
    return warning if warning.startswith(outcome.path) else f"{outcome.path}: {warning}"
