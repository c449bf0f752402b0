"""Requests to the stand-in endpoint."""

from __future__ import annotations

from typing import Any

import requests

from onetake.sandbox.endpoint import StandInEndpoint

KEY = "sandbox-key-0123456789"
AUTHORIZED = {"Authorization": f"Bearer {KEY}"}
CLONE = "/v3/minimax-voice-cloning"


def post(endpoint: StandInEndpoint, path: str, body: Any, key: str = KEY) -> tuple[int, dict[str, Any]]:
    answer = requests.post(endpoint.base_url + path, json=body, headers={"Authorization": f"Bearer {key}"}, timeout=60)
    decoded = answer.json()
    assert isinstance(decoded, dict)
    return answer.status_code, decoded
