"""The fixtures of the application's tests."""

from __future__ import annotations

from tests.onetake.conftest import home, say, services

__all__ = ["home", "say", "services"]
