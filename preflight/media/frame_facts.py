"""Complete the probe of an MP3 or ADTS file from its frame headers: exact duration, lost frames, declared durations.

A quick probe estimates them from a few windows of frames.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from preflight.media.damage import Damage
from preflight.media.frame_scan import FrameScan, scan_frames
from preflight.media.mp3_header import DECODER_DELAY, InfoHeader
from preflight.media.tags import id3v2_length_s, leading_tags, trailing_tags
from preflight.media.trailing_samples import without_zeros

if TYPE_CHECKING:
    from preflight.input.source import Source
    from preflight.media.probe import Probe

_QUICK_BYTES: Final = 1 << 16
"""Some hundred frames: a megabyte would take five times as long as the rest of a quick check."""
_SIZE_TOLERANCE: Final = 0.02
"""Some encoders count the Info frame itself, and some do not."""
_VARYING_TOLERANCE: Final = 0.8
"""A few windows of a variable bit rate miss its mean by less."""
_BIT_RATES: Final = (8_000, 320_000)
"""The lowest and the highest bit rate of MPEG audio, layer III (ISO/IEC 11172-3 and 13818-3, 2.4.2.3)."""
_WINDOW_BYTES: Final = 1 << 13
"""Holds five frames of 320 kbit/s."""
_WINDOWS: Final = 8


def with_frame_facts(source: Source, facts: Probe, *, quick: bool) -> Probe:
    """Return the probe of an MP3 or ADTS file, completed from its frame headers.

    Args:
        source: The open recording.
        facts: The probe by FFmpeg.
        quick: Read only parts of a file above 128 kB, and compare the size of their frames with the size of the file.

    Raises:
        CannotOpen: Reading failed.
    """
    length_s = id3v2_length_s(source)
    tlen = () if not length_s else (("ID3 TLEN", length_s),)
    if quick and source.size > 2 * _QUICK_BYTES:
        facts = _from_first_frames(source, facts)
    elif scan := scan_frames(source, facts.codec):
        facts = replace(_from_scan(source, facts, scan), is_size_known=quick)
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
        padded_s=scan.samples / scan.rate_hz,
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


def _from_first_frames(source: Source, facts: Probe) -> Probe:
    """Return the probe completed from parts of the audio, whose mean frame size shows wrong declarations."""
    begin = leading_tags(source)
    last = trailing_tags(source, begin)
    end = without_zeros(source, begin, last)
    end = end if end > begin else last
    scan = scan_frames(source, facts.codec, end=min(end, begin + _QUICK_BYTES))
    if scan is not None and end - begin > 2 * _QUICK_BYTES:
        end = _end_of_frames(source, facts.codec, begin + _QUICK_BYTES, end)
    audio_bytes = end - begin
    facts = replace(facts, audio_bytes=audio_bytes)
    if scan is None:
        return facts
    info, samples = scan.info, scan.samples // scan.frames
    declared_s = _declared_s(info, samples, scan.rate_hz)
    frame_bytes = scan.total_bytes / scan.frames
    mean = _seconds_per_byte(source, facts.codec, begin, end) if end - begin > 2 * _QUICK_BYTES else None
    by_frames_s = audio_bytes * (mean or scan.frame_s / frame_bytes)
    facts = replace(facts, declared_duration_s=declared_s, declared=_declared(info, samples, scan.rate_hz))
    if info is None or not declared_s:
        return replace(facts, estimated_duration_s=by_frames_s)
    whole = replace(facts, estimated_duration_s=declared_s, padded_s=info.frames * samples / scan.rate_hz)
    tolerance = (_VARYING_TOLERANCE if mean else None) if scan.is_varying else _SIZE_TOLERANCE
    if _is_impossible(declared_s, by_frames_s, audio_bytes, tolerance):
        # the number of frames is wrong, or the file is incomplete
        return replace(facts, estimated_duration_s=by_frames_s, is_size_known=True)
    # at a constant bit rate, the size of the frames proves a wrong number of bytes; FFmpeg does not use that number
    if not scan.is_varying or not info.bytes or abs(audio_bytes - info.bytes) <= 2 * frame_bytes:
        return whole
    # the ratio of actual to declared bytes is the share of the audio that the file contains
    share = audio_bytes / info.bytes
    if abs(share - 1) <= _SIZE_TOLERANCE:
        return whole
    return replace(facts, estimated_duration_s=declared_s * share, is_size_known=True)


def _is_impossible(declared_s: float, by_frames_s: float, audio_bytes: int, tolerance: float | None) -> bool:
    """Return whether the audio cannot have the declared duration.

    At a variable bit rate, the first frames alone may be much smaller than the rest: then there is no tolerance, and
    only the limits of the format count.
    """
    lowest, highest = _BIT_RATES
    if not lowest <= 8 * audio_bytes / declared_s <= highest * (1 + _SIZE_TOLERANCE):
        return True
    return tolerance is not None and not 1 / (1 + tolerance) <= by_frames_s / declared_s <= 1 + tolerance


def _end_of_frames(source: Source, codec: str, begin: int, end: int) -> int:
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


def _seconds_per_byte(source: Source, codec: str, begin: int, end: int) -> float | None:
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
