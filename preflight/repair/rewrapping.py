"""Copy coded sound into a new container: nothing is decoded, nothing is lost."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from preflight.containers import DECODER_ERRORS, audio_track, open_container
from preflight.errors import CannotFix
from preflight.repair.muxing import open_output

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet
    from av.stream import Stream

    from preflight.repair.planning import Container
    from preflight.source import Source


def rewrap(source: Source, file: IO[bytes], container: Container) -> None:
    """Copy the packets of the best audio track of `source` into a new file.

    Args:
        source: The open recording.
        file: Open for writing and seeking.
        container: ``m4a`` for AAC, ``mp3`` for MP3.

    Raises:
        CannotFix: The packets cannot be put into the container.
        OSError: The disk is full or the file cannot be written.
    """
    with open_container(source) as container_in, open_output(file, container) as output:
        track = audio_track(container_in)
        if track is None:
            raise CannotFix("it has no audio track", "choose another recording")
        copy = output.add_stream_from_template(track)
        # the sound begins at once, however late it began beside its pictures; before zero lies AAC's own priming
        offset = track.start_time or 0
        if container == "m4a":
            offset = max(0, offset)
        try:
            for packet in container_in.demux(track):
                if packet.dts is None or packet.is_corrupt:
                    continue  # the end mark, or the piece of a packet at which a truncated file stops
                moved = _bare(packet) if container == "mp3" else packet
                pts, dts = (packet.pts or packet.dts) - offset, packet.dts - offset
                moved.stream, moved.pts, moved.dts = copy, pts, dts
                output.mux(moved)
        except DECODER_ERRORS as error:
            raise CannotFix(f"its coded sound cannot be copied ({error})", "convert it") from error


def _bare(packet: Packet[AudioStream]) -> Packet[Stream]:
    """Without notes on what to skip at the end: the MP3 muxer adds them to the padding that MP3 itself declares."""
    from av.packet import Packet

    bare: Packet[Stream] = Packet(bytes(packet))
    bare.time_base, bare.duration = packet.time_base, packet.duration
    return bare
