"""Where the ledger is: the database that machines share, else the folder of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onetake.config.settings import home_path
from onetake.errors import SettingError

if TYPE_CHECKING:
    from pathlib import Path

    from onetake.config.settings import Settings


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
