"""Copy encoded audio, all of it or a part, into a new file, without decoding it."""

from __future__ import annotations

import struct
from collections import Counter
from fractions import Fraction
from itertools import pairwise
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from preflight.errors import CannotFix
from preflight.fixes.encode import open_muxer
from preflight.fixes.mp3_cut import cut_mp3, read_frame
from preflight.media.containers import DECODER_ERRORS, audio_track, open_container
from preflight.media.mp4_boxes import gap_in_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet

    from preflight.fixes.options import Container
    from preflight.input.source import Source
    from preflight.media.byte_ranges import Range
    from preflight.report import Span

    Packets = Iterator[Packet[AudioStream]]

_PRE_ROLL_PACKETS: Final = 2
"""AAC packets before the part to keep: one for the overlap of the MDCT, one for SBR (ISO/IEC 14496-3, 4.6.18)."""
_FRAME_SAMPLES: Final = (960, 1024, 1920, 2048)
"""The samples in a packet of AAC, without and with SBR (ISO/IEC 14496-3, 4.5.1.1 and 4.6.18)."""
_MAX_ROUNDING: Final = 0.05
"""Matroska rounds times to milliseconds, 3 % of a packet at 96 kHz; 44.1 kHz for 48 kHz is a difference of 8 %."""


def remux(
    source: Source,
    file: IO[bytes],
    container: Container,
    window: Span | None = None,
    *,
    ranges: Sequence[Range] = (),
    audio_track_number: int | None = None,
    decoded_s: float | None = None,
) -> None:
    """Copy the packets of one audio track of `source` into a new file.

    Args:
        source: The open recording.
        file: Open for writing and seeking.
        container: ``m4a`` for AAC, ``mp3`` for MP3.
        window: The part to keep, as (start, end) in seconds of the decoded audio; None for all. In M4A, the packets at
            its ends are kept completely; in MP3, the audio starts and ends at the exact sample.
        ranges: The byte ranges of the file that hold the media; empty for all of it.
        audio_track_number: The audio track, counted from 0; None for the one that FFmpeg selects.
        decoded_s: The seconds that all packets decode to, if they are intact: timestamps of AAC that contradict it, by
            gaps or a wrong time scale, are replaced. None to copy the timestamps.

    Raises:
        CannotFix: The packets cannot be stored in the container.
        OSError: The disk is full or the file cannot be written.
    """
    # the ranges leave out tags, in which FFmpeg would search for frames
    with open_container(source, ranges) as container_in:
        track = audio_track(container_in, audio_track_number)
        if track is None:
            raise CannotFix("it has no audio track", "choose another recording")
        try:
            if container == "mp3":
                limits = _mp3_limits(source, ranges, audio_track_number, window)
                cut_mp3((bytes(packet) for packet in _whole_packets(container_in, track)), file, *limits)
            else:
                steps = _contradicted_steps(source, ranges, audio_track_number, decoded_s)
                _copy_packets(container_in, track, file, window, steps)
        except DECODER_ERRORS as error:
            raise CannotFix(f"its packets cannot be copied ({error})", "re-encode it") from error


def _whole_packets(container: InputContainer, track: AudioStream) -> Packets:
    """Yield packets, without FFmpeg's flush packet and without the partial packet at the end of a truncated file."""
    for packet in container.demux(track):
        if packet.dts is not None and not packet.is_corrupt:
            yield packet


def _mp3_limits(
    source: Source, ranges: Sequence[Range], track_number: int | None, window: Span | None
) -> tuple[int, int]:
    """Return the first sample to play and the one after the last, counted in all that the frames decode to.

    FFmpeg's MP3 muxer would always write the delay of LAME and no padding.
    """
    delay, total, padding, rate = 0, 0, 0, 0
    with open_container(source, ranges) as container:
        track = audio_track(container, track_number)
        for number, packet in enumerate(_whole_packets(container, track) if track else ()):
            frame = read_frame(bytes(packet))
            start, padding = _skipped_samples(packet)
            delay = start if number == 0 else delay
            total, rate = total + frame.samples, rate or frame.rate_hz
    if window is None:
        return delay, total - padding
    first, last = (round(moment * rate) + delay for moment in window)
    return first, last


