"""Links: retried while they are not there yet, and refused where they lead into a private network."""

from __future__ import annotations

import io
from ipaddress import ip_address

import pytest

from client import CloneClient, DownloadFailed, InvalidArgument, ServiceError
from client.addresses import is_loopback, is_private, literal_address, private_address_of
from tests.client.conftest import KEY
from tests.support.scripted_service import (
    Behaviour,
    ScriptedServer,
    closes_after_reading,
    http,
    pages,
    says,
)

AUDIO = b"ID3" + bytes(5000)
GOOD = says(http(200, AUDIO, kind="audio/mpeg"))
PAUSED: list[tuple[float, ServiceError]] = []


def download(*behaviours: Behaviour, file: io.BytesIO | None = None, wait_s: float = 30) -> tuple[bytes, int]:
    target = file or io.BytesIO()
    PAUSED.clear()
    with ScriptedServer(*behaviours) as server:
        client = CloneClient(KEY, server.base_url, on_retry=lambda pause, error: PAUSED.append((pause, error)))
        try:
            client.download(f"{server.base_url}/demo.mp3", target, timeout_s=5, wait_s=wait_s)
        except DownloadFailed as error:
            error.add_note(str(server.connections))
            raise
        return target.getvalue(), server.connections


@pytest.mark.parametrize(
    "first",
    [
        *(says(http(status, b"", kind="text/plain")) for status in (403, 404, 425, 429, 500, 503)),
        says(http(200, b"", kind="audio/mpeg")),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nID3 half"),
        closes_after_reading,
    ],
)
def test_a_link_that_is_not_there_yet_is_asked_again(first: Behaviour) -> None:
    assert download(first, GOOD) == (AUDIO, 2)
    assert [error.state for _, error in PAUSED] == ["refused"]


def test_pauses_grow_and_end() -> None:
    with pytest.raises(DownloadFailed, match="HTTP 404") as caught:
        download(pages(404), wait_s=2.2)
    pauses = [pause for pause, _ in PAUSED]
    assert pauses == sorted(pauses)
    assert len(pauses) == 2
    assert caught.value.__notes__ == ["3"]
    assert "Bad things" in caught.value.service_message


@pytest.mark.parametrize(
    "behaviour",
    [pages(200), pages(410), pages(401), says(http(302, b"", "Location: /again.mp3"))],
)
def test_what_will_not_change_is_not_asked_again(behaviour: Behaviour) -> None:
    with pytest.raises(DownloadFailed):
        download(behaviour)
    assert not PAUSED


def test_a_file_that_cannot_be_rewound_gets_no_second_beginning() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    half = says(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nID3 half")
    with pytest.raises(DownloadFailed):
        download(half, GOOD, file=Pipe())
    assert download(pages(404), GOOD, file=Pipe()) == (AUDIO, 2)


def test_what_the_file_had_before_is_kept() -> None:
    file = io.BytesIO(b"before")
    file.seek(0, io.SEEK_END)
    half = says(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nID3 half")
    assert download(half, GOOD, file=file)[0] == b"before" + AUDIO


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "a.localhost", "LOCALHOST."),
        *("[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.100.100.200", "[fe80::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[2002:a00:1::]"),
        *("224.0.0.1", "198.18.0.1", "[::]", "3232235777"),
    ],
)
def test_a_real_service_cannot_mean_a_private_link(host: str) -> None:
    with pytest.raises(InvalidArgument, match="private"):
        CloneClient(KEY).download(f"http://{host}/demo.mp3", io.BytesIO(), wait_s=0)


def test_a_redirect_into_a_private_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(says(http(302, b"", "Location: http://169.254.169.254/latest"))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.base_url)  # reaches a public host without leaving this machine
        with pytest.raises(InvalidArgument, match=r"169\.254"):
            CloneClient(KEY).download("http://93.184.216.34/demo.mp3", io.BytesIO(), wait_s=0)
        assert proxy.connections == 1


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::"])
def test_public_addresses(address: str) -> None:
    assert private_address_of(address) is None


def test_proxy_programs_that_answer_every_name_with_a_benchmark_address_are_allowed() -> None:
    assert not is_private(ip_address("198.18.3.4"), resolved=True)
    assert is_private(ip_address("198.18.3.4"))
    assert is_private(ip_address("10.0.0.1"), resolved=True)


def test_a_name_that_does_not_resolve_here_is_left_to_the_proxy() -> None:
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
def test_what_is_loopback(host: str | None, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("host", ["127.evil.example", "1.2.3.4.5", "0xzz", "256.256.256.256", "a", "1..2", ""])
def test_names_are_not_literal_addresses(host: str) -> None:
    assert literal_address(host) is None


@pytest.mark.parametrize("base_url", ["http://127.evil.example", "http://10.0.0.1", "http://localhost.example"])
def test_the_key_does_not_travel_unencrypted_to_another_machine(base_url: str) -> None:
    with pytest.raises(InvalidArgument, match="unencrypted"):
        CloneClient(KEY, base_url)
