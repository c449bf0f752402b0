"""Delete a voice: every row about it, and about recordings that have no other voice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onetake.errors import UsageError

if TYPE_CHECKING:
    from onetake.ledger.protocol import Connection
    from onetake.ledger.records import VoiceRecord

_OF_VOICE = "base_url = ? AND voice_id = ?"


def forget_voice(connection: Connection, voice: VoiceRecord, *, with_unknown: bool) -> set[str]:
    """Delete a voice, its speech calls, its attempts, and its recordings unless they have another voice.

    Args:
        connection: In a transaction.
        voice: The voice.
        with_unknown: Also delete calls whose outcome is unknown.

    Returns:
        The ids of the deleted calls.

    Raises:
        UsageError: There are such calls, or one is in progress.
    """
    key = (voice.base_url, voice.voice_id)
    by_attempt = {
        row["id"]: row["take"]
        for row in connection.execute(
            f"SELECT id, take FROM attempts WHERE ({_OF_VOICE}) OR id = ?", (*key, voice.attempt or "")
        )
    }
    speeches = {row["id"] for row in connection.execute(f"SELECT id FROM speeches WHERE {_OF_VOICE}", key)}
    orphans = [
        take for take in _same_recordings(connection, set(by_attempt.values())) if not _is_needed(connection, take, key)
    ]
    attempts = {*by_attempt}
    for take in orphans:
        attempts |= {row["id"] for row in connection.execute("SELECT id FROM attempts WHERE take = ?", (take,))}
    _require_ended(connection, attempts, speeches, with_unknown=with_unknown)
    connection.execute(f"DELETE FROM speeches WHERE {_OF_VOICE}", key)
    connection.execute(f"DELETE FROM voices WHERE {_OF_VOICE}", key)
    _delete(connection, attempts, set(orphans))
    return attempts | speeches


def forget_recording(connection: Connection, path: str, *, with_unknown: bool) -> set[str]:
    """Delete every row about a recording that has no voice.

    Args:
        connection: In a transaction.
        path: Absolute path of the recording at its last attempt.
        with_unknown: Also delete calls whose outcome is unknown.

    Returns:
        The ids of the deleted calls.

    Raises:
        UsageError: The path is not in the ledger, it has a voice, there are such calls, or one is in progress.
    """
    matching = {row["id"] for row in connection.execute("SELECT id FROM takes WHERE path = ?", (path,))}
    if not matching:
        raise UsageError(f"the ledger has no voice and no recording {path!r}", "`onetake voices` lists the voices")
    takes = _same_recordings(connection, matching)
    attempts: set[str] = set()
    for take in takes:
        if _is_needed(connection, take, ("", "")):
            raise UsageError(f"{path!r} has a voice", "give the name of the voice; see `onetake voices`")
        attempts |= {row["id"] for row in connection.execute("SELECT id FROM attempts WHERE take = ?", (take,))}
    _require_ended(connection, attempts, set(), with_unknown=with_unknown)
    _delete(connection, attempts, takes)
    return attempts


def _delete(connection: Connection, attempts: set[str], takes: set[int]) -> None:
    connection.executemany("DELETE FROM attempts WHERE id = ?", [(attempt,) for attempt in attempts])
    connection.executemany("DELETE FROM takes WHERE id = ?", [(take,) for take in takes])


def _same_recordings(connection: Connection, takes: set[int]) -> set[int]:
    """Return also the rows of the same files with other options: they contain the same path and digest."""
    found = set(takes)
    for take in takes:
        same = "SELECT id FROM takes WHERE sha256 = (SELECT sha256 FROM takes WHERE id = ?)"
        found |= {row["id"] for row in connection.execute(same, (take,))}
    return found


def _is_needed(connection: Connection, take: int, key: tuple[str, str]) -> bool:
    """Whether a recording has a voice other than `key`."""
    others = """SELECT 1 FROM attempts JOIN voices ON voices.attempt = attempts.id
        OR (voices.base_url = attempts.base_url AND voices.voice_id = attempts.voice_id)
        WHERE attempts.take = ? AND NOT (voices.base_url = ? AND voices.voice_id = ?)"""
    return connection.execute(others, (take, *key)).fetchone() is not None


def _require_ended(connection: Connection, attempts: set[str], speeches: set[str], *, with_unknown: bool) -> None:
    states = {
        call: connection.execute(f"SELECT state FROM {table} WHERE id = ?", (call,)).fetchone()["state"]
        for table, calls in (("attempts", attempts), ("speeches", speeches))
        for call in sorted(calls)
    }
    if in_progress := [call for call, state in states.items() if state in {"claimed", "called"}]:
        raise UsageError(
            f"a call about it is in progress ({in_progress[0]})", "wait until it ends, then run this again"
        )
    unknown = [call for call, state in states.items() if state == "unknown"]
    if unknown and not with_unknown:
        raise UsageError(
            f"the outcome of a paid call about it is unknown ({unknown[0]})",
            f"settle it first: onetake voices settle {unknown[0]} …; or delete it as well: --unknown",
        )
