"""Loopback and private addresses in every notation."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from client import CloneClient, InvalidArgument
from client.addresses import is_loopback, is_private, literal_address, private_address_of
from tests.client.conftest import KEY


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::"])
def test_public_addresses(address: str) -> None:
    assert private_address_of(address) is None


def test_a_name_that_resolves_to_a_benchmark_address_is_not_private() -> None:
    assert not is_private(ip_address("198.18.3.4"), resolved=True)
    assert is_private(ip_address("198.18.3.4"))
    assert is_private(ip_address("10.0.0.1"), resolved=True)


def test_a_name_that_does_not_resolve_is_not_private() -> None:
    assert private_address_of("nonexistent.invalid") is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((host, True) for host in ("127.0.0.1", "127.8.9.1", "127.1", "::1", "::ffff:127.0.0.1", "localhost")),
        *((host, True) for host in ("LOCALHOST", "a.localhost", "localhost.", "2130706433")),
        *((host, False) for host in ("127.evil.example", "127.0.0.1.example", "localhost.example", "mylocalhost")),
        *((host, False) for host in ("", None, "10.0.0.1", "0.0.0.0", "::", "example.com", "1.127.0.0", "999")),
    ],
)
def test_loopback(host: str | None, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("host", ["127.evil.example", "1.2.3.4.5", "0xzz", "256.256.256.256", "a", "1..2", ""])
def test_names_are_not_literal_addresses(host: str) -> None:
    assert literal_address(host) is None


@pytest.mark.parametrize("base_url", ["http://127.evil.example", "http://10.0.0.1", "http://localhost.example"])
def test_the_key_is_not_sent_unencrypted_to_another_machine(base_url: str) -> None:
    with pytest.raises(InvalidArgument, match="unencrypted"):
        CloneClient(KEY, base_url)
