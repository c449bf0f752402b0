"""AIFF and Sony Wave64 files whose samples go on after the end that the header declares.

FFmpeg reads only the declared ones. AIFF: Apple, "Audio Interchange File Format" 1.3 (1989); Wave64: Sony Pictures
Digital Networks, "Sony Wave64" (2003), whose chunks have a GUID, a 64-bit size that includes both, and a multiple of
8 bytes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from preflight.media.trailing_samples import end_of_samples
from preflight.media.wav_format import is_plain
from preflight.media.wav_header import WavHeader

if TYPE_CHECKING:
    from preflight.input.source import Source
    from preflight.media.probe import Probe

_MAX_CHUNKS: Final = 4096
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


def _unfinished(source: Source, facts: Probe) -> WavHeader | None:
    if facts.codec not in _READABLE or facts.bits is None:
        return None
    bits = int(facts.codec[5:7])
    span = _aiff_samples(source) if facts.container == "aiff" else _wave64_samples(source)
    align = facts.channels * bits // 8
    if span is None or not is_plain(facts.codec, align, facts.channels, bits):
        return None
    begin, end = span
    last = end_of_samples(source, end, source.size, facts.codec, align, facts.sample_rate_hz)
    if last <= end:
        return None
    last -= (last - begin) % align
    return WavHeader(
        codec=facts.codec,
        sample_rate_hz=facts.sample_rate_hz,
        channels=facts.channels,
        block_align=align,
        bits=bits,
        data_offset=begin,
        claimed_bytes=end - begin,
        held_bytes=last - begin,
        form=facts.container,
        ranges=((begin, last),),
        declared_bits=bits,
    )


def _aiff_samples(source: Source) -> tuple[int, int] | None:
    """Return where the samples of an AIFF file begin and end by its header."""
    at = 12
    for _ in range(_MAX_CHUNKS):
        head = source.read_at(at, 16)
        if len(head) < 16:
            return None
        size = int.from_bytes(head[4:8])
        if head[:4] == b"SSND":  # an offset and a block size precede the samples
            return at + 16 + int.from_bytes(head[8:12]), at + 8 + size
        at += 8 + size + size % 2
    return None


def _wave64_samples(source: Source) -> tuple[int, int] | None:
    """Return where the samples of a Wave64 file begin and end by its header."""
    at = _WAVE64_FIRST_CHUNK
    for _ in range(_MAX_CHUNKS):
        head = source.read_at(at, 24)
        size = int.from_bytes(head[16:24], "little")
        if len(head) < 24 or size < 24:
            return None
        if head[:4] == b"data":
            return at + 24, at + size
        at += size + -size % 8
    return None
