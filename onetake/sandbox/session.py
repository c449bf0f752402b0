"""Start a sandbox in a process of its own for the duration of one command."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from onetake.io.processes import OWN_GROUP
from onetake.io.signals import finishing
from onetake.sandbox.seaweedfs import SandboxUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_STOP_WITHIN_S: Final = 10.0


class Access(msgspec.Struct, frozen=True):
    """How to reach a running sandbox; the fields have the names of the settings."""

    base_url: str
    api_key: str
    provider: str
    s3_endpoint: str
    bucket: str
    access_key_id: str
    secret_access_key: str
    folder: str

    def settings(self) -> dict[str, str]:
        """Return the values by setting."""
        values: dict[str, str] = msgspec.structs.asdict(self)
        del values["folder"]
        return values


@contextlib.contextmanager
def sandbox(answer_delay_s: float = 0.0) -> Iterator[Access]:
    """Run a sandbox in its own process group, so that Ctrl-C reaches only the command.

    Args:
        answer_delay_s: Additional seconds before the endpoint answers.

    Raises:
        SandboxUnavailable: The storage server is not installed or does not start.
    """
    home = Path(__file__).resolve().parents[2]
    # -P, and the package's folder first: a `client.py` in the user's folder must not be imported instead of ours
    environment = {**_environment(), "PYTHONPATH": os.pathsep.join((str(home), os.environ.get("PYTHONPATH", "")))}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "onetake.sandbox.supervisor", str(answer_delay_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
        creationflags=OWN_GROUP,
    )
    try:
        try:
            access = _access(process)
        except BaseException:
            process.terminate()  # it reads its standard input only after it is ready
            raise
        yield access
    finally:
        with finishing(lambda: None):  # a second Ctrl-C stops waiting: the sandbox ends by itself
            _stop(process)


def _environment() -> dict[str, str]:
    """Return the environment without settings of services: keys, AWS profiles and endpoints, proxies."""
    services = re.compile(r"(AWS|BOTO|ONETAKE|WEED)_.*|.*_PROXY|.*_CA_BUNDLE|SSL_CERT_.*", re.IGNORECASE)
    return {name: value for name, value in os.environ.items() if not services.fullmatch(name)}


def _access(process: subprocess.Popen[bytes]) -> Access:
    line = process.stdout.readline() if process.stdout else b""
    try:
        answer = msgspec.json.decode(line)
    except msgspec.DecodeError:
        raise SandboxUnavailable("the sandbox ended before it was ready", "try `onetake sandbox` to see why") from None
    if "error" in answer:
        raise SandboxUnavailable(answer["error"]["message"], answer["error"]["hint"])
    return msgspec.convert(answer["access"], Access)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(_STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        if sys.platform == "win32":
            process.kill()  # its job ends with it (`preflight.worker.child`), and so does the storage
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
