from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from client import CloneClient, ClonedVoice, CloneOptions, ServiceError
from tests.support.scripted_service import Behaviour, ScriptedServer

KEY = "sk-Top_Secret_0123456789"
QUERY = "X-Amz-Credential=AKIAEXAMPLE%2F20260101&X-Amz-Signature=feedfacefeedfacefeedface"
AUDIO_URL = f"https://storage.example/takes/take.mp3?{QUERY}"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "NETRC", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


class Met:
    """What came of a call against a scripted server."""

    def __init__(self, server: ScriptedServer, voice: ClonedVoice | None, error: ServiceError | None) -> None:
        self.server = server
        self.voice = voice
        self.error = error


@pytest.fixture
def clone_from() -> Callable[..., Met]:
    """Clone against a server that behaves as told, with short timeouts."""

    def clone(*behaviours: Behaviour, options: CloneOptions | None = None, **settings: Any) -> Met:
        settings = {"clone_timeout_s": 60, "connect_timeout_s": 30, "retry_budget_s": 0} | settings
        with ScriptedServer(*behaviours) as server:
            client = CloneClient(KEY, server.base_url, **settings)
            try:
                return Met(server, client.clone(AUDIO_URL, options), None)
            except ServiceError as error:
                return Met(server, None, error)

    return clone
