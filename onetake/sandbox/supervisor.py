"""The process of the sandbox: it starts storage and endpoint, and stops them in every case.

It runs until its standard input is closed, which the system does when the parent ends, even by SIGKILL. When this
process itself is killed, the storage ends with it (Linux), and the next sandbox removes its folder.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from onetake.io.signals import install_handlers, interruptible
from onetake.io.temporary_folders import scratch_folder
from onetake.sandbox.endpoint import StandInEndpoint
from onetake.sandbox.s3_server import SandboxStorage
from onetake.sandbox.seaweedfs import SandboxUnavailable
from onetake.sandbox.session import Access

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PREFIX: Final = "onetake-sandbox-"


@contextlib.contextmanager
def running(log: Callable[[str], None] | None = None, answer_delay_s: float = 0.0) -> Iterator[Access]:
    """Run storage and endpoint in a folder of their own, which is removed when the block ends.

    Args:
        log: Called with each log line of the endpoint.
        answer_delay_s: Additional seconds before the endpoint answers.

    Raises:
        SandboxUnavailable: The storage server is not installed or does not start.
    """
    with (
        scratch_folder(_PREFIX) as folder,
        SandboxStorage(folder) as storage,
        StandInEndpoint(key := f"sandbox-{secrets.token_hex(8)}", 0, answer_delay_s, log) as endpoint,
    ):
        yield Access(
            base_url=endpoint.base_url,
            api_key=key,
            provider="seaweedfs",
            s3_endpoint=storage.endpoint,
            bucket=storage.bucket,
            access_key_id=storage.access_key_id,
            secret_access_key=storage.secret_access_key,
            folder=str(folder),
        )


def main() -> None:
    """Run a sandbox until standard input ends; its first line of output is its `Access`, or an error, as JSON.

    Its argument is the additional delay of the endpoint, in seconds.
    """
    install_handlers()
    try:
        _run_until_input_ends()
    except SandboxUnavailable as error:
        _answer({"error": {"message": error.message, "hint": error.hint}})
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(0)  # everything is stopped, and the parent no longer reads


@interruptible
def _run_until_input_ends() -> None:
    with running(answer_delay_s=float(sys.argv[1])) as access:
        _answer({"access": access})
        sys.stdin.buffer.read()


def _answer(content: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(content) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