def _skipped_samples(packet: Packet[AudioStream]) -> tuple[int, int]:
    """Return the samples that decoders skip at the start and at the end of a packet."""
    if not packet.has_sidedata("skip_samples"):
        return 0, 0
    # AV_PKT_DATA_SKIP_SAMPLES: two little-endian numbers of 32 bits, then the reasons
    start, end = struct.unpack("<II", bytes(packet.get_sidedata("skip_samples"))[:8])
    return start, end


class _Steps(NamedTuple):
    """From one packet to the next.

    Attributes:
        ticks: The usual difference of the timestamps.
        frame: The seconds that a packet decodes to.
    """

    ticks: int
    frame: Fraction


def _contradicted_steps(
    source: Source, ranges: Sequence[Range], track_number: int | None, decoded_s: float | None
) -> _Steps | None:
    """Return the steps of AAC if the timestamps contradict the audio; None otherwise."""
    with open_container(source, ranges) as container:
        track = audio_track(container, track_number)
        if track is None or track.time_base is None or not decoded_s:
            return None
        times = [packet.dts for packet in _whole_packets(container, track) if packet.dts is not None]
        rate, time_base = track.codec_context.sample_rate, track.time_base
    usual, gap = gap_in_ticks(Counter(later - time for time, later in pairwise(times)))
    if usual <= 0 or not rate:
        return None
    samples = decoded_s * rate / len(times)  # less than in a frame: decoders skip the delay of the encoder
    frame = Fraction(min(_FRAME_SAMPLES, key=lambda count: abs(count - samples)), rate)
    is_scaled = abs(usual * time_base / frame - 1) > _MAX_ROUNDING
    is_plausible = abs(frame * len(times) - decoded_s) < _MAX_ROUNDING * decoded_s
    return _Steps(usual, frame) if is_plausible and (gap or is_scaled) else None


def _one_after_another(packets: Packets, steps: _Steps) -> Packets:
    """Yield packets with new times, in units of ``1 / steps.frame.denominator`` seconds."""
    time = None
    for packet in packets:
        if time is None:  # negative by the delay of the encoder
            time = round(min(0, packet.dts or 0) / steps.ticks * steps.frame.numerator)
        packet.pts = packet.dts = time
        packet.duration = steps.frame.numerator
        packet.time_base = Fraction(1, steps.frame.denominator)
        time += steps.frame.numerator
        yield packet


def _copy_packets(
    container: InputContainer, track: AudioStream, file: IO[bytes], window: Span | None, steps: _Steps | None
) -> None:
    # In a video the audio track may start later than the picture; alone it starts at once. Negative times are AAC's
    # encoder delay, which the edit list (ISO/IEC 14496-12, 8.6.6) skips: they stay.
    offset, time_base, packets = max(0, track.start_time or 0), track.time_base, _whole_packets(container, track)
    if steps is not None:
        offset, time_base = 0, Fraction(1, steps.frame.denominator)
        packets = _one_after_another(packets, steps)
    with open_muxer(file, "m4a") as output:
        copy = output.add_stream_from_template(track)
        for packet, start in _packets_in(packets, time_base, offset, window):
            pts, dts = (packet.pts or packet.dts or 0) - offset - start, (packet.dts or 0) - offset - start
            packet.stream, packet.pts, packet.dts = copy, pts, dts
            output.mux(packet)


def _packets_in(
    packets: Packets, time_base: Fraction | None, offset: int, window: Span | None
) -> Iterator[tuple[Packet[AudioStream], int]]:
    """Yield the packets of `window`, each with the time of the first packet to play.

    Those before it, the pre-roll, get negative times, so the muxer writes an edit list that skips them.
    """
    if window is None or time_base is None:
        yield from ((packet, 0) for packet in packets)
        return
    first, last = (int(moment / time_base) for moment in window)
    pre_roll: list[Packet[AudioStream]] = []
    start = None
    for packet in packets:
        time = (packet.pts or 0) - offset
        if time >= last:
            return
        if start is not None:
            yield packet, start
        # the first packet that reaches into the window is kept completely
        elif time + (packet.duration or 0) > first:
            start = max(0, time) if window[0] > 0 else 0
            yield from ((kept, start) for kept in (*pre_roll, packet))
        else:
            pre_roll = [*pre_roll, packet][-_PRE_ROLL_PACKETS:]
