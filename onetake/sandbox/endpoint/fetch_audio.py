"""Download and decode a recording. No code is shared with `preflight`, so that each can be tested against the other."""

from __future__ import annotations

import io
import time
from collections import Counter
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import av
import av.error
import numpy as np
import requests
from av.audio import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from msgspec import Struct
from numpy.typing import NDArray

from onetake.sandbox.endpoint.contract import Refusal, bad_field, gateway_error, provider_error

LARGEST_BYTES: Final = 20 * 1024 * 1024
SHORTEST_S: Final = 10.0
LONGEST_S: Final = 300.0
PROMPT_LIMIT_S: Final = 8.0
"""The parameter table of the clone endpoint: `audio_url`, and `clone_prompt`, which must be shorter."""
SAMPLE_RATE_HZ: Final = 32000
# PyAV 19 has no such option: it decodes tags of any encoding
_TAGS: Final[dict[str, Any]] = {} if int(av.__version__.partition(".")[0]) >= 19 else {"metadata_errors": "ignore"}
_SAMPLE_S: Final = 10
_ENDINGS: Final = (".mp3", ".m4a", ".wav")
_DOWNLOAD_S: Final = 30.0
# By default FFmpeg probes megabytes of a WAV for DTS and other codecs inside PCM.
_PROBED_BYTES: Final = "65536"
# No playlist or script formats: FFmpeg would open the files that they name.
_FORMATS: Final = "wav,mp3,mov,mp4,m4a,3gp,3g2,mj2"
_MOST_BAD_PACKETS: Final = 100


class DecodedAudio(Struct):
    """A decoded recording: its duration, and its first seconds as mono, 16-bit, 32 kHz."""

    duration_s: float
    channels: int
    sample: NDArray[np.int16]


def download(url: str, field: str) -> tuple[bytes, str]:
    """Fetch a recording; returns its bytes and their ``Content-Type``. Raises `Refusal`."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.path.lower().endswith(_ENDINGS):
        raise provider_error(2013, "invalid params, invalid file ext")
    if not _is_loopback(parts.hostname):
        raise bad_field(f"{field}: this is a sandbox, which fetches from this machine (loopback) only")
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.get(url, stream=True, timeout=(5, _DOWNLOAD_S), allow_redirects=False) as answer:
                if answer.status_code != 200:
                    raise provider_error(
                        2013, f"invalid params, invalid file ext (download: HTTP {answer.status_code})"
                    )
                return _content(answer), answer.headers.get("Content-Type", "")
    except requests.RequestException:
        raise provider_error(2013, "invalid params, invalid file ext (download failed)") from None


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def _content(answer: requests.Response) -> bytes:
    content = bytearray()
    deadline = time.monotonic() + _DOWNLOAD_S
    for chunk in answer.iter_content(65536):
        content += chunk
        if len(content) > LARGEST_BYTES:
            raise gateway_error(400, "INVALID_AUDIO_FILE", "the audio file is larger than 20 MB")
        if time.monotonic() > deadline:
            raise provider_error(2013, "invalid params, invalid file ext (download too slow)")
    return bytes(content)


def check_source(audio: DecodedAudio) -> None:
    """Refuse a recording that is too short or too long."""
    _check_channels(audio)
    if not SHORTEST_S <= audio.duration_s <= LONGEST_S:
        raise provider_error(2037, f"voice duration too short or too long ({audio.duration_s:.2f} s)")


def check_prompt(audio: DecodedAudio) -> None:
    """Refuse a prompt clip that is too long."""
    _check_channels(audio)
    if audio.duration_s >= PROMPT_LIMIT_S:
        raise provider_error(2048, f"prompt audio too long ({audio.duration_s:.2f} s)")


def _check_channels(audio: DecodedAudio) -> None:
    if audio.channels > 2:
        raise gateway_error(400, "INVALID_AUDIO_FILE", "the audio file must be mono or stereo")


def decode(content: bytes) -> DecodedAudio:
    """Decode a whole file; raises `Refusal` if it is not a valid recording."""
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file", "probesize": _PROBED_BYTES}
    try:
        with av.open(io.BytesIO(content), "r", options=options, **_TAGS) as container:
            audio = _decode(container, _audio_stream(container))
    except (av.error.FFmpegError, ValueError) as error:
        raise _unreadable(f"cannot be read ({type(error).__name__})") from None
    if not audio.duration_s:
        raise _unreadable("contains no audio")
    return audio


def _unreadable(why: str) -> Refusal:
    return gateway_error(400, "INVALID_AUDIO_FILE", f"the audio file {why}; mp3, m4a or wav is needed")


def _audio_stream(container: InputContainer) -> AudioStream:
    pictures = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not container.streams.audio or pictures:
        raise _unreadable("is a video" if pictures else "has no audio stream")
    stream = container.streams.audio[0]
    # None if FFmpeg has no decoder, contrary to the type stubs.
    codec = getattr(stream.codec_context, "name", "") or ""
    family = container.format.name
    is_accepted = (
        (family == "mp3" and codec.startswith("mp3"))
        or ("m4a" in family and codec == "aac")
        or (family == "wav" and codec.startswith("pcm_") and not codec.endswith("law"))
    )
    if not is_accepted:
        raise _unreadable(f"is {codec or 'unknown'} in {family}")
    return stream


def _decode(container: InputContainer, stream: AudioStream) -> DecodedAudio:
    audio = DecodedAudio(0.0, 0, np.zeros(0, np.int16))
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
    pieces: list[NDArray[np.int16]] = []
    wanted = _SAMPLE_S * SAMPLE_RATE_HZ
    bad = 0
    samples: Counter[int] = Counter()  # by sample rate, since the limits are exact and sums of seconds are not
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            bad += 1
            if bad > _MOST_BAD_PACKETS:
                raise
            continue
        for frame in frames:
            samples[frame.sample_rate] += frame.samples
            audio.channels = max(audio.channels, frame.layout.nb_channels)
            if wanted > 0 and audio.channels <= 2:
                frame.pts = None
                for piece in resampler.resample(frame):
                    pieces.append(piece.to_ndarray()[0][:wanted].astype(np.int16, copy=False))
                    wanted -= len(pieces[-1])
    audio.duration_s = sum(count / rate for rate, count in samples.items())
    if pieces:
        audio.sample = np.concatenate(pieces)
    return audio
