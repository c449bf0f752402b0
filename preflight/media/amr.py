"""AMR files that were concatenated: FFmpeg takes the headers in the middle for frames, and loses the next ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from preflight.input.source import Source
    from preflight.media.byte_ranges import Range

_HEADER: Final = re.compile(rb"#!AMR(?:-WB)?\n")
"""RFC 4867, 5.1: of one channel."""
_MOST_BYTES: Final = 1 << 26
"""Six hours at the highest bit rate."""


def amr_ranges(source: Source, begin: int) -> tuple[Range, ...]:
    """Return the byte ranges of the frames of concatenated AMR files, with the first header; () for another file.

    Raises:
        CannotOpen: Reading failed.
    """
    first = _HEADER.match(source.read_at(begin, 16))
    if first is None:
        return ()
    data = source.read_at(begin, _MOST_BYTES)
    headers = [match.span() for match in re.finditer(re.escape(first[0]), data)]
    if len(headers) == 1:
        return ()
    ends = [start for start, _ in headers[1:]] + [source.size - begin]
    starts = [0] + [end for _, end in headers[1:]]
    return tuple((begin + start, begin + end) for start, end in zip(starts, ends, strict=True))
