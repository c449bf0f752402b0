"""The content's side of an upload: fingerprinting and streaming it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

from uploader.errors import FileChanged, FileUnreadable

Progress = Callable[[int, int], None]
"""Called with the bytes sent so far and in all; the former starts again at 0 when a try is repeated."""

FIRST_BYTES = 64
_CHUNK = 1 << 20
_WIRE_BYTES = 1 << 18
_Bytes = bytes  # `Fingerprint.bytes` hides the name


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What identifies a content: its size in bytes, hex digests, and first (at most 64) bytes."""

    bytes: int
    md5: str
    sha256: str
    first_bytes: _Bytes


def fingerprint(stream: BinaryIO, name: str) -> Fingerprint:
    """Read the whole stream once, in chunks, one digest beside the other, and leave it at its start.

    Raises:
        FileUnreadable: Reading fails, or there is nothing in it.
    """
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    size, first_bytes = 0, b""
    try:
        stream.seek(0)
        with ThreadPoolExecutor(1) as beside:
            digested: Future[None] | None = None
            while chunk := stream.read(_CHUNK):
                first_bytes = first_bytes or chunk[:FIRST_BYTES]
                if digested is not None:
                    digested.result()
                digested = beside.submit(sha256.update, chunk)
                md5.update(chunk)
                size += len(chunk)
        stream.seek(0)
    except Exception as error:  # a file object that unpacks or fetches has errors of its own
        raise FileUnreadable(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not size:
        raise FileUnreadable(f"{name} is empty", "There is nothing to upload.")
    return Fingerprint(size, md5.hexdigest(), sha256.hexdigest(), first_bytes)


class Content:
    """A file-like body for one put: streams the open file, tells progress, knows when the file is another.

    botocore reads a body once more before sending it where it has to sign the payload (plain http), so
    progress counts only from `start_sending` on.
    """

    def __init__(self, stream: BinaryIO, name: str, progress: Progress | None = None) -> None:
        self._stream = stream
        self._name = name
        self._progress = progress
        self._sending = False
        self.fingerprint = fingerprint(stream, name)
        self.left_this_machine = False
        # Whether the service is asked before the body is sent (`Expect: 100-continue`).
        self.expects_continue = True

    def __len__(self) -> int:
        return self.fingerprint.bytes

    def start_sending(self) -> None:
        """What is read from now on goes over the wire."""
        self._sending = True

    def rewind(self) -> None:
        """Back to the start, and not sending, for another try."""
        self._sending = False
        self._stream.seek(0)

    def read(self, size: int = -1) -> bytes:
        """The next at most `size` bytes, but on the wire larger pieces than the HTTP library's 16 kB.

        Raises:
            OSError: The file ends before the size that was announced (it was cut while it was sent).
        """
        position = self._stream.tell()
        if self._sending and size > 0:
            size = max(size, _WIRE_BYTES)
        data = self._stream.read(min(size, len(self) - position) if size >= 0 else len(self) - position)
        if not data and size != 0 and position < len(self):
            raise OSError("the file ends early")
        if self._sending and data:
            self.left_this_machine = True
            if self._progress is not None:
                self._progress(position + len(data), len(self))
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a position in the file."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """The position in the file, in bytes."""
        return self._stream.tell()

    def require_unchanged(self) -> None:
        """Read the file again and compare.

        Raises:
            FileChanged: It is not what it was when this object was made.
            FileUnreadable: It cannot be read any more.
        """
        if fingerprint(self._stream, self._name) != self.fingerprint:
            raise FileChanged(f"{self._name} changed while it was being sent")
