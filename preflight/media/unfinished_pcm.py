"""AIFF and Sony Wave64 files whose samples go on after the end that the header declares, also in concatenated files.

FFmpeg reads only the declared ones. AIFF: Apple, "Audio Interchange File Format" 1.3 (1989); Wave64: Sony Pictures
Digital Networks, "Sony Wave64" (2003), whose chunks have a GUID, a 64-bit size that includes both, and a multiple of
8 bytes.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from preflight.media.trailing_samples import end_of_samples
from preflight.media.wav_format import is_plain
from preflight.media.wav_header import WavHeader

if TYPE_CHECKING:
    from preflight.input.source import Source
    from preflight.media.probe import Probe

_MAX_CHUNKS: Final = 4096
_MAX_PARTS: Final = 1024
_BLOCK_BYTES: Final = 1 << 20
_HEADERS: Final = {
    "aiff": re.compile(rb"FORM....AIF[FC]", re.DOTALL),
    "w64": re.compile(rb"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0"),
}
"""The first bytes of a file: those of Wave64 are a GUID."""
_WAVE64_FIRST_CHUNK: Final = 40
"""After the GUID and the size of the file, and the GUID of its kind."""
_READABLE: Final = frozenset(
    {f"pcm_{kind}{order}" for kind in ("s16", "s24", "s32", "f32", "f64") for order in ("le", "be")}
)


def with_all_samples(source: Source, facts: Probe) -> Probe:
    """Return the probe of an AIFF or Wave64 file; one that has undeclared samples is then read without FFmpeg.

    Args:
        source: The open recording.
        facts: The probe by FFmpeg.

    Raises:
        CannotOpen: Reading failed.
    """
    header = _unfinished(source, facts)
    if header is None:
        return facts
    claimed_s = header.claimed_frames / header.sample_rate_hz
    return replace(
        facts,
        wav=header,
        header_duration_s=claimed_s,
        declared_duration_s=claimed_s,
        estimated_duration_s=header.held_frames / header.sample_rate_hz,
        audio_bytes=header.held_bytes,
    )


class _Part(NamedTuple):
    """The samples of one file by its header: their offsets, and the format in the bytes of the header."""

    begin: int
    end: int
    form: bytes


def _unfinished(source: Source, facts: Probe) -> WavHeader | None:
    if facts.codec not in _READABLE or facts.bits is None:
        return None
    bits = int(facts.codec[5:7])
    align = facts.channels * bits // 8
    if not is_plain(facts.codec, align, facts.channels, bits):
        return None
    read = _aiff_samples if facts.container == "aiff" else _wave64_samples
    ranges: list[tuple[int, int]] = []
    first, at = None, 0
    while len(ranges) < _MAX_PARTS and (part := read(source, at)):
        first = first or part
        if part.form != first.form:
            break
        following = _next_header(source, part.end, _HEADERS[facts.container])
        stop = source.size if following is None else following
        last = end_of_samples(source, part.end, stop, facts.codec, align, facts.sample_rate_hz)
        ranges.append((part.begin, last - (last - part.begin) % align))
        if following is None:
            break
        at = following
    if first is None or (len(ranges) == 1 and ranges[0][1] <= first.end):
        return None
    return WavHeader(
        codec=facts.codec,
        sample_rate_hz=facts.sample_rate_hz,
        channels=facts.channels,
        block_align=align,
        bits=bits,
        data_offset=first.begin,
        claimed_bytes=first.end - first.begin,
        held_bytes=sum(end - begin for begin, end in ranges),
        form=facts.container,
        ranges=tuple(ranges),
        parts=len(ranges),
        declared_bits=bits,
    )


def _next_header(source: Source, begin: int, header: re.Pattern[bytes]) -> int | None:
    for offset in range(begin, source.size, _BLOCK_BYTES):
        if match := header.search(source.read_at(offset, _BLOCK_BYTES + 16)):
            return offset + match.start()
    return None


def _aiff_samples(source: Source, base: int) -> _Part | None:
    """Return the samples of the AIFF file at `base` by its header."""
    at, form = base + 12, b""
    for _ in range(_MAX_CHUNKS):
        head = source.read_at(at, 16)
        if len(head) < 16:
            return None
        size = int.from_bytes(head[4:8])
        if head[:4] == b"COMM":  # channels, number of frames, bits, and a sample rate of ten bytes
            common = source.read_at(at + 8, 18)
            form = common[:2] + common[6:]
        if head[:4] == b"SSND":  # an offset and a block size precede the samples
            return _Part(at + 16 + int.from_bytes(head[8:12]), min(at + 8 + size, source.size), form)
        at += 8 + size + size % 2
    return None


def _wave64_samples(source: Source, base: int) -> _Part | None:
    """Return the samples of the Wave64 file at `base` by its header."""
    at, form = base + _WAVE64_FIRST_CHUNK, b""
    for _ in range(_MAX_CHUNKS):
        head = source.read_at(at, 24)
        size = int.from_bytes(head[16:24], "little")
        if len(head) < 24 or size < 24:
            return None
        if head[:4] == b"fmt ":
            form = source.read_at(at + 24, 16)
        if head[:4] == b"data":
            return _Part(at + 24, min(at + size, source.size), form)
        at += size + -size % 8
    return None
