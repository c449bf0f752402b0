"""Copy coded sound, all of it or a part, into a new file: nothing is decoded, and what is kept keeps its bytes."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Final

from preflight.errors import CannotFix
from preflight.fixes.mp3_cut import cut_mp3
from preflight.fixes.mux import open_output
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

_WARM_UP_PACKETS: Final = 2
"""Of AAC, before the part that is kept: a transform overlaps with the one before, and SBR looks back a little more."""


def rewrap(
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
        window: What is kept, as (start, end) in seconds of the decoded sound; None for all. The packets at its ends
            are kept whole; in MP3 the sound begins and ends to the sample all the same.
        ranges: The parts of the file that hold the media; all of it when empty.
        audio_track_number: Which audio track, counted from 0; None for the one that FFmpeg would play.

    Raises:
        CannotFix: The packets cannot be put into the container.
        OSError: The disk is full or the file cannot be written.
    """
    with open_container(source, ranges) as container_in:
        track = audio_track(container_in, audio_track_number)
        if track is None:
            raise CannotFix("it has no audio track", "choose another recording")
        try:
            if container == "mp3" and window is not None:
                _cut_mp3(container_in, track, file, window)
            else:
                _remux(container_in, track, file, container, window)
        except DECODER_ERRORS as error:
            raise CannotFix(f"its coded sound cannot be copied ({error})", "convert it") from error


def _whole_packets(container: InputContainer, track: AudioStream) -> Iterator[Packet[AudioStream]]:
    """Without the end mark, and without the piece of a packet at which a truncated file stops."""
    for packet in container.demux(track):
        if packet.dts is not None and not packet.is_corrupt:
            yield packet


def _cut_mp3(container: InputContainer, track: AudioStream, file: IO[bytes], window: Span) -> None:
    rate = track.codec_context.sample_rate
    # what a decoder passes over at the beginning, by the recording's own Info frame
    passed_over = round(float((track.start_time or 0) * (track.time_base or 0)) * rate)
    first, last = (round(moment * rate) + passed_over for moment in window)
    packets = (bytes(packet) for packet in _whole_packets(container, track))
    cut_mp3(packets, file, passed_over if window[0] == 0 else first, last)


def _remux(
    container: InputContainer, track: AudioStream, file: IO[bytes], wanted: Container, window: Span | None
) -> None:
    # the sound begins at once, however late it began beside its pictures; before zero lies AAC's own priming
    offset = track.start_time or 0
    if wanted == "m4a":
        offset = max(0, offset)
    with open_output(file, wanted) as output:
        copy = output.add_stream_from_template(track)
        for packet, delay in _kept(_whole_packets(container, track), track, offset, window):
            moved = _bare(packet) if wanted == "mp3" else packet
            pts, dts = (packet.pts or packet.dts or 0) - offset - delay, (packet.dts or 0) - offset - delay
            moved.stream, moved.pts, moved.dts = copy, pts, dts
            output.mux(moved)


def _kept(
    packets: Iterator[Packet[AudioStream]], track: AudioStream, offset: int, window: Span | None
) -> Iterator[tuple[Packet[AudioStream], int]]:
    """The packets of `window`, each with the time at which the kept part begins; before that lies what warms up."""
    if window is None or track.time_base is None:
        yield from ((packet, 0) for packet in packets)
        return
    start, end = (int(moment / track.time_base) for moment in window)
    before: list[Packet[AudioStream]] = []
    delay = None
    for packet in packets:
        begin = (packet.pts or 0) - offset
        if begin >= end:
            return
        if delay is not None:
            yield packet, delay
        elif begin + (packet.duration or 0) > start:
            delay = max(0, begin) if window[0] > 0 else 0
            yield from ((kept, delay) for kept in (*before, packet))
        else:
            before = [*before, packet][-_WARM_UP_PACKETS:]


def _bare(packet: Packet[AudioStream]) -> Packet[Stream]:
    """Without notes on what to skip at the end: the MP3 muxer adds them to the padding that MP3 itself declares."""
    from av.packet import Packet

    bare: Packet[Stream] = Packet(bytes(packet))
    bare.time_base, bare.duration = packet.time_base, packet.duration
    return bare
