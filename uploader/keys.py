"""Names for objects that nobody can guess."""

from __future__ import annotations

import re
import secrets

from uploader.errors import SettingsError

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,16}")
_CONTENT_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?:; ?[a-z]+=[A-Za-z0-9._-]+)?")


def new_key(prefix: str, suffix: str) -> str:
    """A fresh key: the prefix, 192 random bits in URL-safe letters, and the suffix.

    The name holds no date and nothing of the file's own name, and never starts with a hyphen, so that it can
    be handed to other commands. A repeat of the same put overwrites its own object and nobody else's.

    Raises:
        SettingsError: The suffix is not of the form `.ext`.
    """
    if not _SUFFIX.fullmatch(suffix):
        raise SettingsError(f"suffix {suffix!r} is not of the form .ext", setting="suffix")
    name = secrets.token_urlsafe(24)
    while name.startswith(("-", "_")):
        name = secrets.token_urlsafe(24)
    return f"{prefix}{name}{suffix}"


def require_content_type(content_type: str) -> None:
    """Refuse what is no media type.

    Raises:
        SettingsError: It is not of the form `type/subtype`.
    """
    if not _CONTENT_TYPE.fullmatch(content_type):
        raise SettingsError(f"content type {content_type!r} is not of the form type/subtype", setting="content_type")
