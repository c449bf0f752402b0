"""Downloads: retried while a link is not available yet, limited in size, and never a web page or a private address."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

import client
from client import CloneClient, DownloadFailed, InvalidArgument, ServiceError
from tests.client.conftest import KEY
from tests.support.scripted_service import (
    Behaviour,
    ScriptedServer,
    answers,
    closes_after_reading,
    http,
    pages,
    repeats_forever,
    says,
    stalls,
)

AUDIO = b"ID3" + bytes(5000)
GOOD = says(http(200, AUDIO, kind="audio/mpeg"))
PAUSES: list[tuple[float, ServiceError]] = []


def download_with_retries(
    *behaviours: Behaviour, file: io.BytesIO | None = None, wait_s: float = 30
) -> tuple[bytes, int]:
    target = file or io.BytesIO()
    PAUSES.clear()
    with ScriptedServer(*behaviours) as server:
        client = CloneClient(KEY, server.base_url, on_retry=lambda pause, error: PAUSES.append((pause, error)))
        try:
            client.download(f"{server.base_url}/demo.mp3", target, timeout_s=60, wait_s=wait_s)
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
def test_a_link_that_is_not_available_yet_is_retried(first: Behaviour) -> None:
    assert download_with_retries(first, GOOD) == (AUDIO, 2)
    assert [error.state for _, error in PAUSES] == ["refused"]


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "text/html; charset=utf-8"])
def test_audio_that_is_declared_as_text_is_downloaded(kind: str) -> None:
    assert download_with_retries(says(http(200, AUDIO, kind=kind))) == (AUDIO, 1)
    with pytest.raises(DownloadFailed, match="leads to text"):
        download_with_retries(says(http(200, b"Sign in first", kind=kind)))


def test_pauses_grow_until_the_time_is_over() -> None:
    with pytest.raises(DownloadFailed, match="HTTP 404") as caught:
        download_with_retries(pages(404), wait_s=2.2)
    pauses = [pause for pause, _ in PAUSES]
    assert pauses == sorted(pauses)
    assert len(pauses) == 2
    assert caught.value.__notes__ == ["3"]
    assert "Bad things" in caught.value.service_message


@pytest.mark.parametrize(
    "behaviour",
    [pages(200), pages(410), pages(401), says(http(302, b"", "Location: /again.mp3"))],
)
def test_a_permanent_failure_is_not_retried(behaviour: Behaviour) -> None:
    with pytest.raises(DownloadFailed):
        download_with_retries(behaviour)
    assert not PAUSES


def test_a_partly_written_pipe_is_not_retried() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    half = says(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nID3 half")
    with pytest.raises(DownloadFailed):
        download_with_retries(half, GOOD, file=Pipe())
    assert download_with_retries(pages(404), GOOD, file=Pipe()) == (AUDIO, 2)


def test_earlier_content_of_the_file_is_kept() -> None:
    file = io.BytesIO(b"before")
    file.seek(0, io.SEEK_END)
    half = says(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nID3 half")
    assert download_with_retries(half, GOOD, file=file)[0] == b"before" + AUDIO


def download_from(behaviour: Behaviour, *more: Behaviour, **settings: Any) -> bytes:
    with ScriptedServer(behaviour, *more) as server:
        target = io.BytesIO()
        settings = {"timeout_s": 3, "wait_s": 0} | settings
        written = CloneClient(KEY, server.base_url).download(f"{server.base_url}/demo.mp3", target, **settings)
        assert written == len(target.getvalue())
        return target.getvalue()


def test_a_complete_download() -> None:
    audio = b"ID3" + bytes(range(256)) * 2000
    assert download_from(says(http(200, audio, kind="audio/mpeg"))) == audio


def test_the_progress_of_a_download() -> None:
    audio = b"ID3" + bytes(range(256)) * 2000
    seen: list[tuple[int, int | None]] = []

    def on_progress(done: int, total: int | None) -> None:
        seen.append((done, total))

    download_from(says(http(200, audio, kind="audio/mpeg")), progress=on_progress)
    assert seen == sorted(set(seen))
    assert seen[-1] == (len(audio), len(audio))
    seen.clear()
    download_from(says(b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n" + audio), progress=on_progress)
    assert {total for _, total in seen} == {None}
    with pytest.raises(ZeroDivisionError):
        download_from(says(http(200, audio, kind="audio/mpeg")), progress=lambda done, _: done // 0)


def test_a_download_follows_redirects() -> None:
    moved = says(http(302, b"", "Location: /other.mp3"))
    assert download_from(moved, says(http(200, b"ID3", kind="audio/mpeg"))) == b"ID3"


@pytest.mark.parametrize(
    ("behaviour", "name"),
    [
        (says(http(200, b"", kind="audio/mpeg")), "DownloadFailed"),
        (says(http(200, b"<html></html>", kind="text/html; charset=utf-8")), "DownloadFailed"),
        (says(http(200, b"\n<!DOCTYPE html><html>", kind="audio/mpeg")), "DownloadFailed"),
        (says(http(200, b'{"error": 1}', kind="audio/mpeg")), "DownloadFailed"),
        (answers(200, {"code": 404}), "DownloadFailed"),
        (says(http(200, b"ID3" + b"x" * 2000, kind="audio/mpeg")), "DownloadFailed"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nID3"), "DownloadFailed"),
        (repeats_forever(b"HTTP/1.1 200 OK\r\n\r\nID3", b"y", 0.05), "DownloadFailed"),
        (says(http(403, b"<Error>expired</Error>", kind="application/xml")), "DownloadFailed"),
        (says(http(404, b"", kind="text/plain")), "DownloadFailed"),
        (says(http(503, b"", kind="text/plain")), "DownloadFailed"),
        (says(http(302, b"", "Location: /again.mp3")), "DownloadFailed"),
        (says(http(302, b"", "Location: ftp://h/x")), "InvalidArgument"),
        (says(http(302, b"", "Location: file:///etc/hostname")), "InvalidArgument"),
        (closes_after_reading, "DownloadFailed"),
        (stalls, "DownloadFailed"),
    ],
)
def test_content_other_than_audio_is_an_error(behaviour: Behaviour, name: str) -> None:
    with pytest.raises(client.ServiceError) as caught:
        download_from(behaviour, max_bytes=1000, timeout_s=0.6)
    assert type(caught.value) is getattr(client, name), caught.value


@pytest.mark.parametrize("url", ["ftp://h/a.mp3", "file:///a.mp3", "a.mp3", "https://", "data:audio/mp3,x"])
def test_links_other_than_http_are_refused(url: str) -> None:
    with pytest.raises(InvalidArgument):
        CloneClient(KEY).download(url, io.BytesIO())


def test_an_unwritable_file_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "demo.mp3").write_bytes(b"")
    with (
        ScriptedServer(says(http(200, b"ID3", kind="audio/mpeg"))) as server,
        (tmp_path / "demo.mp3").open("rb") as unwritable,
        pytest.raises(OSError, match=r"write|not writable"),
    ):
        CloneClient(KEY, server.base_url).download(f"{server.base_url}/demo.mp3", unwritable)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "a.localhost", "LOCALHOST."),
        *("[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.100.100.200", "[fe80::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[2002:a00:1::]"),
        *("224.0.0.1", "198.18.0.1", "[::]", "3232235777"),
    ],
)
def test_a_private_link_of_a_public_service_is_refused(host: str) -> None:
    with pytest.raises(InvalidArgument, match="private"):
        CloneClient(KEY).download(f"http://{host}/demo.mp3", io.BytesIO(), wait_s=0)


def test_a_redirect_into_a_private_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(says(http(302, b"", "Location: http://169.254.169.254/latest"))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.base_url)  # reaches a public host without leaving this machine
        with pytest.raises(InvalidArgument, match=r"169\.254"):
            CloneClient(KEY).download("http://93.184.216.34/demo.mp3", io.BytesIO(), wait_s=0)
        assert proxy.connections == 1
