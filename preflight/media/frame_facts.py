"""Complete the probe of an MP3 or ADTS file from its frame headers: exact duration, lost frames, declared durations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from preflight.media.damage import Damage
from preflight.media.frame_scan import FrameScan, scan_frames
from preflight.media.mp3_header import DECODER_DELAY, INFO_BYTES, SYNTAXES, FrameHeader, InfoHeader, info_header
from preflight.media.tags import id3v2_length_s, leading_tags, trailing_tags

if TYPE_CHECKING:
    from preflight.input.source import Source
    from preflight.media.probe import Probe

_SEARCH_BYTES: Final = 65536
_SIZE_TOLERANCE: Final = 0.02
"""Some encoders count the Info frame itself, and some do not."""


def with_frame_facts(source: Source, facts: Probe, *, quick: bool) -> Probe:
    """Return the probe of an MP3 or ADTS file, completed from its frame headers.

    Args:
        source: The open recording.
        facts: The probe by FFmpeg.
        quick: Read only the first frame, and compare the size that it declares with the size of the file.

    Raises:
        CannotOpen: Reading failed.
    """
    length_s = id3v2_length_s(source)
    tlen = () if not length_s else (("ID3 TLEN", length_s),)
    if quick:
        facts = _from_first_frame(source, facts)
    elif scan := scan_frames(source, facts.codec):
        facts = _from_scan(source, facts, scan)
    return replace(facts, declared=facts.declared + tlen)


def _from_scan(source: Source, facts: Probe, scan: FrameScan) -> Probe:
    delay, skipped = _delays(scan.info)
    seconds = max(0.0, (scan.samples - skipped) / scan.rate_hz)  # as FFmpeg decodes it, without delay and padding
    ranges = tuple(scan.ranges)
    return replace(
        facts,
        declared_duration_s=_declared_s(scan.info, scan.samples // scan.frames, scan.rate_hz),
        declared=_declared(scan.info, scan.samples // scan.frames, scan.rate_hz),
        estimated_duration_s=seconds,
        ranges=() if ranges == ((0, source.size),) else ranges,  # a file without tags is passed on as it is
        audio_bytes=sum(end - begin for begin, end in ranges),
        damage=_damage(scan, delay / scan.rate_hz),
        inner_tags_s=scan.first_tag * scan.frame_s if scan.tags else None,
    )


def _delays(info: InfoHeader | None) -> tuple[int, int]:
    """Return the samples that decoders skip at the start, and at both ends together."""
    if info is None or info.delay is None:
        return 0, 0
    return info.delay + DECODER_DELAY, info.skipped  # they skip as much less at the end


def _declared(info: InfoHeader | None, samples: int, rate_hz: int) -> tuple[tuple[str, float], ...]:
    seconds = _declared_s(info, samples, rate_hz)
    return () if info is None or seconds is None else ((f"{info.name} header", seconds),)


def _declared_s(info: InfoHeader | None, samples: int, rate_hz: int) -> float | None:
    if info is None or not info.frames:
        return None
    return max(0.0, (info.frames * samples - info.skipped) / rate_hz)


def _damage(scan: FrameScan, delay_s: float) -> tuple[Damage, ...]:
    damage, lost_before_s = [], 0.0
    for gap in scan.gaps:
        at = max(0.0, gap.frame * scan.frame_s - delay_s)  # the decoder removes the delay from the timeline
        lost_s, silent_s = scan.lost_frames(gap) * scan.frame_s, gap.silent * scan.frame_s
        start = at + lost_before_s
        damage.append(Damage(start, start + lost_s, at, at + silent_s))
        lost_before_s += lost_s
    return tuple(damage)


def _from_first_frame(source: Source, facts: Probe) -> Probe:
    begin = leading_tags(source)
    audio_bytes = trailing_tags(source, begin) - begin
    facts = replace(facts, audio_bytes=audio_bytes)
    found = _first_frame(source, begin) if facts.codec == "mp3" else None
    if found is None:
        return facts
    header, info = found
    declared_s = _declared_s(info, header.samples, header.rate_hz)
    facts = replace(facts, declared_duration_s=declared_s, declared=_declared(info, header.samples, header.rate_hz))
    if info is None or not declared_s or not info.bytes:
        return facts
    # the ratio of actual to declared bytes is the share of the audio that the file contains
    share = audio_bytes / info.bytes
    # at a constant bit rate, the size of the frames proves a wrong number of bytes; FFmpeg does not use that number
    by_frames_s = audio_bytes / header.size * header.samples / header.rate_hz
    is_whole = info.name == "Info" and abs(by_frames_s / declared_s - 1) <= _SIZE_TOLERANCE
    if is_whole or abs(share - 1) <= _SIZE_TOLERANCE or abs(audio_bytes - info.bytes) <= 2 * header.size:
        return replace(facts, estimated_duration_s=declared_s)
    return replace(facts, estimated_duration_s=declared_s * share, is_size_known=True)


def _first_frame(source: Source, begin: int) -> tuple[FrameHeader, InfoHeader | None] | None:
    data = source.read_at(begin, _SEARCH_BYTES)
    for match in SYNTAXES["mp3"].sync.finditer(data):
        if header := SYNTAXES["mp3"].parse(data[match.start() : match.start() + 4]):
            return header, info_header(data[match.start() : match.start() + INFO_BYTES], header)
    return None
