"""What the stand-in does with a request: clone, speak, or refuse. It is independent of HTTP."""

from __future__ import annotations

import hmac
import secrets
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from onetake.sandbox.endpoint import contract, fetch_audio, speech
from onetake.sandbox.endpoint.account import Account
from onetake.sandbox.endpoint.contract import Refusal, gateway_error, provider_error

CLONE_PATH: Final = "/v3/minimax-voice-cloning"
_MOST_RECORDINGS: Final = 200
"""Previews and speeches that stay available; older ones are dropped."""


class Service:
    """The stand-in's behaviour; every method may be called by several threads."""

    def __init__(self, api_key: str, now: Callable[[], datetime]) -> None:
        self.account = Account(now)
        self.base_url = ""
        self._key = api_key
        self._recordings: OrderedDict[str, tuple[bytes, str]] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, path: str, authorization: str | None, content_type: str, content: bytes) -> dict[str, Any]:
        """Carry out a POST; raises `Refusal`."""
        self.require_key(authorization)
        if path != CLONE_PATH:
            contract.speech_model(path)
        body = contract.read_object(content, content_type)
        return self._clone(body) if path == CLONE_PATH else self._speak(contract.speech_model(path), body)

    def recording(self, token: str) -> tuple[bytes, str] | None:
        """Return a recording that the stand-in made, and its ``Content-Type``."""
        with self._lock:
            return self._recordings.get(token)

    def require_key(self, authorization: str | None) -> None:
        """Check a request's ``Authorization`` header; raises `Refusal`."""
        if not authorization:
            raise gateway_error(400, "MISSING_API_KEY", "the API key is missing")
        expected = f"Bearer {self._key}".encode()
        # http.server reads header bytes as latin-1.
        if not hmac.compare_digest(authorization.encode("latin-1", "replace"), expected):
            raise gateway_error(401, "FAILED_TO_AUTH", "failed to authenticate the API key")

    def _clone(self, body: dict[str, Any]) -> dict[str, Any]:
        request = contract.parse_clone(body)
        content, stored_type = fetch_audio.download(request.audio_url, "audio_url")
        self.account.add_stored_type(stored_type)
        source = fetch_audio.decode(content)
        fetch_audio.check_source(source)
        if request.prompt_audio_url is not None:
            clip, _ = fetch_audio.download(request.prompt_audio_url, "prompt_audio_url")
            fetch_audio.check_prompt(fetch_audio.decode(clip))
        demo = speech.speak(source.sample, request.text) if request.text else None
        voice = self.account.add_voice(source.sample, request.text)
        answer: dict[str, Any] = {"voice_id": voice.voice_id}
        if demo is not None:
            answer["demo_audio_url"] = self._publish(demo, "mp3")
        return answer

    def _speak(self, model: str, body: dict[str, Any]) -> dict[str, Any]:
        request = contract.parse_speech(body)
        newer = model.startswith("speech-2.8")
        voice = self.account.find(request.voice_id)
        if voice is None:
            raise _no_such_voice(newer=newer)
        audio = speech.speak(
            voice.sample, request.text, request.format, request.sample_rate, request.channel, request.bitrate
        )
        self.account.keep(voice, request.text)
        content = self._publish(audio, request.format) if request.as_link else audio.hex()
        if not newer:
            return {"audio": content, "status": 2}
        return {
            "data": {"audio": content, "status": 2},
            "trace_id": uuid.uuid4().hex,
            "base_resp": {"status_code": 0, "status_msg": "success"},
            "extra_info": {
                "audio_size": len(audio),
                "audio_format": request.format,
                "word_count": len(request.text),
            },
        }

    def _publish(self, audio: bytes, audio_format: str) -> str:
        token = f"{secrets.token_urlsafe(16)}.{audio_format}"
        with self._lock:
            self._recordings[token] = (audio, speech.content_type(audio_format))
            while len(self._recordings) > _MOST_RECORDINGS:
                self._recordings.popitem(last=False)
        return f"{self.base_url}/sandbox/audio/{token}"


def _no_such_voice(*, newer: bool) -> Refusal:
    if newer:
        return provider_error(2054, "voice id not exist")
    return gateway_error(400, "INVALID_REQUEST_BODY", "voice id not exist (2054)")
