"""The T2A request and its answer, as types."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from client.arguments import check_choice, check_number, check_text
from client.models import SPEECH_MODELS
from client.redaction import redact

LONGEST_SPOKEN_TEXT: Final = 9999
"""Characters of a synchronous T2A text ("under 10,000")."""

AUDIO_FORMATS: Final = ("mp3", "pcm", "flac", "wav")
SAMPLE_RATES: Final = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100)
BITRATES: Final = (32_000, 64_000, 128_000, 256_000)
SPEEDS: Final = (0.5, 2.0)
VOLUMES: Final = (0.01, 10.0)
"""More than 0, and at most 10."""
PITCHES: Final = (-12, 12)
"""Of all these, T2A refuses others (code 2013): the maker's T2A page, and those of the gateways that forward to it."""


class SpeechRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A text to be read with a voice; checked when it is made.

    What is None is left to the service. The words for moods differ from model to model, and are left to it, too.

    Attributes:
        voice_id: The voice, as a clone answered it.
        text: 1 to 9999 characters; line breaks and tabs are allowed.
        model: One of `SPEECH_MODELS`.
        speed: Relative to normal, 0.5 to 2.
        vol: Relative to normal, above 0, at most 10.
        pitch: Semitones up or down, whole, at most 12.
        emotion: The service's word for a mood.
        format: ``mp3``, ``pcm``, ``flac`` or ``wav``.
        sample_rate: Hertz, one of `SAMPLE_RATES`.
        bitrate: Bits a second of an MP3, one of `BITRATES`.
        channel: 1 or 2.
        language_boost: The service's word for a language.
        output_format: Whether the audio comes in the answer (``hex``) or as a link (``url``).

    Raises:
        InvalidArgument: A field breaks the contract.
    """

    voice_id: str
    text: str
    model: str = "speech-2.8-turbo"
    speed: float | None = None
    vol: float | None = None
    pitch: int | None = None
    emotion: str | None = None
    format: str = "mp3"
    sample_rate: int | None = None
    bitrate: int | None = None
    channel: int | None = None
    language_boost: str | None = None
    output_format: Literal["hex", "url"] = "hex"

    def __post_init__(self) -> None:
        check_text("voice_id", self.voice_id, 256)
        check_text("text", self.text, LONGEST_SPOKEN_TEXT, allowed_controls="\n\r\t")
        check_choice("model", self.model, SPEECH_MODELS)
        check_choice("format", self.format, AUDIO_FORMATS)
        check_choice("output_format", self.output_format, ("hex", "url"))
        for name, (least, most) in (("speed", SPEEDS), ("vol", VOLUMES)):
            if (value := getattr(self, name)) is not None:
                check_number(name, value, least=least, most=most)
        for name, (lowest, highest) in (("pitch", PITCHES), ("channel", (1, 2))):
            if (value := getattr(self, name)) is not None:
                check_number(name, value, least=lowest, most=highest, whole=True)
        for name, known in (("sample_rate", SAMPLE_RATES), ("bitrate", BITRATES)):
            if (value := getattr(self, name)) is not None:
                check_number(name, value, whole=True)
                check_choice(name, value, known)
        for name in ("emotion", "language_boost"):
            if (value := getattr(self, name)) is not None:
                check_text(name, value, 100)

    def body(self) -> dict[str, Any]:
        """Build the JSON body; the model is not in it but in the path."""
        voice = {
            "voice_id": self.voice_id,
            "speed": self.speed,
            "vol": self.vol,
            "pitch": self.pitch,
            "emotion": self.emotion,
        }
        audio = {
            "format": self.format,
            "sample_rate": self.sample_rate,
            "bitrate": self.bitrate,
            "channel": self.channel,
        }
        body: dict[str, Any] = {
            "text": self.text,
            "voice_setting": {name: value for name, value in voice.items() if value is not None},
            "audio_setting": {name: value for name, value in audio.items() if value is not None},
            "output_format": self.output_format,
        }
        if self.language_boost is not None:
            body["language_boost"] = self.language_boost
        return body


class Speech(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a T2A request.

    Attributes:
        audio: The encoded audio, if it came in the answer.
        audio_url: A link to it, if it came as one; download it at once (the pages say 1 h or 24 h).
        trace_id: The identifier that the service's support asks for, if the answer has one.
        raw: The answer's JSON object without the audio; empty when the answer was not JSON.
        extra: The answer's ``extra_info`` (length, size, billed characters), empty when there is none.
        warnings: What is unusual about the answer, one sentence each, such as audio in a place that the contract
            does not name.
    """

    audio: bytes | None
    audio_url: str | None
    trace_id: str | None
    raw: dict[str, Any]
    extra: dict[str, Any]
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        length = len(self.audio) if self.audio is not None else None
        link = redact(self.audio_url) if self.audio_url else None
        return f"Speech(audio=<{length} bytes>, audio_url={link!r}, trace_id={self.trace_id!r})"
