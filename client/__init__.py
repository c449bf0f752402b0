"""Typed client of the voice-cloning and speech (T2A) endpoints: HTTP alone, no files, no terminal.

    from client import CloneClient, CloneOptions

    service = CloneClient("YOUR-API-KEY")
    options = CloneOptions(text="It rained all night.", model="speech-2.8-hd")
    voice = service.clone("https://storage.example/take.m4a?signature", options)
    with open("demo.mp3", "wb") as file:
        service.download(voice.demo_audio_url or "", file, progress=lambda done, total: print(done, total))

Every failure is a `ServiceError` with a `message`, a `kind` and a `hint`; `OutcomeUnknown` among them means that the
call may have been carried out and charged. Importing this package costs nothing: names are loaded when they are first
used, and the HTTP library when the first call is made.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from client.api import CloneClient
    from client.clone_types import VOICE_LIFETIME, ClonedVoice, CloneOptions
    from client.errors import (
        AudioRefused,
        BalanceTooLow,
        DownloadFailed,
        InvalidArgument,
        KeyRefused,
        NonsenseAnswer,
        NotPermitted,
        OutcomeUnknown,
        RateLimited,
        RequestRefused,
        ServerFailed,
        ServiceError,
        ServiceUnreachable,
        TextRefused,
        VoiceNotFound,
    )
    from client.models import CLONE_MODELS, SPEECH_MODELS
    from client.speech_types import Speech, SpeechRequest

__all__ = [
    "CLONE_MODELS",
    "SPEECH_MODELS",
    "VOICE_LIFETIME",
    "AudioRefused",
    "BalanceTooLow",
    "CloneClient",
    "CloneOptions",
    "ClonedVoice",
    "DownloadFailed",
    "InvalidArgument",
    "KeyRefused",
    "NonsenseAnswer",
    "NotPermitted",
    "OutcomeUnknown",
    "RateLimited",
    "RequestRefused",
    "ServerFailed",
    "ServiceError",
    "ServiceUnreachable",
    "Speech",
    "SpeechRequest",
    "TextRefused",
    "VoiceNotFound",
]

_ROOMS = {
    "CLONE_MODELS": "models",
    "SPEECH_MODELS": "models",
    "VOICE_LIFETIME": "clone_types",
    "CloneClient": "api",
    "CloneOptions": "clone_types",
    "ClonedVoice": "clone_types",
    "Speech": "speech_types",
    "SpeechRequest": "speech_types",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'client' has no attribute {name!r}")
    found: object = getattr(import_module(f"client.{_ROOMS.get(name, 'errors')}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
