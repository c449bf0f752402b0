"""Points in time in local time."""

from __future__ import annotations

from datetime import UTC, datetime


def local_time(moment: datetime) -> datetime:
    """Convert to the local time zone, or to UTC if that zone is invalid, such as TZ=XXX+99:99."""
    try:
        return moment.astimezone()
    except (ValueError, OverflowError, OSError):  # an offset of a day or more, or a year that the system cannot convert
        return moment.astimezone(UTC)
