"""Choose the audio track with the most speech."""

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
"""The sample rate of the speech detector."""
_COMPARED_S: Final = 2 * limits.MAX_DURATION_S
"""Seconds of all tracks together: two tracks are compared over the maximum duration of a recording."""
_MIN_S: Final = 30.0
_MAX_TRACKS: Final = 16
_SPEECH: Final = 0.5
"""The probability from which a window counts as speech."""


class _Score(NamedTuple):
    """The quality of a track; the greatest tuple wins."""

    speech_s: float
    is_audible: bool
    is_decodable: bool


def choose_track(source: Source, ranges: Sequence[Range], protected: Collection[int]) -> int:
    """Return the number of the audio track with the most speech, from 0; the first one if they are equal.

    Decodes up to ten minutes of all tracks together and runs the speech detector on each.

    Args:
        source: The open recording.
        ranges: The byte ranges of the media; the whole file if empty.
        protected: The numbers of encrypted tracks, which are used only if there is no other track.

    Raises:
        NotARecording: FFmpeg cannot open the file.
    """
    with open_container(source, ranges) as container:
        count = len(container.streams.audio)
    numbers = [number for number in range(count) if number not in protected] or list(range(count))
    seconds = max(_MIN_S, _COMPARED_S / len(numbers))
    scores = {number: _score(source, ranges, number, seconds) for number in numbers[:_MAX_TRACKS]}
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
    """Yield the decodable part of a track in mono at 16 kHz, as arrays of shape (frames,)."""
    import av

    resampler = av.AudioResampler(format="flt", layout="mono", rate=_RATE_HZ)
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except DECODER_ERRORS:
            return  # the rest of the file is unreadable; `check` reports that for the chosen track
        if packet is None:
            return
        try:
            for frame in stream.decode(packet):
                frame.pts = None  # the resampler would fill gaps between timestamps with silence
                for resampled in resampler.resample(frame):
                    yield np.asarray(resampled.to_ndarray().reshape(-1), np.float32)
        except DECODER_ERRORS:
            continue  # only this packet is lost; a track of such packets has no frames and loses
