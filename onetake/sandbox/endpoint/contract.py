"""The service's contract: types and ranges of request fields, and refusals. Unknown fields are ignored, as there."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from msgspec import Struct

FAMILIES = (
    "02-hd",
    "02-turbo",
    "2.5-hd-preview",
    "2.5-turbo-preview",
    "2.6-hd",
    "2.6-turbo",
    "2.8-hd",
    "2.8-turbo",
)
MODELS = tuple(f"speech-{family}" for family in FAMILIES)
MAX_PREVIEW_CHARACTERS = 2000
MAX_SPEECH_CHARACTERS = 9999
"""The parameter tables of the clone endpoint (`text`) and of T2A ("under 10,000")."""
_SENTENCE_ENDS = ".?!。\uff1f\uff01…"
_AFTER_THE_END = "\"'”\u2019»」』】》\uff09)]}"


class Refusal(Exception):
    """A refusal: HTTP status and JSON body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body

    def summary(self) -> str:
        """Return its code or reason, for the log."""
        base = self.body.get("base_resp")
        return str(base["status_code"]) if isinstance(base, dict) else str(self.body.get("reason"))


def gateway_error(status: int, reason: str, message: str) -> Refusal:
    """Return a refusal of the gateway: an HTTP status, and ``code``, ``reason``, ``message``, ``metadata``."""
    return Refusal(status, {"code": status, "reason": reason, "message": message, "metadata": {}})


def provider_error(code: int, message: str) -> Refusal:
    """Return a refusal of the model's provider: HTTP 200, and ``base_resp`` with a number that is not 0."""
    return Refusal(200, {"base_resp": {"status_code": code, "status_msg": message}})


def bad_field(message: str) -> Refusal:
    """Return the refusal of an invalid request body."""
    return gateway_error(400, "INVALID_REQUEST_BODY", message)


class CloneBody(Struct, frozen=True):
    """The fields of a clone request that the stand-in uses."""

    audio_url: str
    prompt_audio_url: str | None
    text: str


class SpeechBody(Struct, frozen=True):
    """The fields of a T2A request that the stand-in uses."""

    voice_id: str
    text: str
    format: str
    sample_rate: int
    bitrate: int
    channel: int
    as_link: bool


def read_object(content: bytes, content_type: str) -> dict[str, Any]:
    """Decode a request body, which must be a JSON object with that content type; raises `Refusal`."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise bad_field("Content-Type must be application/json")
    try:
        body = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise bad_field("the body is not valid JSON") from None
    if not isinstance(body, dict):
        raise bad_field("the body must be a JSON object")
    return body


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def parse_clone(body: dict[str, Any]) -> CloneBody:
    """Validate a clone request; raises `Refusal`."""
    audio_url = _text(body, "audio_url", required=True)
    prompt_url = _prompt(body.get("clone_prompt"))
    text = _text(body, "text", longest=MAX_PREVIEW_CHARACTERS)
    model = _text(body, "model")
    if text and not model:
        raise bad_field("model is required when text is given")
    if model and model not in MODELS:
        raise bad_field("model must be one of " + ", ".join(MODELS))
    _number(body, "accuracy", 0, 1)
    for name in ("need_noise_reduction", "need_volume_normalization"):
        if not isinstance(body.get(name, False), bool):
            raise bad_field(f"{name} must be a boolean")
    return CloneBody(audio_url, prompt_url, text)


def _prompt(prompt: object) -> str | None:
    if prompt is None:
        return None
    if not isinstance(prompt, dict):
        raise bad_field("clone_prompt must be an object")
    url = _text(prompt, "prompt_audio_url", required=True)
    text = _text(prompt, "prompt_text", required=True)
    if not text.rstrip().rstrip(_AFTER_THE_END).endswith(tuple(_SENTENCE_ENDS)):
        raise bad_field(f"prompt_text must end with punctuation ({_SENTENCE_ENDS})")
    return url


def parse_speech(body: dict[str, Any]) -> SpeechBody:
    """Validate a T2A request; raises `Refusal`."""
    text = _text(body, "text", required=True, longest=MAX_SPEECH_CHARACTERS)
    voice, audio = (_object(body, name) for name in ("voice_setting", "audio_setting"))
    voice_id = _text(voice, "voice_id", required=True)
    for name in ("speed", "vol"):
        _number(voice, name, 0.01, 10)
    _number(voice, "pitch", -12, 12)
    _text(voice, "emotion")
    _text(body, "language_boost")
    if body.get("stream", False) is not False:
        raise bad_field("the stand-in does not stream: stream must be false")
    return SpeechBody(
        voice_id=voice_id,
        text=text,
        format=_choice(audio, "format", ("mp3", "pcm", "flac", "wav")),
        sample_rate=int(_number(audio, "sample_rate", 8000, 48000, whole=True) or 32000),
        bitrate=int(_number(audio, "bitrate", 32000, 320000, whole=True) or 128000),
        channel=int(_number(audio, "channel", 1, 2, whole=True) or 1),
        as_link=_choice(body, "output_format", ("hex", "url")) == "url",
    )


def speech_model(path: str) -> str:
    """Return the model of a T2A path; raises `Refusal` for a path that is not an endpoint."""
    family = path.removeprefix("/v3/minimax-speech-")
    if family == path or family not in FAMILIES:
        raise unknown_path()
    return f"speech-{family}"


def unknown_path() -> Refusal:
    """Return the refusal of an unknown path."""
    return gateway_error(404, "API_NOT_FOUND", "the API does not exist")


def _text(body: dict[str, Any], name: str, *, required: bool = False, longest: int = 4000) -> str:
    value = body.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str):
        raise bad_field(f"{name} is required" if value is None else f"{name} must be a string")
    if not value.strip():
        raise bad_field(f"{name} must not be empty")
    if len(value) > longest:
        raise bad_field(f"{name} must have at most {longest} characters")
    return value


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name, {})
    if not isinstance(value, dict):
        raise bad_field(f"{name} must be an object")
    return value


def _number(body: dict[str, Any], name: str, least: float, most: float, *, whole: bool = False) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise bad_field(f"{name} must be a number")
    if not math.isfinite(value) or not least <= value <= most:
        raise bad_field(f"{name} must be between {least:g} and {most:g}")
    return float(value)


def _choice(body: dict[str, Any], name: str, choices: tuple[str, ...]) -> str:
    value = body.get(name, choices[0])
    if value not in choices:
        raise bad_field(f"{name} must be one of {', '.join(choices)}")
    return str(value)
