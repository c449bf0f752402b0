"""Points in time as people read them."""

from __future__ import annotations

from datetime import UTC, datetime


def local_time(moment: datetime) -> datetime:
    """A point in time in the local time zone; in UTC where that zone is not possible, such as TZ=XXX+99:99."""
    try:
        return moment.astimezone()
    except (ValueError, OverflowError, OSError):  # an offset of a day or more, or a year that the system cannot convert
        return moment.astimezone(UTC)
