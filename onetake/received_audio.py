"""Verify audio that the service sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def require_recording(path: Path) -> None:
    """Check that a file can be decoded as audio.

    Raises:
        client.NonsenseAnswer: It cannot.
    """
    import preflight
    from client import NonsenseAnswer

    if not preflight.check(path).file.duration_s:
        raise NonsenseAnswer("the file that came is not a recording", hint="request it again")
