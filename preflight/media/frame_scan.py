"""Find the frames of an MP3 or ADTS file, and the gaps between them.

Decoders resynchronize silently: they do not report how much they skipped, and treat the tag of a concatenated file as
damage. This scanner follows the chain of frame headers. It skips tags, the Info frames of later parts, and padding;
where the chain breaks otherwise, frames are lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from preflight.media.mp3_header import INFO_BYTES, SYNTAXES, FrameHeader, InfoHeader, Syntax, info_header, reaches_back
from preflight.media.tags import ape_bytes_before, leading_tags, tag_at, trailing_tags
from preflight.media.trailing_samples import is_other_data

if TYPE_CHECKING:
    from preflight.input.source import Source
    from preflight.media.byte_ranges import Range

_CHUNK_BYTES: Final = 1 << 20
_BEYOND_BYTES: Final = 1 << 12  # of the frames that confirm the last one; a quick check scans windows of 8 kB
_MAX_RANGES: Final = 1000
"""A file with more interruptions is passed to the decoder as it is."""
_XING: Final = frozenset({b"Xing", b"Info"})
_CHAIN: Final = 3
"""Consecutive frames that confirm a sync word: encoded audio contains sync words by chance."""
_MIN_FRAME_BYTES: Final = 8
"""The smallest frames are those of ADTS: a header of 7 bytes, and data."""
_RESERVOIR_FRAMES: Final = 16
_MAX_RESERVOIR_BYTES: Final = 511
"""main_data_begin has 9 bits (ISO/IEC 11172-3, 2.4.2.7)."""


@dataclass
class Gap:
    """A gap in the chain of frames.

    Attributes:
        frame: The number of intact frames before it.
        size: The number of bytes without an intact frame.
        extra: The number of frames that are lost in addition to those bytes.
        silent: The number of intact frames after it that need lost bytes of the reservoir.
    """

    frame: int
    size: int
    extra: int = 0
    silent: int = 0


@dataclass
class FrameScan:
    """The result of a scan.

    Attributes:
        ranges: The byte ranges of the frames, including the first Info frame.
        frames: The number of frames with audio.
        samples: The number of samples per channel in them, at the rate of the first frame.
        rate_hz: The sample rate of the first frame.
        total_bytes: The size of the frames with audio.
        info: The header in the first frame, if it is an Info frame.
        gaps: The gaps where frames are lost.
        tags: The number of tags between frames, and of Info frames after the first.
        first_tag: The number of frames before the first of those.
        sizes: The smallest and the largest size of a frame in bytes.
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
    sizes: tuple[int, int] = (1 << 16, 0)

    @property
    def frame_s(self) -> float:
        """The mean duration of a frame in seconds."""
        return self.samples / self.frames / self.rate_hz

    @property
    def is_varying(self) -> bool:
        """Whether the bit rate varies: at a constant one, only the padding bit changes the size of a frame."""
        return self.sizes[1] - self.sizes[0] > 1

    def lost_frames(self, gap: Gap) -> int:
        """Return the number of frames that are lost at `gap`, by the mean size of a frame."""
        return gap.extra + round(gap.size * self.frames / self.total_bytes)


def scan_frames(source: Source, codec: str, begin: int | None = None, end: int | None = None) -> FrameScan | None:
    """Scan the frames of an MP3 or ADTS file.

    Args:
        source: The open recording.
        codec: ``mp3`` or ``aac``.
        begin: The offset where to start; None for the start of the audio.
        end: The offset where to stop; None for the end of the audio.

    Returns:
        None if there is no chain of frames, or more than a thousand interruptions.

    Raises:
        CannotOpen: Reading failed.
    """
    begin = leading_tags(source) if begin is None else begin
    return _Scanner(source, SYNTAXES[codec], begin, trailing_tags(source, begin) if end is None else end).run()


