"""The routes of the studio: each decodes a form, calls one function in a thread, and answers with JSON."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from functools import partial
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from onetake.errors import UsageError, failure_of
from onetake.exit_status import Status
from onetake.render.outcomes import error_fields
from onetake.studio import edits, voices
from onetake.studio.clone_run import CloneForm
from onetake.studio.clone_runs import CloneRuns
from onetake.studio.recorder import Recording
from onetake.studio.scripts import script
from onetake.studio.state import state_view
from onetake.studio.take import Span, file_stem
from onetake.studio.take_report import Examiner, findings_view, room_view
from onetake.studio.takes import Takes

if TYPE_CHECKING:
    from starlette.requests import Request

    from onetake.studio.services import Services

T = TypeVar("T")

LARGEST_DROP_BYTES: Final = 1_000_000_000
_LARGEST_SAMPLES_BYTES: Final = 16_000_000
"""Ten seconds of two channels at 192 kHz: what is sent at once after a connection failed for a while."""
_LARGEST_FORM_BYTES: Final = 100_000
_LONGEST_NAME: Final = 255
_POLL_S: Final = 0.2
_HTTP_STATUS: Final = {
    Status.NOT_FIT: 422,
    Status.USAGE: 400,
    Status.STORAGE: 502,
    Status.SERVICE: 502,
    Status.UNKNOWN: 409,
    Status.BUG: 500,
}
_TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_AUDIO_TYPES: Final = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".ogg": "audio/ogg"}


class FinishForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The end of a recording: its name, and where the marked sentence was on the screen, in seconds."""

    name: str
    marked: Span | None = None


class JoinForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Takes to join, in order."""

    takes: list[str]


class TextForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text to check."""

    text: str


def limit_of(path: str) -> int:
    """Return the most bytes that a request to a path may send."""
    if path == "/api/takes":
        return LARGEST_DROP_BYTES
    is_samples = path.startswith("/api/recordings/") and not path.endswith("/finish")
    return _LARGEST_SAMPLES_BYTES if is_samples else _LARGEST_FORM_BYTES


