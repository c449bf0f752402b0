"""Who may talk to the studio: every other request is refused, and leaves nothing."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.studio import Page

FORM = {"sample_rate_hz": 16_000, "channels": 1}


def bare(page: Page, method: str = "GET", path: str = "/api/state", **headers: str | None) -> requests.Response:
    """A request of another program: without the cookie, unless it is among the headers."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, page.origin + path, json=FORM, headers=given, allow_redirects=False, timeout=60)


def cookie(page: Page) -> str:
    ((name, value),) = page.session.cookies.get_dict().items()
    return f"{name}={value}"


def test_the_token_is_exchanged_for_a_cookie_that_scripts_cannot_read(page: Page) -> None:
    path = page.address.removeprefix(page.origin)
    answer = bare(page, path=path)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    attributes = answer.headers["Set-Cookie"].lower().split("; ")
    assert {"httponly", "samesite=strict", "path=/"} <= set(attributes)
    assert attributes[0].startswith(f"onetake-studio-{urlsplit(page.origin).port}=")
    assert path.partition("=")[2] not in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("path", ["/", "/api/state", "/static/app.js", "/takes/0/audio", "/none"])
@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?token=%ff%00"])
def test_no_token_or_a_wrong_one_is_refused(page: Page, path: str, query: str) -> None:
    answer = bare(page, path=path + query)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "localhost", "127.0.0.1", "127.0.0.1:1", "evil.example:80", ""])
@pytest.mark.parametrize("with_cookie", [False, True])
def test_another_host_is_refused_with_and_without_the_cookie(page: Page, host: str, with_cookie: bool) -> None:
    headers = {"Host": host, **({"Cookie": cookie(page)} if with_cookie else {})}
    answer = bare(page, **headers)
    assert answer.status_code in {400, 403}
    assert bare(page, path=page.address.removeprefix(page.origin), Host=host).status_code in {400, 403}


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://localhost:80", "https://127.0.0.1"])
def test_a_change_from_another_origin_is_refused(page: Page, origin: str | None) -> None:
    headers = {"Cookie": cookie(page), "X_Onetake_Studio": "1", **({"Origin": origin} if origin else {})}
    assert bare(page, "POST", "/api/recordings", **headers).status_code == 403


def test_a_plain_form_is_refused(page: Page) -> None:
    form = {"Cookie": cookie(page), "Origin": page.origin, "Content_Type": "application/x-www-form-urlencoded"}
    assert bare(page, "POST", "/api/recordings", **form).status_code == 403
    assert bare(page, "POST", "/api/recordings", **form, X_Onetake_Studio="1").status_code == 200


def test_every_answer_has_the_headers(page: Page) -> None:
    for answer in (page.ask("GET", "/"), page.ask("GET", "/none"), bare(page), page.ask("POST", "/api/join", json=1)):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_a_request_that_is_too_large_is_refused_before_it_is_read(page: Page) -> None:
    address = urlsplit(page.origin)
    for path, size in (("/api/join", 100_001), ("/api/recordings/0?first=0", 16_000_001), ("/api/takes", 10**9 + 1)):
        head = (
            f"PUT {path} HTTP/1.1\r\nHost: {address.netloc}\r\nCookie: {cookie(page)}\r\nOrigin: {page.origin}\r\n"
            f"X-Onetake-Studio: 1\r\nContent-Length: {size}\r\n\r\n"
        )
        with socket.create_connection((address.hostname or "", address.port or 0), 60) as connection:
            connection.sendall(head.encode())
            assert connection.recv(12) == b"HTTP/1.1 413"


def test_a_body_of_unknown_length_is_counted(page: Page) -> None:
    headers = {"Origin": page.origin, "X-Onetake-Studio": "1"}
    pieces = (b" " * 60_000 for _ in range(3))
    answer = page.session.post(f"{page.origin}/api/join", data=pieces, headers=headers, timeout=60)
    assert answer.status_code == 413


def test_the_server_listens_on_loopback_only(page: Page) -> None:
    port = urlsplit(page.origin).port or 0
    with socket.socket() as other:  # another address of this machine: nothing listens there
        other.settimeout(60)
        assert other.connect_ex(("127.0.0.2", port)) != 0
