"""What came of many recordings, shown as it comes."""

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


class Shown:
    """Prints each outcome as it comes, and remembers how they ended.

    Args:
        form: In which it is printed: ``text``, ``json``, ``jsonl``, ``csv`` or ``junit``.

    Attributes:
        lost_output: Why nothing can be printed any more.
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
        """What to exit with: an unknown outcome weighs most."""
        found = {outcome.failure.status for outcome in self._outcomes if outcome.failure}
        if any(outcome.cloned and outcome.cloned.name is None for outcome in self._outcomes):
            found.add(Status.UNKNOWN)
        return most_severe(found)

    @property
    def has_paid(self) -> bool:
        """Whether what came until now must be told, whatever else is the matter."""
        return any(outcome.ending in {"cloned", "unknown"} for outcome in self._outcomes)

    def rest(self, requests: list[CloneRequest], lost: list[Attempt]) -> None:
        """Tell how those ended that were given up, and those that were not begun."""
        unknown = {attempt.take: attempt for attempt in lost}
        told = Counter(outcome.path for outcome in self._outcomes)
        for request in requests:
            path = display_name(request.take)
            if told[path]:
                told[path] -= 1
                continue
            attempt = unknown.get(display_name(as_path(request.take).absolute()))
            if attempt is None:
                self.outcome(Outcome(path=path, ending="not-started", failure=stopped_before_turn()))
            else:
                self.outcome(Outcome(path=path, ending="unknown", failure=failure_of(not_settled(attempt))))

    def outcome(self, outcome: Outcome) -> None:
        """Print what came of one recording."""
        self._outcomes.append(outcome)
        self._stopwatch.split()
        for warning in outcome.warnings:
            print_stderr(f"{click.style('warning:', fg='yellow')} {safe(_about(outcome, warning))}")
        try:
            self._print(outcome)
        except OutputLost as error:  # what is paid for still comes to its end
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
        """Print what can be said of all of them.

        Args:
            price: Of a clone.
            failure: Why it came to an early end.

        Raises:
            OutputLost: Something could not be printed.
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
        told = ", ".join(f"{count} {ending}" for ending, count in counts.items())
        cost = f"; about {price * counts.get('cloned', 0):,} to pay" if price is not None else ""
        if not is_quiet():
            print_stderr(f"{told}{cost}")


def _about(outcome: Outcome, warning: str) -> str:
    return warning if warning.startswith(outcome.path) else f"{outcome.path}: {warning}"
