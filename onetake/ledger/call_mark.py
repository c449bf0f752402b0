"""The id of the last paid call, outside the ledger's folder: it shows that the folder was deleted or an older copy.

A cleaner may delete the whole folder, the identity file included, and a backup, a snapshot or a synchronization may
replace it. The calls that are missing then would be paid for again. The mark is in the user's cache folder, which
backups leave out. Without it, or if it cannot be read or written, nothing is compared.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import Final

from onetake.errors import LedgerFailed
from onetake.ledger.failures import shown
from preflight.system import remove_file, replace_file

_ID: Final = re.compile(r"[0-9a-f]{16}")
_TEXT: Final = """{call}
This is the last paid call of the ledger in {folder}
It makes onetake notice when that ledger is deleted, or replaced by an older copy. It may be deleted.
"""


class CallMark:
    """The file that holds the last call of the ledger at one place.

    Args:
        ledger: Path of the ledger. A copy that is used elsewhere has a mark of its own.
    """

    def __init__(self, ledger: Path) -> None:
        from platformdirs import user_cache_path

        self._ledger = ledger.resolve()
        name = hashlib.sha256(str(self._ledger).encode(errors="surrogateescape")).hexdigest()[:32]
        # without an author, the folder is not inside the default folder of the ledger on Windows either
        self.path = user_cache_path("onetake", appauthor=False) / "last-calls" / name

    def read(self) -> str | None:
        """Return the id of the last call; None if there is no mark that can be read."""
        try:
            with self.path.open("rb") as file:
                call = file.read(16).decode("ascii", "replace")
        except OSError:
            return None
        return call if _ID.fullmatch(call) else None

    def write(self, call: str) -> None:
        """Store the id of a call that is in the ledger; if the folder cannot be written, nothing is stored."""
        if not self.path.is_absolute():
            return  # the user has no home folder
        temporary = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}")
        content = _TEXT.format(call=call, folder=repr(str(self._ledger.parent))).encode(errors="backslashreplace")
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(content)
                replace_file(temporary, self.path)
            finally:
                remove_file(temporary)

    def missing_call(self) -> LedgerFailed:
        """Return the error for a ledger that lacks the call."""
        return LedgerFailed(
            f"{shown(self._ledger)} is new or an older copy: it lacks the last paid call of the ledger that was here",
            "restore the previous ledger. To continue with this one, "
            f"delete {str(self.path)!r}: recordings that were cloned since then are paid for again",
        )
