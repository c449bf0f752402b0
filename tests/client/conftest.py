"""A scripted service to clone against, answers without HTTP, and an environment without the user's own settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from client import CloneClient, ClonedVoice, CloneOptions, ServiceError
from client.answers import Answer
from client.results import voice_from
from tests.support.scripted_service import Behaviour, ScriptedServer

KEY = "sk-Top_Secret_0123456789"
QUERY = "X-Amz-Credential=AKIAEXAMPLE%2F20260101&X-Amz-Signature=feedfacefeedfacefeedface"
AUDIO_URL = f"https://storage.example/takes/take.mp3?{QUERY}"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "NETRC", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


def make_answer(status: int, body: object, encoding: str = "utf-8", missing: str = "", **headers: str) -> Answer:
    """An answer without HTTP; keyword arguments are headers, with underscores for hyphens."""
    content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode(encoding)
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, content, missing, ())


def clone_error(status: int, body: object, encoding: str = "utf-8", missing: str = "", **headers: str) -> ServiceError:
    """The error for an answer to a clone request, without HTTP."""
    with pytest.raises(ServiceError) as caught:
        voice_from(make_answer(status, body, encoding, missing, **headers))
    return caught.value


class Attempt:
    """The result of a call against a scripted server."""

    def __init__(self, server: ScriptedServer, voice: ClonedVoice | None, error: ServiceError | None) -> None:
        self.server = server
        self.voice = voice
        self.error = error


CloneFrom = Callable[..., Attempt]


@pytest.fixture
def clone_from() -> CloneFrom:
    """Clone against a server with these behaviours, with short timeouts."""

    def clone(*behaviours: Behaviour, options: CloneOptions | None = None, **settings: Any) -> Attempt:
        settings = {"clone_timeout_s": 60, "connect_timeout_s": 30, "retry_budget_s": 0} | settings
        with ScriptedServer(*behaviours) as server:
            client = CloneClient(KEY, server.base_url, **settings)
            try:
                return Attempt(server, client.clone(AUDIO_URL, options), None)
            except ServiceError as error:
                return Attempt(server, None, error)

    return clone
