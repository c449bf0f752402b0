"""Cut, fade, amplify and join decoded audio in `pydub.AudioSegment` objects.

Audio comes and goes as *blocks*: float32 arrays of shape (frames, channels) with full scale at ±1. In between it is
held in segments of one block each, so memory does not grow with the length of the recording.

pydub computes in integers and counts in milliseconds. Three rules make its edits exact:

- Segments have 32 bits. At 16 bits, every fade and gain would round to 16 bits without dither: distortion at -98 dBFS.
- 2**31 stands for the power of two just above the highest peak, so nothing clips, and samples of 16- and 24-bit
  recordings convert without error. Others keep 30 bits below the peak; float32 has 24.
- Segments claim 1000 frames per second, so pydub's millisecond is one frame. At the real rate pydub rounds the ends of
  slices and fades to milliseconds: at 44.1 kHz, `fade_in` returns up to 22 frames more or fewer than it was given.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydub import AudioSegment

    from preflight.media.decoder import Block
    from preflight.report import Span

FADE_S: Final = 0.01
"""Long enough that a cut in noise does not click, too short to sound like a fade."""
_BYTES: Final = 4
_INT_MAX: Final = 2**31 - 1
_FRAMES_PER_S: Final = 1000
"""The rate that segments claim; see above."""
_LOWEST_FULL_SCALE: Final = 2.0**-64


def full_scale_for(peak: float) -> float:
    """Return the power of two that is the smallest above `peak`, a linear level.

    >>> full_scale_for(0.3), full_scale_for(1.0), full_scale_for(90.0)
    (0.5, 2.0, 128.0)
    """
    # frexp: peak = m * 2**e with 0.5 <= m < 1
    return max(_LOWEST_FULL_SCALE, math.ldexp(1.0, math.frexp(peak)[1]))


def to_segment(block: Block, full_scale: float) -> AudioSegment:
    """Convert a block to a 32-bit segment.

    Args:
        block: Shape (frames, channels), all samples below `full_scale`.
        full_scale: The sample that 2**31 stands for; see `full_scale_for`.
    """
    scaled = np.multiply(block, 2.0**31 / full_scale, dtype=np.float64)
    np.rint(scaled, out=scaled)
    # only as a safeguard, if a peak is higher than was said: astype would wrap around
    np.clip(scaled, -_INT_MAX - 1, _INT_MAX, out=scaled)
    data = scaled.astype("<i4").tobytes()
    return _segment_class()(data, sample_width=_BYTES, frame_rate=_FRAMES_PER_S, channels=block.shape[1])


def to_block(segment: AudioSegment, full_scale: float) -> Block:
    """Convert a segment of `to_segment` back to a block of shape (frames, channels)."""
    integers = np.frombuffer(cast("bytes", segment.raw_data), "<i4").reshape(-1, segment.channels)
    # by way of float64, which holds every 32-bit integer: only one rounding, to float32
    return np.asarray(np.multiply(integers, full_scale / 2.0**31, dtype=np.float64), np.float32)


def _segment_class() -> Any:
    with warnings.catch_warnings():
        # at import pydub warns about a missing ffmpeg command and a deprecated module, neither of which is used here
        warnings.simplefilter("ignore")
        from pydub import AudioSegment

    return AudioSegment


class EditBuffer:
    """The blocks of one recording as a stream of segments, read frame by frame.

    Args:
        blocks: Arrays of shape (frames, channels).
        peak: The highest sample in them, as a linear level.
    """

    def __init__(self, blocks: Iterator[Block], peak: float) -> None:
        self.full_scale = full_scale_for(peak)
        self.position = 0
        """The number of frames read."""
        self._blocks = blocks
        self._rest: AudioSegment | None = None

    def read(self, count: int | None) -> Iterator[AudioSegment]:
        """Yield the next `count` frames in one or more segments; None reads to the end."""
        while count is None or count > 0:
            segment: Any = self._next()
            if segment is None:
                return
            part: Any = segment[:count]  # one segment: only a slice with a step is a generator
            self._rest = segment[len(part) :] if len(part) < len(segment) else None
            self.position += len(part)
            count = None if count is None else count - len(part)
            yield part

    def read_one(self, count: int) -> AudioSegment | None:
        """Return the next `count` frames as one segment, or fewer at the end; None if there are none."""
        joined = None
        for part in self.read(count):
            joined = part if joined is None else joined + part
        return joined

    def skip(self, count: int) -> None:
        """Drop the next `count` frames."""
        for _ in self.read(count):
            pass

    def _next(self) -> AudioSegment | None:
        if self._rest is not None:
            return self._rest
        block = next((block for block in self._blocks if len(block)), None)
        return None if block is None else to_segment(block, self.full_scale)


def cut(
    blocks: Iterator[Block], sample_rate_hz: int, window: Span, *, peak: float, fades: tuple[bool, bool]
) -> Iterator[Block]:
    """Yield the part of the blocks in `window`, with fades of 10 ms.

    Args:
        blocks: Arrays of shape (frames, channels).
        sample_rate_hz: Frames per second.
        window: (start, end) in seconds.
        peak: The highest sample in the blocks, as a linear level.
        fades: Whether to fade in at the start, and to fade out at the end.
    """
    # frames, not milliseconds: a cut is exact to the sample
    first, last = (round(moment * sample_rate_hz) for moment in window)
    fade = round(FADE_S * sample_rate_hz)
    buffer = EditBuffer(blocks, peak)
    buffer.skip(first)
    head = buffer.read_one(fade) if fades[0] else None
    if head is not None:
        yield to_block(head.fade_in(len(head)), buffer.full_scale)
    # the middle passes through pydub unchanged: slices of bytes
    for segment in buffer.read(last - buffer.position - fade * fades[1]):
        yield to_block(segment, buffer.full_scale)
    tail = buffer.read_one(last - buffer.position)
    if tail is not None:
        yield to_block(tail.fade_out(len(tail)), buffer.full_scale)


def remove_spans(
    blocks: Iterator[Block], sample_rate_hz: int, spans: Iterable[Span], *, peak: float
) -> Iterator[Block]:
    """Yield the blocks without `spans`; the ends that meet are crossfaded over 10 ms.

    Args:
        blocks: Arrays of shape (frames, channels).
        sample_rate_hz: Frames per second.
        spans: (start, end) in seconds, in order, each longer than the crossfade.
        peak: The highest sample in the blocks, as a linear level.
    """
    buffer, fade = EditBuffer(blocks, peak), round(FADE_S * sample_rate_hz)
    for start, end in ((round(start * sample_rate_hz), round(end * sample_rate_hz)) for start, end in spans):
        for segment in buffer.read(start - buffer.position):
            yield to_block(segment, buffer.full_scale)
        # the first 10 ms of the span fade out while the 10 ms after it fade in
        before = buffer.read_one(fade)
        buffer.skip(end - buffer.position)
        after = buffer.read_one(fade)
        if before is not None and after is not None:
            yield to_block(_crossfade(before, after), buffer.full_scale)
    for segment in buffer.read(None):
        yield to_block(segment, buffer.full_scale)


def _crossfade(before: AudioSegment, after: AudioSegment) -> AudioSegment:
    # not `append(crossfade=...)`, which writes its result to a temporary file and reads it back
    # both ramps are linear and add up to 1, so the sum is never above the higher of the two peaks
    return before.fade_out(len(before)).overlay(after.fade_in(len(after)))


def amplify(blocks: Iterable[Block], gain_db: float) -> Iterator[Block]:
    """Yield the blocks with a gain; nothing clips, because each block gets a full scale of its own."""
    factor = 10 ** (gain_db / 20)
    for block in blocks:
        # audioop.mul, which apply_gain calls, saturates: the result has to fit as well as the block
        full_scale = full_scale_for(float(np.abs(block).max(initial=0.0)) * max(1.0, factor))
        yield to_block(to_segment(block, full_scale).apply_gain(gain_db), full_scale)


def prepend(silence: Block, blocks: Iterator[Block]) -> Iterator[Block]:
    """Yield the blocks with `silence` in front of the first, in one segment with it."""
    first = next(blocks, None) if len(silence) else None
    if first is None:
        yield from blocks
        return
    full_scale = full_scale_for(max(float(np.abs(block).max(initial=0.0)) for block in (silence, first)))
    yield to_block(to_segment(silence, full_scale) + to_segment(first, full_scale), full_scale)
    yield from blocks
