"""Where the frames of an MP3 or ADTS file lie, and what lies between them.

A decoder resynchronizes silently: it does not say how much it skipped, and reports the tag of a joined file as damage.
The scan follows the chain of frame headers. Tags, Info frames of later parts and padding are left out; where the chain
breaks otherwise, frames are lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from preflight.media.mp3_header import INFO_BYTES, SYNTAXES, FrameHeader, InfoHeader, Syntax, info_header, reaches_back
from preflight.media.tags import leading_tags, tag_at, trailing_tags

if TYPE_CHECKING:
    from preflight.input.source import Source
    from preflight.media.byte_ranges import Range

_CHUNK_BYTES: Final = 1 << 20
_MOST_RANGES: Final = 1000
"""Beyond this the decoder gets the file as it is: such a file is not worth following."""
_CHAIN: Final = 3
"""Frames in a row that make a new beginning credible."""
_RESERVOIR_FRAMES: Final = 16
_MAX_RESERVOIR_BYTES: Final = 511


@dataclass
class Gap:
    """A place where the chain of frames breaks.

    Attributes:
        frame: Number of whole frames before it.
        size: Bytes without a whole frame.
        extra: Frames that are lost beyond those bytes.
        silent: Frames after it that are whole, but need bytes that are lost.
    """

    frame: int
    size: int
    extra: int = 0
    silent: int = 0


@dataclass
class FrameScan:
    """What a scan found.

    Attributes:
        ranges: Where the frames lie, the first Info frame included.
        frames: How many of them hold sound.
        samples: Samples of all of them, one channel.
        rate_hz: Of the first frame.
        total_bytes: Of all frames that hold sound.
        info: What the first frame declares, if it is an Info frame.
        gaps: Where frames are lost.
        tags: Tags between frames, and Info frames after the first.
        first_tag: Number of frames before the first of those.
    """

    ranges: list[Range] = field(default_factory=list)
    frames: int = 0
    samples: int = 0
    rate_hz: int = 0
    total_bytes: int = 0
    info: InfoHeader | None = None
    gaps: list[Gap] = field(default_factory=list)
    tags: int = 0
    first_tag: int = 0

    @property
    def frame_s(self) -> float:
        """Seconds of an average frame."""
        return self.samples / self.frames / self.rate_hz

    def lost_frames(self, gap: Gap) -> int:
        """Frames that do not exist any more at `gap`, by the mean size of a frame."""
        return gap.extra + round(gap.size * self.frames / self.total_bytes)


def scan_frames(source: Source, codec: str) -> FrameScan | None:
    """Follow the frames of an MP3 or ADTS file to its end.

    Args:
        source: The open recording.
        codec: ``mp3`` or ``aac``.

    Returns:
        None where no chain of frames is found, or more interruptions than are worth following.

    Raises:
        CannotOpen: Reading failed.
    """
    begin = leading_tags(source)
    return _Scanner(source, SYNTAXES[codec], begin, trailing_tags(source, begin)).run()


class _Scanner:
    def __init__(self, source: Source, syntax: Syntax, begin: int, end: int) -> None:
        self._source, self._syntax, self._begin, self._end = source, syntax, begin, end
        self._data, self._base = b"", 0
        self._found = FrameScan()
        self._key: tuple[int, int, int] | None = None
        self._last: FrameHeader | None = None
        """The frame before the position, when the chain is unbroken since."""
        self._reservoir: int | None = None
        """Bytes of earlier frames at hand after a gap; None when all are."""

    def run(self) -> FrameScan | None:
        found = self._found
        position = self._next_chain(self._begin)
        while position < self._end and len(found.ranges) <= _MOST_RANGES:
            header = self._header(position)
            if header is None or header.key != self._key or position + header.size > self._end:
                position = self._interruption(position)
                continue
            self._take(position, header)
            position += header.size
        is_usable = found.frames >= _CHAIN and len(found.ranges) <= _MOST_RANGES and len(found.gaps) <= _MOST_RANGES
        return found if is_usable else None

    def _bytes(self, position: int, count: int) -> bytes:
        at = position - self._base
        if at < 0 or at + count > len(self._data):
            self._data, self._base, at = self._source.read_at(position, max(_CHUNK_BYTES, count)), position, 0
        return self._data[at : at + count]

    def _header(self, position: int) -> FrameHeader | None:
        return self._syntax.parse(self._bytes(position, self._syntax.header_bytes))

    def _take(self, position: int, header: FrameHeader) -> None:
        found, end = self._found, position + header.size
        is_info = self._syntax.has_reservoir and self._is_info(position, header)
        if is_info and found.ranges:
            self._note_tag()
        else:
            if found.ranges and found.ranges[-1][1] == position:
                found.ranges[-1] = (found.ranges[-1][0], end)
            else:
                found.ranges.append((position, end))
            if not is_info:
                found.frames += 1
                found.samples += header.samples
                found.total_bytes += header.size
                found.rate_hz = found.rate_hz or header.rate_hz
        if self._reservoir is not None:
            self._refill(position, header)
        self._last = None if is_info else header

    def _is_info(self, position: int, header: FrameHeader) -> bool:
        data = self._bytes(position, min(header.size, INFO_BYTES))
        xing = 4 + header.side_bytes
        if data[xing : xing + 4] not in (b"Xing", b"Info") and data[36:40] != b"VBRI":
            return False
        if not self._found.ranges:
            self._found.info = info_header(data, header)
        return True

    def _note_tag(self) -> None:
        if not self._found.tags:
            self._found.first_tag = self._found.frames
        self._found.tags += 1

    def _refill(self, position: int, header: FrameHeader) -> None:
        """After a gap: count the frames that need bytes of the reservoir that are lost."""
        held, gap = self._reservoir or 0, self._found.gaps[-1]
        if not self._syntax.has_reservoir or self._found.frames - gap.frame > _RESERVOIR_FRAMES:
            self._reservoir = None
        elif reaches_back(self._bytes(position, 8), header) > held:
            gap.silent = self._found.frames - gap.frame
        self._reservoir = min(_MAX_RESERVOIR_BYTES, held + header.size - header.head_bytes - header.side_bytes)
        if self._found.frames - gap.frame > _RESERVOIR_FRAMES:
            self._reservoir = None

    def _interruption(self, position: int) -> int:
        """Where the chain goes on after something that is not the next frame."""
        if tag := tag_at(self._source, position):
            self._last = None
            if position + tag < self._end:
                self._note_tag()
            return self._resumed(position + tag)
        if self._has_chain(position):  # another sample rate or number of channels: joined from several recordings
            header = self._header(position)
            self._key = header.key if header else None
            return position
        return self._resumed(position)

    def _resumed(self, position: int) -> int:
        """The next frame or tag at or after `position`; what lies before it is padding, or lost."""
        following = position
        while following < self._end and not (self._has_chain(following) or tag_at(self._source, following)):
            following = self._next_sync(following + 1)
        if following > position and not self._is_padding(position, following):
            self._lose(position, following)
        if following < self._end and (header := self._header(following)) and self._has_chain(following):
            self._key = header.key
        return following

    def _lose(self, position: int, following: int) -> None:
        found, last = self._found, self._last
        declared = found.info.frames if found.info else 0
        if following >= self._end and declared and found.frames >= declared:
            return  # all that was declared is there: what follows is not sound
        header = self._header(position)
        is_cut_frame = following >= self._end and header is not None and header.key == self._key
        gap = Gap(found.frames, 0, extra=1) if is_cut_frame else Gap(found.frames, following - position)
        if not is_cut_frame and last is not None:  # the first bytes that are wrong lie in the frame before
            gap.extra += 1
            self._drop_last(last)
            gap.frame = found.frames
        found.gaps.append(gap)
        self._last, self._reservoir = None, 0

    def _drop_last(self, last: FrameHeader) -> None:
        found = self._found
        begin, end = found.ranges.pop()
        if end - last.size > begin:
            found.ranges.append((begin, end - last.size))
        found.frames -= 1
        found.samples -= last.samples
        found.total_bytes -= last.size

    def _is_padding(self, begin: int, end: int) -> bool:
        """Whether only zeros lie there, beside a tag or the end: zeros between frames are a hole in the file."""
        if end < self._end and self._last is not None and not tag_at(self._source, end):
            return False
        for position in range(begin, end, _CHUNK_BYTES):
            count = min(_CHUNK_BYTES, end - position)
            if self._bytes(position, count).strip(b"\0"):
                return False
        return True

    def _next_chain(self, position: int) -> int:
        """The first chain of frames at or after `position`; its key is the one to follow."""
        while position < self._end:
            if self._has_chain(position):
                header = self._header(position)
                self._key = header.key if header else None
                return position
            position = self._next_sync(position + 1)
        return self._end

    def _next_sync(self, position: int) -> int:
        """Where a frame or a tag may begin, at or after `position`."""
        while position < self._end:
            self._bytes(position, min(16, self._end - position))
            if match := self._syntax.sync.search(self._data, position - self._base):
                return min(self._base + match.start(), self._end)
            following = self._base + len(self._data) - 10  # a tag may begin in the last bytes
            position = max(position + 1, following) if self._base + len(self._data) < self._end else self._end
        return self._end

    def _has_chain(self, position: int) -> bool:
        """Whether `_CHAIN` frames of one kind follow each other from `position`, or as many as fit before the end."""
        key = None
        for number in range(_CHAIN):
            header = self._header(position)
            if header is None or (key is not None and header.key != key):
                return number > 0 and (position == self._end or bool(tag_at(self._source, position)))
            key = header.key
            position += header.size
        return position <= self._end
