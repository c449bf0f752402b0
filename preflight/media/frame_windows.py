"""Estimate an MP3 or ADTS file from a few windows of frames, without reading all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from preflight.media.frame_scan import scan_frames

if TYPE_CHECKING:
    from preflight.input.source import Source

_WINDOW_BYTES: Final = 1 << 13
"""Holds five frames of 320 kbit/s."""
_WINDOWS: Final = 8


def end_of_frames(source: Source, codec: str, begin: int, end: int) -> int:
    """Return where the frames that begin at `begin` end: before anything else that follows them.

    Zeros count as frames: they may be a part of an object in the storage that was not fetched.

    Args:
        source: The open recording.
        codec: ``mp3`` or ``aac``.
        begin: The offset of a frame.
        end: The offset after the last byte that may belong to a frame.

    Raises:
        CannotOpen: Reading failed.
    """
    last, other = begin, end - _WINDOW_BYTES
    if other <= begin:
        return end
    if scan_frames(source, codec, other, end):
        last = other
    while other - last > _WINDOW_BYTES:
        middle = (last + other) // 2
        after = middle + _WINDOW_BYTES
        is_audio = scan_frames(source, codec, middle, after) or not any(source.read_at(middle, _WINDOW_BYTES))
        last, other = (middle, other) if is_audio else (last, middle)
    found = scan_frames(source, codec, last, min(end, last + 2 * _WINDOW_BYTES))
    return found.ranges[-1][1] if found else end


def seconds_per_byte(source: Source, codec: str, begin: int, end: int) -> float | None:
    """Return the mean of windows at equal distances, as bit rate and sample rate may change.

    Args:
        source: The open recording.
        codec: ``mp3`` or ``aac``.
        begin: The offset of the first frame.
        end: The offset after the last frame.

    Returns:
        None if most windows have no frames: for example, if only the ends of an object were fetched from the storage.

    Raises:
        CannotOpen: Reading failed.
    """
    step = (end - begin) // _WINDOWS
    starts = (begin + number * step + (step - _WINDOW_BYTES) // 2 for number in range(_WINDOWS))
    scans = [scan for at in starts if (scan := scan_frames(source, codec, at, at + _WINDOW_BYTES))]
    if len(scans) <= _WINDOWS // 2:
        return None
    return sum(scan.frame_s * scan.frames / scan.total_bytes for scan in scans) / len(scans)
