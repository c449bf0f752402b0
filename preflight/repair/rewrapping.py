"""Copy coded sound into a new container: nothing is decoded, nothing is lost."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from preflight.containers import DECODER_ERRORS, audio_track, open_container
from preflight.errors import CannotFix

if TYPE_CHECKING:
    from preflight.repair.planning import Container
    from preflight.source import Source

_MUXERS = {"m4a": "ipod", "mp3": "mp3"}


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
    import av

    with open_container(source) as container_in, av.open(file, "w", format=_MUXERS[container]) as output:
        track = audio_track(container_in)
        if track is None:
            raise CannotFix("it has no audio track", "choose another recording")
        copy = output.add_stream_from_template(track)
        offset = track.start_time or 0 if container == "mp3" else 0
        try:
            for packet in container_in.demux(track):
                if packet.dts is None or packet.is_corrupt:
                    continue  # the end mark, or the piece of a packet at which a truncated file stops
                packet.stream = copy
                packet.pts, packet.dts = (packet.pts or packet.dts) - offset, packet.dts - offset
                output.mux(packet)
        except DECODER_ERRORS as error:
            if isinstance(error, OSError) and error.errno and error.filename is None and _is_full(error.errno):
                raise
            raise CannotFix(f"its coded sound cannot be copied ({error})", "convert it") from error


def _is_full(number: int) -> bool:
    import errno

    return number in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO)
