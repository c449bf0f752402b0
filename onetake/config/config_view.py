"""Settings for display: secrets are masked, invalid values and open permissions are reported."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from onetake.config.ledger_location import ledger_location
from onetake.config.setting_definitions import SETTINGS
from onetake.config.settings import config_path
from onetake.errors import SettingError
from onetake.io.paths import exists
from onetake.io.permissions import mode_of, readable_by_others, writable_by_others
from preflight.display.shell_arguments import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onetake.config.setting_definitions import Setting
    from onetake.config.settings import Settings, Value

_MASK: Final = "********"
_PLACEHOLDERS: Final = {"bucket": "placeholder-bucket", "api_key": "placeholder-key"}
"""Values for required settings that are not set, so that the others can be validated."""
_NAMES: Final = {"endpoint": "s3_endpoint", "profile": "aws_profile"}
"""Names of settings in the libraries, where they differ."""
_URLS: Final = ("base_url", "s3_endpoint", "public_endpoint", "ledger")
_SCHEME: Final = re.compile(r"[A-Za-z0-9+.-]*")
_QUERY_OR_FRAGMENT: Final = re.compile(r"[?#]")


class Problem(NamedTuple):
    """An invalid value, or permissions that are too open.

    Attributes:
        message: What is wrong, with the setting or file concerned.
        hint: What to do.
    """

    message: str
    hint: str


def shown_value(setting: Setting, value: Value) -> str | int | None:
    """A setting's value without secrets."""
    if value.value is None or isinstance(value.value, int):
        return value.value
    if setting.secret:
        return _MASK
    return redact_url(value.value) if setting.name in _URLS else value.value


def redact_url(url: str) -> str:
    """Replace user, password, query and fragment of a URL by ``***``; text that is not a valid URL is redacted as well.

    The only secret redactor of the application: `uploader` and `client` redact their own messages.

    >>> redact_url("https://key:secret@storage.example/path?X-Amz-Signature=1")
    'https://***@storage.example/path?***'
    """
    scheme, colon, rest = url.partition("://") if "://" in url else ("", "", url)
    location, *query = _QUERY_OR_FRAGMENT.split(rest, maxsplit=1)
    if "@" in "".join(query):  # the ? or # may be part of a password that was not percent-encoded
        location, query = "***", []
    _, at, visible = location.rpartition("@")
    visible_scheme = scheme if _SCHEME.fullmatch(scheme) else "***"
    return f"{visible_scheme}{colon}{'***@' if at else ''}{visible}{'?***' if query else ''}"


def _has_password(settings: Settings, setting: Setting) -> bool:
    return setting.name == "ledger" and "***@" in redact_url(settings.text(setting.name) or "")


def exposures_of(settings: Settings) -> Iterator[Problem]:
    """Permissions of the settings file that are too open; none on Windows, where they are not checked."""
    path = config_path()
    stored = [setting for setting in SETTINGS if settings[setting.name].origin == str(path)]
    keys = [setting.name for setting in stored if setting.secret or _has_password(settings, setting)]
    private = f"chmod 600 {quoted(str(path))}"
    if writable_by_others(path):
        yield Problem(
            f"{str(path)!r} can be changed by other users (mode {mode_of(path)}): recordings and keys could be "
            "sent elsewhere",
            private,
        )
    elif keys and readable_by_others(path):
        yield Problem(f"{str(path)!r} holds {keys[0]} and can be read by other users (mode {mode_of(path)})", private)
    if exists(path) and writable_by_others(path.parent):
        yield Problem(
            f"{str(path.parent)!r} can be changed by other users (mode {mode_of(path.parent)}): they could replace the "
            "settings file",
            f"chmod go-w {quoted(str(path.parent))}",
        )


def problems_of(settings: Settings) -> Iterator[Problem]:
    """Invalid values. A setting that is not set is not a problem here."""
    from client import InvalidArgument
    from uploader import SettingsError
    from uploader.settings import target_of

    complete = settings.with_defaults(_PLACEHOLDERS)
    validators: tuple[Callable[[], object], ...] = (
        complete.client,
        lambda: target_of(complete.storage_settings()),
        lambda: ledger_location(complete),
        complete.rate_limiter,
        complete.price,
    )
    for validate in validators:
        try:
            validate()
        except SettingError as error:
            yield Problem(error.message, error.hint)
        except InvalidArgument as error:
            yield Problem(error.message, error.hint or "")
        except SettingsError as error:
            name = _NAMES.get(error.setting, error.setting)
            if name not in {setting.name for setting in SETTINGS} or settings.text(name) is not None:
                yield Problem(error.message, error.hint or "")
