"""What the stand-in does with a request that arrived: clone, speak, or refuse. Knows no sockets."""

from __future__ import annotations

import hmac
import secrets
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from onetake.sandbox.endpoint import contract, speech
from onetake.sandbox.endpoint import fetch_audio as listening
from onetake.sandbox.endpoint.account import Account
from onetake.sandbox.endpoint.refusals import Refusal, gateway, maker

CLONE_PATH: Final = "/v3/minimax-voice-cloning"
_MOST_RECORDINGS: Final = 200


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
        """Find a recording that was made, and its ``Content-Type``."""
        with self._lock:
            return self._recordings.get(token)

    def require_key(self, authorization: str | None) -> None:
        """Check a request's ``Authorization`` header; raises `Refusal`."""
        if not authorization:
            raise gateway(400, "MISSING_API_KEY", "the API key is missing")
        expected = f"Bearer {self._key}".encode()
        # http.server reads header bytes as latin-1.
        if not hmac.compare_digest(authorization.encode("latin-1", "replace"), expected):
            raise gateway(401, "FAILED_TO_AUTH", "failed to authenticate the API key")

    def _clone(self, body: dict[str, Any]) -> dict[str, Any]:
        order = contract.parse_clone(body)
        content, stored_type = listening.download(order.audio_url, "audio_url")
        self.account.note_stored_type(stored_type)
        heard = listening.listen(content)
        listening.check_source(heard)
        if order.prompt_audio_url is not None:
            clip, _ = listening.download(order.prompt_audio_url, "prompt_audio_url")
            listening.check_prompt(listening.listen(clip))
        demo = speech.speak(heard.sample, order.text) if order.text else None
        voice = self.account.open_voice(heard.sample, order.text)
        answer: dict[str, Any] = {"voice_id": voice.voice_id}
        if demo is not None:
            answer["demo_audio_url"] = self._publish(demo, "mp3")
        return answer

    def _speak(self, model: str, body: dict[str, Any]) -> dict[str, Any]:
        order = contract.parse_speech(body)
        newer = model.startswith("speech-2.8")
        voice = self.account.living(order.voice_id)
        if voice is None:
            raise _no_such_voice(newer=newer)
        audio = speech.speak(voice.sample, order.text, order.format, order.sample_rate, order.channel, order.bitrate)
        self.account.keep(voice, order.text)
        content = self._publish(audio, order.format) if order.as_link else audio.hex()
        if not newer:
            return {"audio": content, "status": 2}
        return {
            "data": {"audio": content, "status": 2},
            "trace_id": uuid.uuid4().hex,
            "base_resp": {"status_code": 0, "status_msg": "success"},
            "extra_info": {
                "audio_size": len(audio),
                "audio_format": order.format,
                "word_count": len(order.text),
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
        return maker(2054, "voice id not exist")
    return gateway(400, "INVALID_REQUEST_BODY", "voice id not exist (2054)")
