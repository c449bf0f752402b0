"""Who may talk to the studio: only the browser that was given the printed address.

    GET /?token=…  ── token right ──> 303 to /, Set-Cookie (HttpOnly, SameSite=Strict)
    anything else  ── Host exactly ours ── cookie right ── for changes: our Origin and our header ── size ──> routes

The Host check stops DNS rebinding: a page of another site whose name resolves to 127.0.0.1 sends its own name. The
Origin and the header, which HTML forms cannot send, stop requests that other pages make with the user's cookie (CSRF).
"""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER: Final = "X-Onetake-Studio"
"""Every request that changes something has this header, with the value ``1``."""
_TOKEN_BYTES: Final = 32
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """ASGI middleware that refuses every request that does not come from the studio's own page.

    Args:
        app: Handles the requests that pass.
        port: The port of the server, on 127.0.0.1.
        limit_of: Returns the most bytes that a request to a path may send.

    Attributes:
        origin: The origin of the page.
        token: 256 random bits, part of the address that is printed.
    """

    def __init__(self, app: ASGIApp, port: int, limit_of: Callable[[str], int]) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self.token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._app = app
        self._host = f"127.0.0.1:{port}"
        self._cookie = f"onetake-studio-{port}"  # cookies do not distinguish ports: two studios must not share one
        self._session = secrets.token_urlsafe(_TOKEN_BYTES)
        self._limit_of = limit_of

    @property
    def address(self) -> str:
        """The address to open in a browser, with the token."""
        return f"{self.origin}/?token={self.token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # WebSockets are not used: an unanswered handshake is refused with 403
            await send({"type": "websocket.close", "code": 1008})
            return
        request = Request(scope)
        limit = self._limit_of(request.url.path)
        answer = self._refusal(request, limit)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message["headers"]}
                ours = ((name.lower().encode(), value.encode()) for name, value in _HEADERS.items())
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in ours if name not in names),
                ]
            await send(message)

        if answer is not None:
            await answer(scope, receive, send_guarded)
        else:
            await self._app(scope, _limited(receive, limit), send_guarded)

    def _refusal(self, request: Request, limit: int) -> Response | None:
        """Return the answer to a request that is not passed on; None for one that is."""
        if request.headers.getlist("host") != [self._host]:
            return _refused(f"this server answers requests to {self._host} only")
        if request.method == "GET" and request.url.path == "/" and "token" in request.query_params:
            return self._exchange(request)
        if not _is_equal(request.cookies.get(self._cookie, ""), self._session):
            return _refused("open the address that `onetake studio` printed: it has the token of this session")
        if request.method not in _SAFE_METHODS:
            is_ours = request.headers.getlist("origin") == [self.origin]
            if not is_ours or request.headers.get(HEADER) != "1":
                return _refused(f"a change needs the header {HEADER}, and must come from the studio's own page")
        announced = request.headers.get("content-length", "0")
        if not (announced.isascii() and announced.isdigit()) or int(announced[:20]) > limit:
            return _too_large(limit)
        return None

    def _exchange(self, request: Request) -> Response:
        """Exchange the token of the address for a cookie, so that no link or history entry holds what grants access."""
        if not _is_equal(request.query_params["token"], self.token):
            return _refused("the token is wrong: open the address that `onetake studio` printed")
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self._cookie, self._session, httponly=True, samesite="strict", path="/")
        return answer


def _limited(receive: Receive, limit: int) -> Receive:
    """Return `receive` with a limit on the bytes of the body: one without Content-Length is counted as it comes."""
    count = 0

    async def counted() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        if count > limit:
            raise HTTPException(413, _too_large_text(limit))
        return message

    return counted


def _is_equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _refused(reason: str) -> Response:
    return PlainTextResponse(f"{reason}\n", 403)


def _too_large(limit: int) -> Response:
    # the rest of the body is not read: the connection is closed after the answer
    return PlainTextResponse(_too_large_text(limit), 413, headers={"Connection": "close"})


def _too_large_text(limit: int) -> str:
    return f"the request is larger than {limit:,} bytes"
