"""Typed client of the voice-cloning and speech (T2A) endpoints. HTTP only: no files, no terminal.

    from client import CloneClient, CloneOptions

    service = CloneClient("YOUR-API-KEY")
    options = CloneOptions(text="It rained all night.", model="speech-2.8-hd")
    voice = service.clone("https://storage.example/take.m4a?signature", options)
    with open("demo.mp3", "wb") as file:
        service.download(voice.demo_audio_url or "", file, progress=lambda done, total: print(done, total))

Every failure is a `ServiceError` with a `message`, a `kind` and a `hint`. The subclass `OutcomeUnknown` means that the
call may have been carried out and charged. Importing this package is cheap: names are loaded on first use, and the HTTP
library on the first call.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from client.api import CloneClient
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
    from client.speech import SPEECH_MODELS, Speech, SpeechRequest
    from client.voice_clone import CLONE_MODELS, VOICE_LIFETIME, ClonedVoice, CloneOptions

__distribution__ = "onetake"  # see onetake/installation.py
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

_MODULES = {
    "CLONE_MODELS": "voice_clone",
    "CloneClient": "api",
    "CloneOptions": "voice_clone",
    "ClonedVoice": "voice_clone",
    "SPEECH_MODELS": "speech",
    "Speech": "speech",
    "SpeechRequest": "speech",
    "VOICE_LIFETIME": "voice_clone",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'client' has no attribute {name!r}")
    # PEP 562. All other names are error classes.
    value: object = getattr(import_module(f"client.{_MODULES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
