"""The sandbox's storage: a real S3 service (SeaweedFS) on loopback, for as long as it is needed.

`weed mini` runs every part of SeaweedFS in one process and is ready in about a second. It gets a folder and
keys of its own, free ports on 127.0.0.1, and an environment without the user's settings and keys.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, NamedTuple, Self

_STARTS = 3
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 3.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# The admin part's gRPC port is looked for this far above its HTTP port by the other parts.
_GRPC_OFFSET = 10_000
_EVERY_RIGHT = ("Admin", "Read", "Write", "List", "Tagging")
_LOG_TAIL_LINES = 6
# It makes sockets beside its ports, whatever TMPDIR says; it leaves one behind when it stops, all when killed.
_SOCKETS = Path("/tmp")  # noqa: S108
_DEAD_AFTER_S = 60.0


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


class SandboxStorage:
    """One SeaweedFS process with one bucket.

    It lives in the caller's process group, so an interrupt at the terminal reaches it too. On Linux the
    kernel kills it when the *thread* that called `start` ends, also when that is because the process was
    killed: call it from a thread that lives as long as the storage is needed.

    Attributes:
        endpoint: Its URL, known after `start`.
        access_key_id: Random, may do everything.
        secret_access_key: Goes with it.
        bucket: The bucket that `start` made.
        region: What to sign for.
    """

    bucket = "onetake-sandbox"
    region = "us-east-1"

    def __init__(self, folder: Path, *, identities: Sequence[Identity] = ()) -> None:
        """Nothing is started yet.

        Args:
            folder: For its data, configuration and log; made if missing.
            identities: Further users.
        """
        self.endpoint = ""
        self.access_key_id = secrets.token_hex(10).upper()
        self.secret_access_key = secrets.token_urlsafe(30)
        self._folder = folder
        self._identities = [
            Identity("sandbox", self.access_key_id, self.secret_access_key, _EVERY_RIGHT),
            *identities,
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._ports: dict[str, int] = {}

    @property
    def log(self) -> Path:
        """Where the process writes what it has to say."""
        return self._folder / "weed.log"

    @property
    def pid(self) -> int | None:
        """The running process, if it runs."""
        return self._process.pid if self._process is not None else None

    def start(self) -> Self:
        """Start it, and return once the bucket is there. Starting twice is harmless.

        Raises:
            SandboxUnavailable: SeaweedFS is not installed, or does not come up within 30 s.
        """
        if self._process is not None:
            return self
        weed = _find_weed()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = f"its folder {self._folder} cannot be made: {error.strerror}"
            raise SandboxUnavailable(f"the sandbox's storage did not start; {reason}", "Use another.") from error
        _remove_dead_sockets()
        deadline = time.monotonic() + _START_TIMEOUT_S
        # It ends at once when a port was taken by somebody else in the meantime: others may be free.
        for _ in range(_STARTS):
            process = self._launch(weed)
            try:
                if self._came_up(process, deadline):
                    return self
            except BaseException:
                self.stop()
                raise
            self.stop()
        raise SandboxUnavailable(f"the sandbox's storage did not start{self._tail()}", f"See {self.log}.")

    def stop(self) -> None:
        """Stop it: politely, and after 3 s by force. Stopping twice is harmless. The folder is left alone."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        finally:
            self._remove_sockets()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _launch(self, weed: str) -> subprocess.Popen[bytes]:
        data = self._folder / f"data-{secrets.token_hex(4)}"  # it remembers its ports there: never start twice in one
        data.mkdir()
        config = self._folder / "identities.json"
        config.touch(mode=0o600)
        config.write_text(json.dumps(_configuration(self._identities)), encoding="utf-8")
        self._ports = _free_ports()
        self.endpoint = f"http://127.0.0.1:{self._ports['s3.port']}"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    weed,
                    "mini",
                    *_options(data, config),
                    *(f"-{name}={port}" for name, port in self._ports.items()),
                ],
                cwd=data,
                env=_environment(data),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent(),  # noqa: PLW1509 - one system call, prepared before the fork
            )

        return self._process

    def _came_up(self, process: subprocess.Popen[bytes], deadline: float) -> bool:
        """Whether the bucket is there before the deadline; False at once when the process has ended."""
        while time.monotonic() < deadline and process.poll() is None:
            if self._is_healthy() and self._has_bucket():
                return True
            time.sleep(0.05)
        return False

    def _is_healthy(self) -> bool:
        import requests

        try:
            with requests.Session() as session:
                session.trust_env = False  # a proxy has no business between here and here
                return session.get(f"{self.endpoint}/healthz", timeout=2).ok
        except requests.exceptions.RequestException:
            return False

    def _has_bucket(self) -> bool:
        import boto3.session
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        client = boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=Config(
                signature_version="s3v4",
                connect_timeout=2,
                read_timeout=5,
                retries={"total_max_attempts": 1, "mode": "standard"},
                s3={"addressing_style": "path"},
                proxies={},
            ),
        )
        try:
            client.create_bucket(Bucket=self.bucket)
        except client.exceptions.BucketAlreadyOwnedByYou:
            return True  # an earlier try whose answer was lost
        except (BotoCoreError, ClientError):
            return False  # the filer behind it is not up yet
        return True

    def _tail(self) -> str:
        with suppress(OSError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
            told = [line.strip() for line in lines if line.strip()][-_LOG_TAIL_LINES:]
            return "; its log ends:\n" + "\n".join(told) if told else ""
        return ""

    def _remove_sockets(self) -> None:
        for port in self._ports.values():
            for left in _SOCKETS.glob(f"seaweedfs-*-{port}.sock"):
                with suppress(OSError):
                    left.unlink()


def _find_weed() -> str:
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


def _options(data: Path, config: Path) -> list[str]:
    return [
        f"-dir={data}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-s3.config={config}",
        "-s3.iam=false",
        "-s3.autoCreateBucket=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-webdav=false",
        "-admin.ui=false",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64",
        "-volume.preStopSeconds=0",
    ]


def _environment(home: Path) -> dict[str, str]:
    # Without AWS_* (SeaweedFS would take the user's own keys for an administrator's) and without the user's
    # ~/.seaweedfs. Less memory than this makes its garbage collector spin.
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
    return {**kept, "HOME": str(home), "TMPDIR": str(home), "GOMEMLIMIT": "256MiB"}


def _configuration(identities: Sequence[Identity]) -> dict[str, Any]:
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


def _remove_dead_sockets() -> None:
    """Remove what killed storages of this user left; a young socket may be one that is about to listen."""
    for left in _SOCKETS.glob("seaweedfs-*.sock"):
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            found = left.stat()
            if found.st_uid == os.getuid() and time.time() - found.st_mtime > _DEAD_AFTER_S:
                try:
                    probe.connect(str(left))
                except ConnectionRefusedError:
                    left.unlink()


def _free_ports() -> dict[str, int]:
    """A free port for every part, all held until the last one is found, so that they differ."""
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


def _die_with_parent() -> Callable[[], None] | None:
    """What the child does before it becomes SeaweedFS: ask Linux to be killed with its parent thread."""
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None, use_errno=True), os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it was gone before the kernel was asked
            os._exit(1)

    return ask
