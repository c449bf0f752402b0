"""The loopback test decides whether consent is required: names that only look local are not."""

from __future__ import annotations

import socket
import sys
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onetake.loopback import claim_port, is_loopback
from onetake.sandbox.endpoint import StandInEndpoint


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::1%lo", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("voice.localhost", True),
        ("127.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("evil-localhost", False),
        ("0.0.0.0", False),
        ("::ffff:10.0.0.1", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_only_loopback_addresses_and_localhost_names_are_local(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@given(st.ip_addresses(v=4))
def test_of_ipv4_exactly_127_is_loopback(address: object) -> None:
    assert is_loopback(str(address)) == str(address).startswith("127.")


@given(st.text())
def test_any_text_is_accepted(host: str) -> None:
    assert is_loopback(host) in {True, False}


def test_a_port_of_windows_is_claimed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    options = []

    class Listener(socket.socket):
        def setsockopt(self, *option: object) -> None:
            options.append(option)

    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", ~socket.SO_REUSEADDR, raising=False)  # winsock2.h
    with Listener() as listener:
        monkeypatch.setattr(sys, "platform", "linux")
        claim_port(listener)
        assert options == []
        monkeypatch.setattr(sys, "platform", "win32")
        claim_port(listener)
    assert options == [(socket.SOL_SOCKET, ~socket.SO_REUSEADDR, 1)]


def test_two_stand_in_endpoints_cannot_have_the_same_port() -> None:
    with StandInEndpoint("key") as first, pytest.raises(OSError, match=r"(?i)in use|address|forbidden"):
        StandInEndpoint("key", port=urlsplit(first.base_url).port or 0)
