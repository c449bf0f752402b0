"""Speech (T2A): the request that reads a text with a voice, its result, and the models."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from client.arguments import check_choice, check_number, check_text
from client.redaction import redact

SPEECH_MODELS: Final = (
    "speech-02-hd",
    "speech-02-turbo",
    "speech-2.5-hd-preview",
    "speech-2.5-turbo-preview",
    "speech-2.6-hd",
    "speech-2.6-turbo",
    "speech-2.8-hd",
    "speech-2.8-turbo",
)
"""Models that can read a text with a voice (T2A), oldest first: each has a T2A page."""

LONGEST_SPEECH_TEXT: Final = 9999
"""The most characters of a synchronous T2A text ("under 10,000")."""

# T2A refuses other values with code 2013: the maker's T2A page, and those of the gateways in front of it.
AUDIO_FORMATS: Final = ("mp3", "pcm", "flac", "wav")
SAMPLE_RATES: Final = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100)
BITRATES: Final = (32_000, 64_000, 128_000, 256_000)
SPEEDS: Final = (0.5, 2.0)
VOLUMES: Final = (0.01, 10.0)  # the page says "more than 0"
PITCHES: Final = (-12, 12)


class SpeechRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A text to be read with a voice, validated when the object is created.

    Fields that are None are not sent. The names of emotions differ between models, so only the service checks them.

    Attributes:
        voice_id: The voice, as `ClonedVoice.voice_id` has it.
        text: 1 to 9999 characters; line breaks and tabs are allowed.
        model: One of `SPEECH_MODELS`.
        speed: Factor of the normal speed, 0.5 to 2.
        vol: Factor of the normal volume, above 0, at most 10.
        pitch: Semitones, a whole number from -12 to 12.
        emotion: The service's name of an emotion.
        format: ``mp3``, ``pcm``, ``flac`` or ``wav``.
        sample_rate: Hertz, one of `SAMPLE_RATES`.
        bitrate: Bits per second of an MP3, one of `BITRATES`.
        channel: Number of channels, 1 or 2.
        language_boost: The service's name of a language.
        output_format: ``hex`` for audio in the answer, ``url`` for a link.

    Raises:
        InvalidArgument: A field breaks the contract.

    >>> SpeechRequest(voice_id="voice_1", text="Hi.", speed=1.5).body()["voice_setting"]
    {'voice_id': 'voice_1', 'speed': 1.5}
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
        check_text("text", self.text, LONGEST_SPEECH_TEXT, allowed_controls="\n\r\t")
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
        """Build the JSON body; the model is part of the path, not of the body."""
        body: dict[str, Any] = {
            "text": self.text,
            "voice_setting": self._set_fields("voice_id", "speed", "vol", "pitch", "emotion"),
            "audio_setting": self._set_fields("format", "sample_rate", "bitrate", "channel"),
            "output_format": self.output_format,
        }
        return body | self._set_fields("language_boost")

    def _set_fields(self, *names: str) -> dict[str, Any]:
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class Speech(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a T2A request.

    Attributes:
        audio: The encoded audio, if the answer contains it.
        audio_url: A link to it, if the answer contains a link; download it at once (the pages say 1 h or 24 h).
        trace_id: The identifier that the service's support asks for, if the answer has one.
        raw: The answer's JSON object without the audio; empty if the answer is not JSON.
        extra: The answer's ``extra_info`` (length, size, billed characters); empty if there is none.
        warnings: What is unusual about the answer, such as audio in another field, one sentence each.
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
