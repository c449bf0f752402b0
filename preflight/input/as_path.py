"""Any recording under a path: sound without a file is stored as long as it is needed."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from preflight.errors import CannotOpen
from preflight.input.types import PathLike, Recording, Stored, is_segment, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def as_path(recording: Recording) -> Iterator[PathLike]:
    """A path under which a recording can be opened as often as it is needed; the recording itself if it is one.

    Yields:
        The path. Where the recording cannot be read or stored, it is a `Stored` with the problem, which is raised when
        that is opened.

    Raises:
        TypeError: It can be no recording.
        ValueError: Its samples cannot be, or its file object is closed or not open for reading.
    """
    if isinstance(recording, str | os.PathLike):
        yield recording
        return
    from preflight.input.spool import regular_file  # few recordings have no path

    name = name_of(recording)
    with contextlib.ExitStack() as stack:
        try:
            path = stack.enter_context(_at_path(recording))
            stored = Stored(name, path, has_file=regular_file(recording) is not None)
        except CannotOpen as problem:
            stored = Stored(name, problem=problem)
        yield stored


def _at_path(recording: Any) -> contextlib.AbstractContextManager[str]:
    from preflight.input import spool as storing

    if isinstance(recording, bytes | bytearray | memoryview):
        return storing.stored_bytes(recording)
    if isinstance(recording, tuple):
        from preflight.input.samples import sound_of

        return storing.stored_sound(sound_of(recording))
    if is_segment(recording):
        from preflight.input.samples import sound_of_segment

        return storing.stored_sound(sound_of_segment(recording))
    return storing.stored_file(recording)
