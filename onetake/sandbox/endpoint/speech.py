"""Make previews and speech: the first seconds of the recording, for as long as the text would take."""

from __future__ import annotations

import io
from typing import Final, cast

import av
import av.error
import numpy as np
from av.audio import AudioStream
from numpy.typing import NDArray

from onetake.sandbox.endpoint.contract import bad_field
from onetake.sandbox.endpoint.fetch_audio import SAMPLE_RATE_HZ

_SECONDS_PER_CHARACTER: Final = 0.06
_SHORTEST_S: Final = 1.0
_LONGEST_S: Final = 10.0
# format: (FFmpeg's container, its encoder, Content-Type)
_FORMATS: Final = {
    "mp3": ("mp3", "libmp3lame", "audio/mpeg"),
    "wav": ("wav", "pcm_s16le", "audio/wav"),
    "flac": ("flac", "flac", "audio/flac"),
    "pcm": ("s16le", "pcm_s16le", "application/octet-stream"),
}


def content_type(audio_format: str) -> str:
    """Return the ``Content-Type`` of a format."""
    return _FORMATS[audio_format][2]


def speak(
    sample: NDArray[np.int16],
    text: str,
    audio_format: str = "mp3",
    sample_rate: int = SAMPLE_RATE_HZ,
    channel: int = 1,
    bitrate: int = 128000,
) -> bytes:
    """Encode as many seconds of the sample (mono, 32 kHz) as the text would take, 1 to 10."""
    seconds = min(_LONGEST_S, max(_SHORTEST_S, _SECONDS_PER_CHARACTER * len(text)))
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(sample[None, : int(seconds * SAMPLE_RATE_HZ)]), format="s16", layout="mono"
    )
    frame.sample_rate = SAMPLE_RATE_HZ
    try:
        return _encode(frame, audio_format, sample_rate, "stereo" if channel == 2 else "mono", bitrate)
    except (av.error.FFmpegError, ValueError):
        raise bad_field(f"audio_setting: {audio_format} cannot be made at {sample_rate} Hz") from None


def _encode(frame: av.AudioFrame, audio_format: str, rate: int, layout: str, bitrate: int) -> bytes:
    container_name, encoder, _ = _FORMATS[audio_format]
    target = io.BytesIO()
    with av.open(target, "w", format=container_name) as container:
        stream = cast(AudioStream, container.add_stream(encoder, rate=rate, layout=layout))
        if audio_format == "mp3":
            stream.bit_rate = bitrate
        resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return target.getvalue()
