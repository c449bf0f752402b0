"""Settings as they are shown: without secrets, and with what is wrong about them."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final, NamedTuple

from onetake.config.settings import config_path
from onetake.config.settings_table import SETTINGS
from onetake.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onetake.config.settings import Settings, Value
    from onetake.config.settings_table import Setting

_MASK: Final = "********"
_INSTEAD: Final = {"bucket": "a-bucket-still-to-be-named", "api_key": "a-key-still-to-be-set"}
"""What stands for a setting that is not set, so that the others can be looked at."""
_NAMES: Final = {"endpoint": "s3_endpoint", "profile": "aws_profile"}
"""What the libraries call a setting, where that is not its name."""


_URLS: Final = ("base_url", "s3_endpoint", "public_endpoint")
_SCHEME: Final = re.compile(r"[A-Za-z0-9+.-]*")
_BEHIND_THE_PATH: Final = re.compile(r"[?#]")


class Problem(NamedTuple):
    """A value that cannot be.

    Attributes:
        message: What is wrong, and with which setting.
        hint: What to do.
    """

    message: str
    hint: str


def shown_value(setting: Setting, value: Value) -> str | int | None:
    """What may be seen of a setting's value."""
    if value.value is None or isinstance(value.value, int):
        return value.value
    if setting.secret:
        return _MASK
    return without_secrets(value.value) if setting.name in _URLS else value.value


def without_secrets(url: str) -> str:
    """`url` without user, password, query and fragment, which what is no proper URL may hold as well."""
    scheme, colon, rest = url.partition("://") if "://" in url else ("", "", url)
    place, *behind = _BEHIND_THE_PATH.split(rest, maxsplit=1)
    if "@" in "".join(behind):  # where the query begins is not sure: passwords are written in URLs as they are
        place, behind = "***", []
    _, at, seen = place.rpartition("@")
    shown_scheme = scheme if _SCHEME.fullmatch(scheme) else "***"
    return f"{shown_scheme}{colon}{'***@' if at else ''}{seen}{'?***' if behind else ''}"


def exposures_of(settings: Settings) -> Iterator[Problem]:
    """What other users of this computer may do with the settings file; nothing is known of that on Windows."""
    from onetake.io.permissions import mode_of, readable_by_others, writable_by_others

    path = config_path()
    keys = [setting.name for setting in SETTINGS if setting.secret and settings[setting.name].origin == str(path)]
    private = f"chmod 600 {shlex.quote(str(path))}"
    if writable_by_others(path):
        yield Problem(
            f"{str(path)!r} can be changed by other users (mode {mode_of(path)}): recordings and keys could be sent "
            "elsewhere",
            private,
        )
    elif keys and readable_by_others(path):
        yield Problem(f"{str(path)!r} holds {keys[0]} and can be read by other users (mode {mode_of(path)})", private)
    if path.exists() and writable_by_others(path.parent):
        yield Problem(
            f"{str(path.parent)!r} can be changed by other users (mode {mode_of(path.parent)}): they could replace the "
            "settings file",
            f"chmod go-w {shlex.quote(str(path.parent))}",
        )


def problems_of(settings: Settings) -> Iterator[Problem]:
    """What is wrong with the values; that one is not set at all is no problem here."""
    from client import InvalidArgument
    from uploader import SettingsError
    from uploader.settings import target_of

    whole = settings.filled(_INSTEAD)
    trials: tuple[Callable[[], object], ...] = (
        whole.client,
        lambda: target_of(whole.storage_settings()),
        whole.rate_limiter,
        whole.price,
    )
    for trial in trials:
        try:
            trial()
        except SettingError as error:
            yield Problem(error.message, error.hint)
        except InvalidArgument as error:
            yield Problem(error.message, error.hint or "")
        except SettingsError as error:
            name = _NAMES.get(error.setting, error.setting)
            if name not in {setting.name for setting in SETTINGS} or settings.text(name) is not None:
                yield Problem(error.message, error.hint or "")
