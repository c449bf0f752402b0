"""Give any recording a path: a recording without a file is spooled to one for as long as it is needed."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from preflight.errors import CannotOpen
from preflight.input.types import PathLike, Recording, SpooledFile, is_segment, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def as_path(recording: Recording) -> Iterator[PathLike]:
    """Yield a path where the recording can be opened several times.

    Yields:
        The recording itself if it is a path, else a `SpooledFile`. If the recording cannot be read or spooled, the
        `SpooledFile` has the problem, and `Source.open` raises it.

    Raises:
        TypeError: The argument cannot be a recording.
        ValueError: The samples are invalid, or the file object is closed or not open for reading.
    """
    if isinstance(recording, str | os.PathLike):
        yield recording
        return
    from preflight.input.spool import regular_file  # lazy: most recordings are paths

    name = name_of(recording)
    with contextlib.ExitStack() as stack:
        try:
            path = stack.enter_context(_spooled(recording))
            spooled = SpooledFile(name, path, has_file=regular_file(recording) is not None)
        except CannotOpen as problem:
            spooled = SpooledFile(name, problem=problem)
        yield spooled


def _spooled(recording: Any) -> contextlib.AbstractContextManager[str]:
    from preflight.input import spool

    if isinstance(recording, bytes | bytearray | memoryview):
        return spool.spooled_bytes(recording)
    if isinstance(recording, tuple):
        from preflight.input.samples import pcm_from_samples

        return spool.spooled_pcm(pcm_from_samples(recording))
    if is_segment(recording):
        from preflight.input.samples import pcm_from_segment

        return spool.spooled_pcm(pcm_from_segment(recording))
    return spool.spooled_file(recording)
