"""Which audio track of a file to use: the one with the most speech."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from preflight import limits
from preflight.media.containers import DECODER_ERRORS, has_decoder, open_container

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from numpy.typing import NDArray

    from preflight.input.source import Source
    from preflight.media.byte_ranges import Range

_RATE_HZ: Final = 16_000
"""What the speech detector takes."""
_COMPARED_S: Final = 2 * limits.MAX_DURATION_S
"""Of all tracks together: two tracks are compared over as much as can be sent."""
_LEAST_S: Final = 30.0
_MOST_TRACKS: Final = 16
_SPEECH: Final = 0.5


class _Score(NamedTuple):
    """What a track is worth; a greater one is better."""

    speech_s: float
    is_audible: bool
    is_decodable: bool


def choose_track(source: Source, ranges: Sequence[Range], protected: Collection[int]) -> int:
    """The number of the audio track with the most speech, counted from 0; the first of equals.

    Every track is decoded, and given to the speech detector, for at most ten minutes of all tracks together.

    Args:
        source: The open recording.
        ranges: The parts of the file that hold the media; all of it when empty.
        protected: Tracks that are encrypted; used only when there is no other.

    Raises:
        NotARecording: FFmpeg cannot open the file.
    """
    with open_container(source, ranges) as container:
        count = len(container.streams.audio)
    numbers = [number for number in range(count) if number not in protected] or list(range(count))
    seconds = max(_LEAST_S, _COMPARED_S / len(numbers))
    scores = {number: _score(source, ranges, number, seconds) for number in numbers[:_MOST_TRACKS]}
    return max(scores, key=lambda number: (scores[number], -number))


def _score(source: Source, ranges: Sequence[Range], number: int, seconds: float) -> _Score:
    from preflight.analysis.vad.silero import WINDOW
    from preflight.analysis.vad.speech import SpeechMeter

    meter, frames, peak = SpeechMeter(_RATE_HZ), 0, 0.0
    with open_container(source, ranges) as container:
        stream = container.streams.audio[number]
        if not has_decoder(stream):
            return _Score(0.0, is_audible=False, is_decodable=False)
        for block in _blocks(container, stream):
            meter.add(block)
            frames += len(block)
            peak = max(peak, float(np.abs(block).max(initial=0.0)))
            if frames >= seconds * _RATE_HZ:
                break
    if not frames:
        return _Score(0.0, is_audible=False, is_decodable=False)
    windows = int(np.count_nonzero(meter.heard().track.probabilities >= _SPEECH))
    return _Score(windows * WINDOW / _RATE_HZ, peak > 10 ** (limits.SILENCE_DBFS / 20), is_decodable=True)


def _blocks(container: InputContainer, stream: AudioStream) -> Iterator[NDArray[np.float32]]:
    """The track in mono at 16 kHz, as far as it can be decoded; shape (frames,)."""
    import av

    resampler = av.AudioResampler(format="flt", layout="mono", rate=_RATE_HZ)
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except DECODER_ERRORS:
            return  # the rest of the file cannot be read; `check` reports that for the track that is used
        if packet is None:
            return
        try:
            for frame in stream.decode(packet):
                frame.pts = None
                for resampled in resampler.resample(frame):
                    yield np.asarray(resampled.to_ndarray().reshape(-1), np.float32)
        except DECODER_ERRORS:
            continue  # one packet; a track that consists of such packets gets no frames
