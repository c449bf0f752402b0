"""Which recordings a command line names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def takes_in(files: Iterable[str]) -> Iterator[str]:
    """Each of `files`, and instead of a folder the recordings in it; a folder without any is left as it is."""
    from preflight import recordings_in

    for file in files:
        found = False
        if Path(file).is_dir():
            for recording in recordings_in(file):
                found = True
                yield recording
        if not found:
            yield file