class Studio:
    """The application behind the guard.

    Args:
        takes: The takes of the session.
        services: Where to clone.

    Attributes:
        runs: The clones of this session.
    """

    def __init__(self, takes: Takes, services: Services) -> None:
        self.runs = CloneRuns(services, takes)
        self._takes, self._services, self._examiner = takes, services, Examiner()
        self._assets = _assets()

    def app(self) -> Starlette:
        """Return the ASGI application."""
        form, get, post = self._form, partial(Route, methods=["GET"]), partial(Route, methods=["POST"])
        takes, runs, services = self._takes, self.runs, self._services
        return Starlette(
            routes=[
                get("/", self._asset),
                get("/static/{name}", self._asset),
                get("/takes/{take}/audio", self._audio),
                get("/api/state", self._answer(lambda _: state_view(takes, runs, services))),
                get("/api/scripts/{language}", self._answer(lambda path: script(path["language"]))),
                post("/api/recordings", form(Recording, lambda _, sent: {"id": takes.begin(sent)})),
                Route("/api/recordings/{take}", self._samples, methods=["PUT"]),
                post("/api/recordings/{take}/finish", form(FinishForm, self._finish)),
                Route("/api/takes", self._drop, methods=["PUT"]),
                Route("/api/takes/{take}", self._answer(lambda path: takes.remove(path["take"])), methods=["DELETE"]),
                post("/api/takes/{take}/save", self._answer(lambda path: takes.save(path["take"]))),
                get("/api/takes/{take}/check", self._answer(self._check)),
                get("/api/takes/{take}/room", self._answer(self._room)),
                get("/api/takes/{take}/clips", self._answer(self._clips)),
                post("/api/takes/{take}/clip", form(edits.ClipForm, self._clip)),
                post("/api/takes/{take}/plan", form(edits.FixForm, self._plan)),
                post("/api/takes/{take}/fix", form(edits.FixForm, self._fix)),
                post("/api/join", form(JoinForm, self._join)),
                post("/api/prompt-text", form(TextForm, lambda _, sent: edits.require_prompt_text(sent.text))),
                post("/api/clones/plan", form(CloneForm, lambda _, sent: runs.plan(sent))),
                post("/api/clones", form(CloneForm, lambda _, sent: runs.start(sent).view())),
                get("/api/clones/{run}/events", self._events),
                get("/api/voices", self._answer(lambda _: voices.voices_view(services))),
                post("/api/voices/keep", form(voices.VoiceForm, lambda _, sent: voices.keep_voice(services, sent))),
                post(
                    "/api/voices/say", form(voices.SayForm, lambda _, sent: voices.spoken_take(services, takes, sent))
                ),
                post("/api/voices/settle", form(voices.SettleForm, lambda _, sent: voices.settle(services, sent))),
            ]
        )

    def _answer(self, action: Callable[[dict[str, Any]], object]) -> Callable[[Request], Any]:
        """Return an endpoint that answers with what `action` returns for the parameters of the path."""

        async def endpoint(request: Request) -> Response:
            return await _json(partial(action, request.path_params))

        return endpoint

    def _form(self, kind: type[T], action: Callable[[dict[str, Any], T], object]) -> Callable[[Request], Any]:
        """Return an endpoint that decodes its body, and answers with what `action` returns."""

        async def endpoint(request: Request) -> Response:
            body = await request.body()
            return await _json(lambda: action(request.path_params, _decode(body, kind)))

        return endpoint

    async def _asset(self, request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in self._assets:
            return _failed(UsageError("there is no such file", "reload the page"), 404)
        return Response(self._assets[name], media_type=_TYPES[Path(name).suffix])

    async def _audio(self, request: Request) -> Response:
        try:
            take = self._takes.find(request.path_params["take"])
        except UsageError as error:
            return _failed(error, 404)
        path = Path(take.file)
        if not path.is_file():
            return _failed(UsageError("the file no longer exists", "put it back"), 404)
        kind = _AUDIO_TYPES.get(path.suffix.lower(), "application/octet-stream")
        name = path.name if "download" in request.query_params else None
        return FileResponse(path, media_type=kind, filename=name)

    async def _samples(self, request: Request) -> Response:
        content, first = await request.body(), request.query_params.get("first", "")

        def append() -> object:
            if not (first.isascii() and first.isdigit() and len(first) < 13):
                raise UsageError("the position of the samples is missing", "send first=BYTES")
            return {"stored": self._takes.append(request.path_params["take"], int(first), content)}

        return await _json(append)

    def _finish(self, path: dict[str, Any], sent: FinishForm) -> object:
        return self._takes.finish(path["take"], sent.name, sent.marked)

    async def _drop(self, request: Request) -> Response:
        """Store a file that was dropped on the page, as it comes."""
        name = PurePosixPath(request.query_params.get("name", "take").replace("\\", "/")).name[-_LONGEST_NAME:]
        arriving = self._takes.scratch(f"arriving-{secrets.token_hex(8)}")
        try:
            with arriving.open("xb") as file:
                async for piece in request.stream():
                    await run_in_threadpool(file.write, piece)
            return await _json(
                lambda: self._takes.new(origin="dropped", name=name, write=partial(_move, arriving, name))
            )
        finally:
            arriving.unlink(missing_ok=True)

    def _check(self, path: dict[str, Any]) -> object:
        take = self._takes.find(path["take"])
        return findings_view(take, self._examiner.examine(take))

    def _room(self, path: dict[str, Any]) -> object:
        return room_view(self._examiner.examine(self._takes.find(path["take"])))

    def _clips(self, path: dict[str, Any]) -> object:
        take = self._takes.find(path["take"])
        settings = None if self._services.sandbox_only else self._services.get("real").settings
        return edits.clips_view(take, self._examiner, settings)

    def _clip(self, path: dict[str, Any], sent: edits.ClipForm) -> object:
        take = self._takes.find(path["take"])
        return edits.cut_clip(self._takes, take, self._examiner.examine(take), sent)

    def _plan(self, path: dict[str, Any], sent: edits.FixForm) -> object:
        take = self._takes.find(path["take"])
        return edits.plan_view(take, self._examiner.examine(take), sent)

    def _fix(self, path: dict[str, Any], sent: edits.FixForm) -> object:
        return edits.fixed_take(self._takes, self._takes.find(path["take"]), sent)

    def _join(self, _: dict[str, Any], sent: JoinForm) -> object:
        return edits.joined_take(self._takes, [self._takes.find(take) for take in sent.takes])

    async def _events(self, request: Request) -> Response:
        try:
            run = self.runs.find(request.path_params["run"])
        except UsageError as error:
            return _failed(error, 404)

        async def events() -> AsyncIterator[bytes]:
            last = b""
            while True:
                has_ended = run.has_ended  # before the view: nothing may change between the last view and the end
                view = msgspec.json.encode(run.view())
                if view != last:
                    last = view
                    yield b"data: " + view + b"\n\n"
                if has_ended:
                    return
                await asyncio.sleep(_POLL_S)

        return StreamingResponse(events(), media_type="text/event-stream")


async def _json(action: Callable[[], object]) -> Response:
    """Run `action` in a thread, and answer with its result or its failure."""
    try:
        content = await run_in_threadpool(action)
    except Exception as error:  # noqa: BLE001 - every failure becomes an answer
        return _failed(error)
    return Response(msgspec.json.encode(content), media_type="application/json")


def _failed(error: Exception, status: int | None = None) -> Response:
    failure = failure_of(error)
    content = msgspec.json.encode({"error": error_fields(failure)})
    return Response(content, status or _HTTP_STATUS.get(failure.status, 500), media_type="application/json")


def _decode(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise UsageError(f"the request is not valid: {error}", "reload the page") from error


def _move(arriving: Path, name: str, folder: Path) -> Path:
    suffix = Path(name).suffix.lower()
    is_plain = suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) < 8
    return arriving.rename(folder / f"{file_stem(name)}{suffix if is_plain else ''}")


def _assets() -> dict[str, bytes]:
    """Return the files of the page by name, with the style and the script of the HTML report."""
    own = {entry.name: entry.read_bytes() for entry in files("onetake.studio").joinpath("static").iterdir()}
    report = files("onetake.render.html")
    return {
        **own,
        "report.css": report.joinpath("style.css").read_bytes(),
        "report.js": report.joinpath("script.js").read_bytes(),
    }
