"""Where the ledger is: the database that machines share, else the folder of this machine."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from onetake.errors import SettingError

if TYPE_CHECKING:
    from onetake.config.settings import Settings


def home_path() -> Path:
    """The folder of the ledger: ONETAKE_HOME, else the platform's state folder.

    Raises:
        SettingError: ONETAKE_HOME is relative. The ledger of another working folder would not know what is paid for.
    """
    if named := os.environ.get("ONETAKE_HOME"):
        folder = Path(named)
        with contextlib.suppress(RuntimeError):  # there is no such user
            folder = folder.expanduser()
        if not folder.is_absolute():
            raise SettingError(f"ONETAKE_HOME is {named!r}, a relative path", "write the whole path")
        return folder
    from platformdirs import user_state_path

    return user_state_path("onetake")


def ledger_location(settings: Settings) -> Path | str:
    """Return the URL in the setting `ledger`, or the folder of this machine's ledger if it is not set.

    Raises:
        SettingError: It is set to something else.
    """
    from onetake.ledger import is_url

    url = settings.text("ledger")
    if url is None:
        return home_path()
    if not is_url(url):
        raise SettingError(
            f"ledger from {settings['ledger'].origin} is not a URL that begins with postgresql://",
            "write it like postgresql://USER@HOST/DATABASE; for a folder set ONETAKE_HOME instead",
        )
    return url
