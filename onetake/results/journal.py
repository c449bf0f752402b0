"""Reports that are not in a part yet, in a file on this machine: they outlive a run that is killed.

A run locks its file, and removes it at its end. A file that nothing locks belongs to a run that was killed; the next
run with the same place moves its reports to a part. Where locks do not work, or the folder cannot be written, there is
no journal, and a run that is killed loses the reports since its last part.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from onetake.io.inputs import is_object
from onetake.io.locks import try_lock
from onetake.results.part_formats import Entry
from preflight.file_system import NEW_FILE, remove_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_PRIVATE: Final = 0o600
_ENTRIES: Final = msgspec.json.Decoder(Entry)


class Journal:
    """The journal of one run; a context manager that removes it at the end.

    Args:
        folder: For the journals of all results; created if missing.
        place: Where the parts are: a folder or ``s3://bucket/prefix/``.
    """

    def __init__(self, folder: Path, place: str) -> None:
        self._folder = folder
        # with and without a slash at the end it is the same place
        of_place = place.rstrip("/") if is_object(place) else os.path.abspath(place)  # noqa: PTH100 - any bytes
        digest = hashlib.blake2b(of_place.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        self._begin = f"results-{digest}-"
        self._file: int | None = None
        self._path = folder / f"{self._begin}{secrets.token_hex(8)}.journal"

    def __enter__(self) -> Journal:
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, NEW_FILE, _PRIVATE)
            if not try_lock(self._file):
                self._remove()
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def add(self, entry: Entry) -> None:
        """Append an entry."""
        if self._file is None:
            return
        rest = memoryview(msgspec.json.encode(entry) + b"\n")
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:  # the disk is full: what follows is only in parts
            self._remove()

    def clear(self) -> None:
        """Forget the entries: they are in a part."""
        if self._file is None:
            return
        try:
            os.lseek(self._file, 0, os.SEEK_SET)
            os.ftruncate(self._file, 0)
        except OSError:  # the disk fails: what follows is only in parts
            self._remove()

    def recover(self, write: Callable[[list[Entry]], object]) -> None:
        """Pass the entries of each run that was killed to `write`, and then remove its journal."""
        for path in sorted(self._folder.glob(f"{self._begin}*.journal")):
            if path == self._path:
                continue
            try:
                with path.open("r+b") as file:
                    if not try_lock(file.fileno()):
                        continue  # of a run that goes on
                    entries = list(_entries(file))
            except OSError:  # another run has just removed it
                continue
            if entries:
                write(entries)
            with contextlib.suppress(OSError):
                remove_file(path)

    def _remove(self) -> None:
        if self._file is not None:
            os.close(self._file)  # Windows does not remove a file that is open
            self._file = None
            with contextlib.suppress(OSError):
                remove_file(self._path)


def _entries(lines: Iterable[bytes]) -> Iterator[Entry]:
    """Yield the entries that were written completely."""
    for line in lines:
        try:
            yield _ENTRIES.decode(line)
        except msgspec.MsgspecError:  # the run was killed, or the disk was full, in the middle of it
            return
