"""Errors of the PostgreSQL server and of its driver, as one message and a hint."""

from __future__ import annotations

from typing import Final

from onetake.errors import LedgerFailed

NO_MORE: Final = "nothing more is paid for in this run; when the server answers again, run the command again"
POOLED: Final = (
    "connect to the server itself, or to a pooler in session mode (often another port, such as 5432 instead of 6543)"
)
_HINTS: Final = {
    "28": "check user and password; a password belongs in ~/.pgpass or in PGPASSWORD",
    "3D": "create it: createdb onetake",
    "42501": "let the user create the schema onetake: GRANT CREATE ON DATABASE … TO …",
    "25006": "the server is a read-only standby: name the primary",
    "53": "the server is out of resources: free some, then run this again",
    "57": NO_MORE,
}
"""Hints by SQLSTATE, or its class (PostgreSQL, appendix A)."""


def failure_of(error: Exception, place: str, wait_s: float) -> LedgerFailed | None:
    """Return the error to raise for an error of psycopg; None for another one."""
    import psycopg

    if isinstance(error, psycopg.errors.LockNotAvailable):
        message = f"the ledger at {place} was locked by another run for {wait_s:g} s"
        return LedgerFailed(message, "wait until it ends, then run this again")
    if isinstance(error, psycopg.errors.InvalidSqlStatementName):  # a prepared statement of another server process
        return LedgerFailed(f"{place} is a connection pooler in transaction mode", POOLED)
    if not isinstance(error, psycopg.Error | UnicodeError):
        return None
    state = getattr(error, "sqlstate", None) or ""
    hint = _HINTS.get(state) or _HINTS.get(state[:2]) or "check that the server runs and can be reached"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return LedgerFailed(f"the ledger at {place} cannot be used: {lines[0]}", hint)