class _Scanner:
    def __init__(self, source: Source, syntax: Syntax, begin: int, end: int) -> None:
        self._source, self._syntax, self._begin, self._end = source, syntax, begin, end
        self._parse, self._header_bytes = syntax.parser, syntax.header_bytes
        self._data, self._base = b"", 0
        self._found = FrameScan()
        self._key: tuple[int, int, int] | None = None
        self._last: FrameHeader | None = None
        """The frame directly before the position; None after an interruption."""
        self._reservoir: int | None = None
        """The bytes of earlier frames that are available after a gap; None if all of them are."""

    def run(self) -> FrameScan | None:
        found = self._found
        position = self._next_chain(self._begin)
        while position < self._end and len(found.ranges) <= _MAX_RANGES:
            header = self._header(position)
            if header is None or header.key != self._key or position + header.size > self._end:
                position = self._interruption(position)
                continue
            self._add(position, header)
            position += header.size
        is_usable = found.frames >= _CHAIN and max(len(found.ranges), len(found.gaps)) <= _MAX_RANGES
        return found if is_usable else None

    def _bytes(self, position: int, count: int) -> bytes:
        at = position - self._base
        if at < 0 or at + count > len(self._data):
            wanted = min(_CHUNK_BYTES, self._end - position + _BEYOND_BYTES)
            self._data, self._base, at = self._source.read_at(position, max(wanted, count)), position, 0
        return self._data[at : at + count]

    def _header(self, position: int) -> FrameHeader | None:
        return self._parse(self._bytes(position, self._header_bytes))

    def _add(self, position: int, header: FrameHeader) -> None:
        found, end = self._found, position + header.size
        is_info = self._syntax.has_reservoir and self._is_info(position, header)
        if is_info and found.ranges:  # of a later part: decoders would play it as silence
            self._count_tag()
        else:
            if found.ranges and found.ranges[-1][1] == position:
                found.ranges[-1] = (found.ranges[-1][0], end)
            else:
                found.ranges.append((position, end))
            if not is_info:
                found.frames += 1
                found.rate_hz = found.rate_hz or header.rate_hz
                found.samples += self._samples(header)
                found.total_bytes += header.size
                if not found.sizes[0] <= header.size <= found.sizes[1]:
                    found.sizes = min(found.sizes[0], header.size), max(found.sizes[1], header.size)
        if self._reservoir is not None:
            self._refill(position, header)
        self._last = None if is_info else header

    def _samples(self, header: FrameHeader) -> int:
        rate_hz = self._found.rate_hz
        return header.samples if header.rate_hz == rate_hz else round(header.samples * rate_hz / header.rate_hz)

    def _is_info(self, position: int, header: FrameHeader) -> bool:
        # by name alone: an Info frame of a later part may be damaged, but is not audio either
        xing, vbri = 4 + header.side_bytes, 36  # after the side information; 32 bytes after the frame header
        if self._bytes(position + xing, 4) not in _XING and self._bytes(position + vbri, 4) != b"VBRI":
            return False
        data = self._bytes(position, min(header.size, INFO_BYTES))
        if not self._found.ranges:
            self._found.info = info_header(data, header)
        return True

    def _count_tag(self) -> None:
        if not self._found.tags:
            self._found.first_tag = self._found.frames
        self._found.tags += 1

    def _refill(self, position: int, header: FrameHeader) -> None:
        """Count the frames after a gap that need lost bytes of the reservoir: decoders output silence for them."""
        held, gap = self._reservoir or 0, self._found.gaps[-1]
        is_over = not self._syntax.has_reservoir or self._found.frames - gap.frame > _RESERVOIR_FRAMES
        if not is_over and reaches_back(self._bytes(position, 8), header) > held:
            gap.silent = self._found.frames - gap.frame
        # each frame adds its main data to the reservoir
        added = header.size - header.head_bytes - header.side_bytes
        self._reservoir = None if is_over else min(_MAX_RESERVOIR_BYTES, held + added)

    def _interruption(self, position: int) -> int:
        """Return where the chain continues after something that is not the next frame."""
        if tag := tag_at(self._source, position):
            self._last = None
            following = self._resume(position + tag)
            if following < self._end:  # a tag at the very end is normal
                self._count_tag()
            return following
        if self._has_chain(position):  # another sample rate or number of channels: concatenated recordings
            header = self._header(position)
            self._key = header.key if header else None
            return position
        return self._resume(position)

    def _resume(self, position: int) -> int:
        """Return the next frame or tag at or after `position`; the bytes before it are padding, or lost frames."""
        following = position
        while following < self._end and not (self._has_chain(following) or tag_at(self._source, following)):
            following = self._next_sync(following + 1)
        if following > position and following - position == ape_bytes_before(self._source, following):
            self._last = None  # the footer at `following` counts as the tag
        elif following > position and not self._is_padding(position, following):
            self._add_gap(position, following)
        if following < self._end and (header := self._header(following)) and self._has_chain(following):
            self._key = header.key
        return following

    def _add_gap(self, position: int, following: int) -> None:
        found, last = self._found, self._last
        declared = found.info.frames if found.info else 0
        is_last = following >= self._end
        if is_last and found.frames >= declared > 0:
            return  # all declared frames are there: the rest is not audio
        header = self._header(position)
        # a header without its whole frame at the end: one frame is lost, whose size is known
        is_cut_frame = is_last and header is not None and header.key == self._key
        if is_last and not is_cut_frame and is_other_data(self._source, position, following):
            return
        gap = Gap(found.frames, 0, extra=1) if is_cut_frame else Gap(found.frames, following - position)
        if not is_cut_frame and last is not None:  # the first wrong bytes are in the frame before
            gap.extra += 1
            self._drop_last(last)
            gap.frame = found.frames
        found.gaps.append(gap)
        self._last, self._reservoir = None, 0  # after a gap the reservoir is empty

    def _drop_last(self, last: FrameHeader) -> None:
        found = self._found
        begin, end = found.ranges.pop()
        if end - last.size > begin:
            found.ranges.append((begin, end - last.size))
        found.frames -= 1
        found.samples -= self._samples(last)
        found.total_bytes -= last.size

    def _is_padding(self, begin: int, end: int) -> bool:
        """Whether the bytes are padding: all the same and next to a tag or the end, or too few for a frame at the end.

        Zeros between frames are a gap (sparse download).
        """
        if end < self._end and self._last is not None and not tag_at(self._source, end):
            return False
        if end >= self._end and end - begin < _MIN_FRAME_BYTES:
            return True
        filler = self._bytes(begin, 1)
        for position in range(begin, end, _CHUNK_BYTES):
            data = self._bytes(position, min(_CHUNK_BYTES, end - position))
            if data.strip(filler):
                return False
        return True

    def _next_chain(self, position: int) -> int:
        """Return the first chain of frames at or after `position`, and follow its key from there."""
        while position < self._end:
            if self._has_chain(position):
                header = self._header(position)
                self._key = header.key if header else None
                return position
            position = self._next_sync(position + 1)
        return self._end

    def _next_sync(self, position: int) -> int:
        """Return the next possible start of a frame or a tag at or after `position`."""
        while position < self._end:
            self._bytes(position, min(16, self._end - position))
            if match := self._syntax.sync.search(self._data, position - self._base):
                return min(self._base + match.start(), self._end)
            following = self._base + len(self._data) - 10  # a tag may start in the last bytes
            position = max(position + 1, following) if self._base + len(self._data) < self._end else self._end
        return self._end

    def _has_chain(self, position: int) -> bool:
        """Whether `_CHAIN` frames with the same key start at `position`, or as many as fit before the end."""
        key = None
        for number in range(_CHAIN):
            header = self._header(position)
            if header is None or (key is not None and header.key != key):
                # a shorter chain counts only if it ends exactly at the end or at a tag
                return number > 0 and (position == self._end or bool(tag_at(self._source, position)))
            key = header.key
            position += header.size
        return position <= self._end
