"""The sandbox's storage: a real S3 service (SeaweedFS) on loopback, for as long as it is needed.

`weed mini` runs every part of SeaweedFS in one process and is ready in about a second. It gets a folder and
keys of its own, free ports on 127.0.0.1, and an environment without the user's settings and keys. Only its S3 port
answers: the others need a client certificate that nobody else has (`onetake.sandbox.tls`).
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from onetake.sandbox.seaweedfs import (
    SOCKETS,
    Identity,
    SandboxUnavailable,
    configuration,
    die_with_parent,
    environment,
    find_weed,
    free_ports,
    options,
    remove_dead_sockets,
)
from onetake.sandbox.tls import write_security

_STARTS = 3
_START_TIMEOUT_S = 30.0
_EVERY_RIGHT = ("Admin", "Read", "Write", "List", "Tagging")
_LOG_TAIL_LINES = 6


def _secure(folder: Path) -> None:
    try:
        write_security(folder)
    except ImportError:
        message = "the sandbox needs the package cryptography, which is not installed"
        raise SandboxUnavailable(message, "pip install 'onetake[sandbox]'") from None


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
        weed = find_weed()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            reason = f"its folder {self._folder} cannot be made: {error.strerror}"
            raise SandboxUnavailable(f"the sandbox's storage did not start; {reason}", "Use another.") from error
        remove_dead_sockets()
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
        """Stop it at once. Stopping twice is harmless. The folder is left alone.

        By force: asked to end, it takes more than a second to close what nobody opens again.
        """
        process, self._process = self._process, None
        if process is None:
            return
        try:
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
        data.mkdir(mode=0o700)
        _secure(data)
        config = self._folder / "identities.json"
        config.touch(mode=0o600)
        config.write_text(json.dumps(configuration(self._identities)), encoding="utf-8")
        self._ports = free_ports()
        self.endpoint = f"http://127.0.0.1:{self._ports['s3.port']}"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    weed,
                    "mini",
                    *options(data, config),
                    *(f"-{name}={port}" for name, port in self._ports.items()),
                ],
                cwd=data,
                env=environment(data),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                umask=0o077 if os.name == "posix" else -1,  # its UNIX sockets stand in /tmp
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - one system call, prepared before the fork
            )

        return self._process

    def _came_up(self, process: subprocess.Popen[bytes], deadline: float) -> bool:
        """Whether the bucket is there before the deadline; False at once when the process has ended."""
        while time.monotonic() < deadline and process.poll() is None:
            if self._is_ready():
                return True
            time.sleep(0.05)
        return False

    def _is_ready(self) -> bool:
        """Whether the server answers, and the bucket is there: it is created if necessary."""
        import requests

        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxy and no ~/.netrc for loopback
                if not session.get(f"{self.endpoint}/healthz", timeout=2).ok:
                    return False
                url = f"{self.endpoint}/{self.bucket}"
                answer = session.put(url, headers=self._signature("PUT", url), timeout=5)
        except requests.exceptions.RequestException:
            return False
        # 409: an earlier attempt whose answer was lost. 5xx: the filer behind it is not up yet.
        return answer.ok or (answer.status_code == 409 and "BucketAlreadyOwnedByYou" in answer.text)

    def _signature(self, method: str, url: str) -> dict[str, str]:
        """The headers of a signed request without a body.

        A client of boto3 would read the user's AWS settings (profiles, endpoints, certificates) and may fail on them.
        """
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        request = AWSRequest(method, url)
        S3SigV4Auth(Credentials(self.access_key_id, self.secret_access_key), "s3", self.region).add_auth(request)
        return dict(request.headers.items())

    def _tail(self) -> str:
        with suppress(OSError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
            told = [line.strip() for line in lines if line.strip()][-_LOG_TAIL_LINES:]
            return "; its log ends:\n" + "\n".join(told) if told else ""
        return ""

    def _remove_sockets(self) -> None:
        for port in self._ports.values():
            for left in SOCKETS.glob(f"seaweedfs-*-{port}.sock"):
                with suppress(OSError):
                    left.unlink()
