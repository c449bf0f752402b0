"""The SeaweedFS process: its command, options, environment and ports, and the sockets that it leaves behind."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import signal
import socket
import stat
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

from onetake.sandbox.tls import NO_ORIGIN

SOCKETS: Final = Path("/tmp")  # noqa: S108
"""SeaweedFS creates UNIX sockets for its gRPC ports here and ignores TMPDIR. It leaves one behind when it stops, and
all of them when it is killed."""
_STALE_AFTER_S = 60.0
_PROBE_S = 1.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# The other servers expect the gRPC port of the admin server this far above its HTTP port, and no option changes that.
_GRPC_OFFSET = 10_000


class SandboxUnavailable(Exception):
    """The sandbox's storage cannot be started here.

    Attributes:
        message: What happened, in one or a few lines.
        hint: What to do next.
    """

    kind: ClassVar[str] = "sandbox-unavailable"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Identity(NamedTuple):
    """A user of the sandbox's storage; `actions` are SeaweedFS's (Admin, Read, Write, List, Tagging)."""

    name: str
    access_key_id: str
    secret_access_key: str
    actions: Sequence[str]


def find_seaweedfs() -> str:
    """Return the path of the `weed` command, SeaweedFS' executable.

    Raises:
        SandboxUnavailable: It is not installed.
    """
    places = [Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))]
    found = next((path for place in places if (path := shutil.which("weed", path=str(place)))), shutil.which("weed"))
    if found is not None:
        return found
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        raise SandboxUnavailable(
            "the sandbox needs SeaweedFS, which has no wheel for Macs with an Intel processor",
            "Install the `weed` command by other means (such as Homebrew); it is found on PATH.",
        )
    raise SandboxUnavailable("the sandbox needs SeaweedFS, which is not installed", "pip install 'onetake[sandbox]'")


def options(data: Path, config: Path) -> list[str]:
    """Return the command's options except ports: everything on loopback, and what is not needed switched off."""
    return [
        f"-dir={data}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-s3.config={config}",
        "-s3.iam=false",
        "-s3.autoCreateBucket=false",
        f"-s3.allowedOrigins={NO_ORIGIN}",
        f"-filer.allowedOrigins={NO_ORIGIN}",
        "-filer.disableDirListing",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-webdav=false",
        "-admin.ui=false",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64",
        "-volume.preStopSeconds=0",
    ]


def environment(home: Path) -> dict[str, str]:
    """Return the server's environment, with its own home and without the user's keys."""
    # Without AWS_*: SeaweedFS makes AWS_ACCESS_KEY_ID an administrator's key. With another HOME: it reads
    # ~/.seaweedfs. GOMEMLIMIT: with less, Go's garbage collector runs all the time when many recordings are uploaded.
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
    homes = ("USERPROFILE", "TEMP", "TMP") if sys.platform == "win32" else ("HOME", "TMPDIR")
    return {**kept, **dict.fromkeys(homes, str(home)), "GOMEMLIMIT": "512MiB"}


def configuration(identities: Sequence[Identity]) -> dict[str, Any]:
    """Return the configuration file of the S3 server: users and their rights."""
    return {
        "identities": [
            {
                "name": who.name,
                "credentials": [{"accessKey": who.access_key_id, "secretKey": who.secret_access_key}],
                "actions": list(who.actions),
            }
            for who in identities
        ]
    }


def remove_stale_sockets() -> None:
    """Remove the sockets of this user's killed servers; a recent one may belong to a server that is about to listen."""
    if sys.platform == "win32":
        return
    for left in SOCKETS.glob("seaweedfs-*.sock"):
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            found = left.lstat()  # a file that is not a socket refuses connections too
            is_ours = stat.S_ISSOCK(found.st_mode) and found.st_uid == os.getuid()
            if is_ours and time.time() - found.st_mtime > _STALE_AFTER_S:
                probe.settimeout(_PROBE_S)
                try:
                    probe.connect(str(left))
                except ConnectionRefusedError:
                    left.unlink()


def free_ports() -> dict[str, int]:
    """Return a free port for each server; all are bound until the last one is found, so that they differ."""
    ports: dict[str, int] = {}
    with ExitStack() as held:
        for part in ("master", "volume", "filer", "s3"):
            for name in (f"{part}.port", f"{part}.port.grpc"):
                ports[name] = _hold(held, 0)
        while "admin.port.grpc" not in ports:
            port = _hold(held, 0)
            with suppress(OSError, OverflowError):
                ports["admin.port.grpc"] = _hold(held, port + _GRPC_OFFSET)
                ports["admin.port"] = port
    return ports


def _hold(held: ExitStack, port: int) -> int:
    listener = held.enter_context(socket.socket())
    listener.bind(("127.0.0.1", port))
    return int(listener.getsockname()[1])


_GUARD: Final = """
exec 3<&0
"$@" < /dev/null 3<&- &
child=$!
{ cat <&3 > /dev/null; kill -9 "$child"; } &
guard=$!
wait "$child"
kill "$guard"
"""
"""Run a command and kill it when standard input ends, which the system closes when the parent ends."""


def needs_guard() -> bool:
    """Whether a process must be started by `guarded` to end with its parent: neither Linux nor Windows, so macOS."""
    return sys.platform not in {"linux", "win32"}


def guarded(command: Sequence[str]) -> list[str]:
    """A command that ends when its standard input does."""
    return ["/bin/sh", "-c", _GUARD, "sh", *command]


def die_with_parent() -> Callable[[], None] | None:
    """Return a function for the child before exec: it asks Linux to kill the process when its parent thread ends."""
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None, use_errno=True), os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # the parent ended before prctl was called
            os._exit(1)

    return ask
