"""Outcomes of `onetake clone` for each recording, as text, JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from onetake.console.terminal import safe
from onetake.render.text import local_time, styled

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from onetake.cli.output.dry_run import Plan
    from onetake.clones.batch import Outcome
    from onetake.errors import Failure

_SERVICE_FIELDS: Final = ("service_message", "trace_id", "http_status", "code")
COLUMNS: Final = (
    *("path", "ending", "voice_id", "name", "expires_at", "demo", "error", "message", "hint"),
    *_SERVICE_FIELDS,
)
CSV_HEADER: Final = ",".join(COLUMNS)
SANDBOX_ENDED: Final = (
    "rehearsal: no real voice was made, and nothing was paid; without --sandbox, voices are real and paid"
)
_COLORS: Final = {"cloned": "green", "known": "green", "refused": "red", "failed": "red", "unknown": "red"}


def outcome_line(outcome: Outcome, *, sandbox: bool = False) -> str:
    """One line for people: the outcome, the recording, and the voice or the reason.

    Args:
        outcome: Of one recording.
        sandbox: Whether the voice ends with the sandbox of this run, before it expires.
    """
    line = f"{styled(f'{outcome.ending:<11}', _COLORS.get(outcome.ending))} {safe(outcome.path)}"
    if outcome.cloned is not None:
        cloned = outcome.cloned
        stays = "kept" if cloned.expires_at is None else f"until {until(cloned.expires_at)}"
        named = f"  {safe(cloned.name)}" if cloned.name else ""
        return f"{line}{named}  {safe(cloned.voice_id)}{'' if sandbox else f'  {stays}'}"
    if outcome.failure is not None:
        hint = f" ({safe(outcome.failure.hint)})" if outcome.failure.hint else ""
        trace_id = f" [trace id {safe(outcome.failure.trace_id)}]" if outcome.failure.trace_id else ""
        return f"{line}  {safe(outcome.failure.message)}{hint}{trace_id}"
    return line


def until(moment: datetime) -> str:
    """A point in time in local time, to the minute, with the time zone."""
    return f"{local_time(moment):%Y-%m-%d %H:%M %Z}"


def error_fields(failure: Failure) -> dict[str, Any]:
    """A failure as a JSON object."""
    details = {"details": failure.details} if failure.details else {}
    service = {name: getattr(failure, name) for name in _SERVICE_FIELDS if getattr(failure, name) not in {None, ""}}
    return {"kind": failure.kind, "message": failure.message, "hint": failure.hint, **details, **service}


def outcome_fields(outcome: Outcome) -> dict[str, Any]:
    """An outcome as a JSON object."""
    cloned = msgspec.to_builtins(outcome.cloned) if outcome.cloned else {}
    error = error_fields(outcome.failure) if outcome.failure else None
    return {"path": outcome.path, "ending": outcome.ending, **cloned, "error": error, "warnings": outcome.warnings}


def csv_line(fields: dict[str, Any]) -> str:
    """An outcome or a plan as a row of CSV (RFC 4180) with the columns of `CSV_HEADER`."""
    error = fields["error"] or {}
    values = {**fields, "error": error.get("kind"), "message": error.get("message"), "hint": error.get("hint")}
    values |= {name: error[name] for name in _SERVICE_FIELDS if name in error}
    return csv_row(values.get(name) for name in COLUMNS)


_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Spreadsheets evaluate cells that start with these; the last four are full-width forms (OWASP, "CSV Injection")."""


def csv_row(values: Iterable[object]) -> str:
    """A row of CSV without a line break; None is an empty cell, and text that looks like a formula is prefixed by '."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(map(_csv_cell, values))
    # not lineterminator="": before Python 3.13 the writer quotes line breaks only if they are in the terminator
    return buffer.getvalue().removesuffix("\r\n")


def _csv_cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value


def summary(outcomes: Iterable[Outcome | Plan]) -> dict[str, int]:
    """The number of outcomes of each kind."""
    return dict(Counter(outcome.ending for outcome in outcomes))
