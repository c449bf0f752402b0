"""The sandbox's storage: a real S3 server (SeaweedFS) on loopback.

`weed mini` runs all servers of SeaweedFS in one process and is ready in about a second. It gets its own folder and
keys, free ports on 127.0.0.1, and an environment without the user's settings and keys. Only its S3 port answers: the
others require a client certificate that only this process has (`onetake.sandbox.tls`).
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

from onetake.io.processes import close_job, create_job
from onetake.sandbox.seaweedfs import (
    SOCKETS,
    Identity,
    SandboxUnavailable,
    configuration,
    die_with_parent,
    environment,
    find_seaweedfs,
    free_ports,
    guarded,
    needs_guard,
    options,
    remove_stale_sockets,
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

    It runs in the caller's process group, so Ctrl-C in the terminal reaches it too. On Linux the kernel kills it when
    the *thread* that called `start` ends, even if the process was killed: call `start` from a thread that outlives the
    storage.

    Attributes:
        endpoint: Its URL, known after `start`.
        access_key_id: Random key with all rights.
        secret_access_key: Its secret.
        bucket: The bucket that `start` creates.
        region: Region to sign for.
    """

    bucket = "onetake-sandbox"
    region = "us-east-1"

    def __init__(self, folder: Path, *, identities: Sequence[Identity] = ()) -> None:
        """Start nothing yet.

        Args:
            folder: For data, configuration and log; created if missing.
            identities: Additional users.
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
        self._job: int | None = None

    @property
    def log(self) -> Path:
        """The log file of the process."""
        return self._folder / "seaweedfs.log"

    @property
    def pid(self) -> int | None:
        """Process id, or None if it does not run."""
        return self._process.pid if self._process is not None else None

    def start(self) -> Self:
        """Start the server, and return when the bucket exists. A second call does nothing.

        Raises:
            SandboxUnavailable: SeaweedFS is not installed, or does not start within 30 s.
        """
        if self._process is not None:
            return self
        command = find_seaweedfs()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            reason = f"its folder {self._folder} cannot be created: {error.strerror}"
            raise SandboxUnavailable(f"the sandbox's storage did not start; {reason}", "Use another.") from error
        remove_stale_sockets()
        deadline = time.monotonic() + _START_TIMEOUT_S
        # SeaweedFS exits if another process took one of its ports meanwhile: try again with other ports.
        for _ in range(_STARTS):
            process = self._launch(command)
            try:
                if self._becomes_ready(process, deadline):
                    return self
            except BaseException:
                self.stop()
                raise
            self.stop()
        raise SandboxUnavailable(f"the sandbox's storage did not start{self._tail()}", f"See {self.log}.")

    def stop(self) -> None:
        """Kill the server; a second call does nothing. The folder stays.

        SIGKILL, because after SIGTERM it takes more than a second to flush data that is no longer needed.
        """
        process, self._process = self._process, None
        job, self._job = self._job, None
        if process is None:
            return
        try:
            if process.stdin is not None:
                process.stdin.close()  # the guard kills it
            else:
                process.kill()
            process.wait()
            if job is not None:
                close_job(job)
        finally:
            self._remove_sockets()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _launch(self, command: str) -> subprocess.Popen[bytes]:
        data = (
            self._folder / f"data-{secrets.token_hex(4)}"
        )  # SeaweedFS stores its ports in its data: never start it twice in one folder
        data.mkdir(mode=0o700)
        _secure(data)
        config = self._folder / "identities.json"
        config.touch(mode=0o600)
        config.write_text(json.dumps(configuration(self._identities)), encoding="utf-8")
        self._ports = free_ports()
        self.endpoint = f"http://127.0.0.1:{self._ports['s3.port']}"
        with self.log.open("ab") as log:
            ports = (f"-{name}={port}" for name, port in self._ports.items())
            arguments = [command, "mini", *options(data, config), *ports]
            self._process = subprocess.Popen(
                guarded(arguments) if needs_guard() else arguments,
                cwd=data,
                env=environment(data),
                stdin=subprocess.PIPE if needs_guard() else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                umask=0o077 if os.name == "posix" else -1,  # for its UNIX sockets in /tmp
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - one system call, prepared before the fork
            )
        self._job = create_job(self._process.pid)
        return self._process

    def _becomes_ready(self, process: subprocess.Popen[bytes], deadline: float) -> bool:
        """Wait until the bucket exists; return False at the deadline, or when the process has ended."""
        while time.monotonic() < deadline and process.poll() is None:
            if self._is_ready():
                return True
            time.sleep(0.05)
        return False

    def _is_ready(self) -> bool:
        """Whether the server answers and the bucket exists; it is created if necessary."""
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
        # 409: the answer to an earlier attempt was lost. 5xx: the filer is not ready yet, although /healthz says ok.
        return answer.ok or (answer.status_code == 409 and "BucketAlreadyOwnedByYou" in answer.text)

    def _signature(self, method: str, url: str) -> dict[str, str]:
        """Return the headers of a signed request without a body.

        Not with boto3, which reads the user's AWS settings (profiles, endpoints, certificates) and may fail on them.
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
            tail = [line.strip() for line in lines if line.strip()][-_LOG_TAIL_LINES:]
            return "; its log ends:\n" + "\n".join(tail) if tail else ""
        return ""

    def _remove_sockets(self) -> None:
        for port in self._ports.values():
            for left in SOCKETS.glob(f"seaweedfs-*-{port}.sock"):
                with suppress(OSError):
                    left.unlink()
