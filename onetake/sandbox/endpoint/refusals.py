"""Refusals, in the two shapes that the service uses."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """An answer that refuses: its HTTP status and its JSON body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body

    def summary(self) -> str:
        """Name the refusal in a word or two, for the log."""
        base = self.body.get("base_resp")
        return str(base["status_code"]) if isinstance(base, dict) else str(self.body.get("reason"))


def gateway(status: int, reason: str, message: str) -> Refusal:
    """Refuse as the gateway does: an HTTP status, and ``code``, ``reason``, ``message``, ``metadata``."""
    return Refusal(status, {"code": status, "reason": reason, "message": message, "metadata": {}})


def maker(code: int, message: str) -> Refusal:
    """Refuse as the model's maker does: HTTP 200, and ``base_resp`` with a number that is not 0."""
    return Refusal(200, {"base_resp": {"status_code": code, "status_msg": message}})


def bad_field(message: str) -> Refusal:
    """Refuse a request whose body breaks the contract."""
    return gateway(400, "INVALID_REQUEST_BODY", message)
