"""Copy encoded audio, all of it or a part, into a new file, without decoding it."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Final

from preflight.errors import CannotFix
from preflight.fixes.encode import open_muxer
from preflight.fixes.mp3_cut import cut_mp3
from preflight.media.containers import DECODER_ERRORS, audio_track, open_container

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream

    from preflight.fixes.options import Container
    from preflight.input.source import Source
    from preflight.media.byte_ranges import Range
    from preflight.report import Span

_PRE_ROLL_PACKETS: Final = 2
"""AAC packets before the part to keep: one for the overlap of the MDCT, one for SBR (ISO/IEC 14496-3, 4.6.18)."""


def remux(
    source: Source,
    file: IO[bytes],
    container: Container,
    window: Span | None = None,
    *,
    ranges: Sequence[Range] = (),
    audio_track_number: int | None = None,
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
            if container == "mp3" and window is not None:
                _cut_mp3(container_in, track, file, window)
            else:
                _copy_packets(container_in, track, file, container, window)
        except DECODER_ERRORS as error:
            raise CannotFix(f"its packets cannot be copied ({error})", "re-encode it") from error


def _whole_packets(container: InputContainer, track: AudioStream) -> Iterator[Packet[AudioStream]]:
    """Yield packets, without FFmpeg's flush packet and without the partial packet at the end of a truncated file."""
    for packet in container.demux(track):
        if packet.dts is not None and not packet.is_corrupt:
            yield packet


def _cut_mp3(container: InputContainer, track: AudioStream, file: IO[bytes], window: Span) -> None:
    rate = track.codec_context.sample_rate
    # FFmpeg's start_time is the encoder delay of the Info frame, which decoders skip
    skipped = round(float((track.start_time or 0) * (track.time_base or 0)) * rate)
    first, last = (round(moment * rate) + skipped for moment in window)
    packets = (bytes(packet) for packet in _whole_packets(container, track))
    cut_mp3(packets, file, skipped if window[0] == 0 else first, last)


def _copy_packets(
    container: InputContainer, track: AudioStream, file: IO[bytes], target: Container, window: Span | None
) -> None:
    # In a video the audio track may start later than the picture; alone it starts at once. Negative times are AAC's
    # encoder delay, which the edit list (ISO/IEC 14496-12, 8.6.6) skips: they stay.
    offset = track.start_time or 0
    if target == "m4a":
        offset = max(0, offset)
    with open_muxer(file, target) as output:
        copy = output.add_stream_from_template(track)
        for packet, start in _packets_in(_whole_packets(container, track), track, offset, window):
            moved = _without_side_data(packet) if target == "mp3" else packet
            pts, dts = (packet.pts or packet.dts or 0) - offset - start, (packet.dts or 0) - offset - start
            moved.stream, moved.pts, moved.dts = copy, pts, dts
            output.mux(moved)


def _packets_in(
    packets: Iterator[Packet[AudioStream]], track: AudioStream, offset: int, window: Span | None
) -> Iterator[tuple[Packet[AudioStream], int]]:
    """Yield the packets of `window`, each with the time of the first packet to play.

    Those before it, the pre-roll, get negative times, so the muxer writes an edit list that skips them.
    """
    if window is None or track.time_base is None:
        yield from ((packet, 0) for packet in packets)
        return
    # in ticks of the track
    first, last = (int(moment / track.time_base) for moment in window)
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


def _without_side_data(packet: Packet[AudioStream]) -> Packet[Stream]:
    """Copy a packet without its skip-samples side data: FFmpeg's MP3 muxer adds it to the padding of the Info frame."""
    from av.packet import Packet

    bare: Packet[Stream] = Packet(bytes(packet))
    bare.time_base, bare.duration = packet.time_base, packet.duration
    return bare
