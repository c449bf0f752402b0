"""Run the studio: one server on loopback, until Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from typing import TYPE_CHECKING

import uvicorn

from onetake.errors import UsageError
from onetake.io.inputs import require_files
from onetake.io.paths import is_file
from onetake.io.signals import received
from onetake.loopback import claim_port
from onetake.studio.guard import Guard
from onetake.studio.routes import Studio, limit_of
from onetake.studio.services import Services
from onetake.studio.session_folder import session_folder
from onetake.studio.takes import Takes
from preflight.input.source import display_name
from preflight.worker.pool import prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_BACKLOG = 128
_STOP_WITHIN_S = 10.0


@contextlib.contextmanager
def running(
    paths: Sequence[Path],
    home: Path,
    warn: Callable[[str], None],
    *,
    sandbox_only: bool,
    port: int = 0,
    answer_delay_s: float = 0.0,
) -> Iterator[str]:
    """Run the studio during the block.

    Args:
        paths: Takes to open.
        home: The folder for takes, of the session and saved ones.
        warn: Receives warnings.
        sandbox_only: Whether only rehearsals are allowed.
        port: Where to listen; 0 for a free port.
        answer_delay_s: Additional seconds before a rehearsal answers.

    Yields:
        The address to open in a browser, with the token.

    Raises:
        UsageError: A take does not exist, or the port is in use.
        OSError: The folder for takes cannot be created.
    """
    for path in paths:
        require_files([str(path)])
        if not is_file(path):
            raise UsageError(f"{display_name(path)}: there is no such file", "check the name and the folder")
    keep: list[bool] = []
    with (
        _listening(port) as listening,
        session_folder(home / "studio", keep=keep) as folder,
        Services(warn, sandbox_only=sandbox_only, answer_delay_s=answer_delay_s) as services,
    ):
        takes = Takes(folder, home / "takes")
        for path in paths:
            takes.open(path)
        studio = Studio(takes, services)
        guard = Guard(studio.app(), listening.getsockname()[1], limit_of)
        prepare()  # a worker process that is ready when the first take is
        with _serving(guard, listening):
            try:
                yield guard.address
            finally:
                _finish(studio, takes, warn, keep)


def _finish(studio: Studio, takes: Takes, warn: Callable[[str], None], keep: list[bool]) -> None:
    """Wait for paid calls, and decide what happens to takes that are not saved."""
    if studio.runs.in_progress:
        warn("a clone is in progress and may be charged: waiting for its answer (Ctrl-C again stops waiting)")
        try:
            studio.runs.wait()
        except KeyboardInterrupt:
            for message in studio.runs.abandon():
                warn(message)
    if received() == getattr(signal, "SIGHUP", None) and takes.unsaved:
        keep.append(True)  # the terminal was closed, perhaps by accident
    elif takes.unsaved:
        warn(f"takes that were not saved: {takes.unsaved}; they are deleted")


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    """Open the server's socket, on 127.0.0.1 only."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        claim_port(listening)
        try:
            listening.bind(("127.0.0.1", port))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(
                f"port {port} cannot be used: {reason}", "choose another one, or leave out --port"
            ) from error
        listening.listen(_BACKLOG)
        yield listening


@contextlib.contextmanager
def _serving(guard: Guard, listening: socket.socket) -> Iterator[None]:
    """Serve in a thread: the main thread waits for signals, which uvicorn would handle in its own way."""
    config = uvicorn.Config(
        guard,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="studio", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(_STOP_WITHIN_S)
