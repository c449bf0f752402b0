"""The content of recordings, and recordings with some content."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from preflight.input.recording import Recording
from preflight.input.source import Source
from preflight.input.spool import as_path


@contextmanager
def opened(content: bytes) -> Iterator[Source]:
    """Yield the open source of a recording with this content."""
    with as_path(content) as path, Source.open(path) as source:
        yield source


def content_of(recording: Recording) -> bytes:
    """Return the content of the file that a recording is or is spooled to."""
    with as_path(recording) as path:
        return Path(os.fsdecode(path)).read_bytes()
