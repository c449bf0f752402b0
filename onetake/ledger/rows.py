"""Convert rows to records: stored text becomes dates, states and lists."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from onetake.ledger.sqlite_failures import DamagedRow

_JSON_COLUMNS: Final = ("changes", "options", "warnings")
_YEARS: Final = range(2000, 2200)
"""Other years are damage, and may overflow in conversions to local time."""

_Record = TypeVar("_Record", bound=msgspec.Struct)


def record_of(row: Any, kind: type[_Record]) -> _Record:
    """Convert a row to a record whose fields have the names of the columns.

    Raises:
        DamagedRow: A value is not one that onetake writes.
    """
    fields: dict[str, Any] = {name: row[name] for name in row.keys() if name in kind.__struct_fields__}  # noqa: SIM118
    try:
        for name in _JSON_COLUMNS:
            if isinstance(fields.get(name), str):
                fields[name] = msgspec.json.decode(fields[name])
        record = msgspec.convert(fields, kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DamagedRow(f"a value of a {kind.__name__} is not valid: {error}") from error
    for name in kind.__struct_fields__:
        if isinstance(value := getattr(record, name), datetime):
            _require_sane(value, name)
    return record


def moment_of(text: object) -> datetime:
    """Parse a stored time; raises `DamagedRow`."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise DamagedRow(f"{text!r} is not a date") from error
    _require_sane(moment, "a time")
    return moment


def _require_sane(moment: datetime, name: str) -> None:
    if moment.tzinfo is None or moment.year not in _YEARS:
        raise DamagedRow(f"{name} is {moment.isoformat()}, which is not a valid time")
