"""The values of all settings, each with its origin, and the clients that are configured by them.

Precedence, highest first: command-line options, environment variables, the TOML file, defaults. click resolves it.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec
from click.core import ParameterSource

from onetake.config.amount import RANGE, amount_of
from onetake.config.setting_definitions import SETTINGS, Setting
from onetake.errors import SettingError
from onetake.loopback import is_loopback_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from client import CloneClient, ServiceError
    from onetake.clones.rate_limit import RateLimiter
    from uploader import Storage, StorageSettings


_REHEARSE: Final = "rehearse: onetake clone --sandbox, or onetake sandbox"
_CALLS_PER_MINUTE: Final = 60
"""MiniMax's rate limit for clones; gateways to it publish none."""
_MAX_CALLS_AT_ONCE: Final = 64
_STORAGE_DETAILS: Final = (
    *("public_endpoint", "region", "addressing", "link_check", "sse", "sse_kms_key_id"),
    *("aws_profile", "session_token"),
)
"""Settings of one storage; they must not be applied to another, such as the storage of the sandbox."""


@dataclass(frozen=True)
class Value:
    """A setting's value and its origin: an option, an environment variable, a path, or ``default``."""

    value: str | int | None
    origin: str


class Settings:
    """Every setting with its value and origin.

    Args:
        values: A value for each setting, by name.
    """

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def text(self, name: str) -> str | None:
        """The value of a setting as text; None if it is not set or empty."""
        value = self._values[name].value
        return None if value is None or value == "" else str(value)

    def with_values(self, values: Mapping[str, str], origin: str) -> Settings:
        """A copy with `values` from `origin`, and without the other settings of a storage."""
        cleared = dict.fromkeys(_STORAGE_DETAILS, Value(None, "default"))
        return Settings({**self._values, **cleared, **{name: Value(text, origin) for name, text in values.items()}})

    def with_defaults(self, values: Mapping[str, str]) -> Settings:
        """A copy in which settings that are not set have the values in `values`."""
        missing = {name: Value(text, "default") for name, text in values.items() if self.text(name) is None}
        return Settings({**self._values, **missing})

    def remember(self, name: str, value: str) -> None:
        """Set a value that the user has entered at a prompt."""
        self._values[name] = Value(value, "terminal")

    @property
    def is_local(self) -> bool:
        """Whether the clone service runs on this machine, like the sandbox."""
        return is_loopback_url(self.text("base_url") or "")

    def client(
        self,
        on_retry: Callable[[float, ServiceError], None] | None = None,
        on_limit: Callable[[float, ServiceError], None] | None = None,
    ) -> CloneClient:
        """Create a client of the clone service.

        Args:
            on_retry: Called before a retry of a call that was not charged, with the pause in seconds and the error.
            on_limit: Called when the service answers with a rate limit, with the seconds during which no call may
                start, and the error.

        Raises:
            SettingError: The API key is not set.
            client.InvalidArgument: The API key or the base URL is invalid.
        """
        from client import CloneClient

        key = self.text("api_key")
        if key is None:
            raise SettingError("api_key is not set", f"set ONETAKE_API_KEY, or {_REHEARSE}")
        from stamina.instrumentation import set_on_retry_hooks

        set_on_retry_hooks(())  # with structlog installed, stamina logs retries to standard output
        return CloneClient(key, self.text("base_url") or "", on_retry=on_retry, on_limit=on_limit)

    def rate_limiter(self) -> RateLimiter:
        """Create the limiter of concurrent paid calls and of paid calls per minute.

        Raises:
            SettingError: A number is out of range.
        """
        from onetake.clones.rate_limit import RateLimiter

        at_once, per_minute = self._values["calls_at_once"], self._values["calls_per_minute"]
        default = 0 if self.is_local else _CALLS_PER_MINUTE
        rate = default if per_minute.value is None else int(per_minute.value)
        if not 1 <= int(at_once.value or 0) <= _MAX_CALLS_AT_ONCE:
            message = f"calls_at_once from {at_once.origin} is {at_once.value}, out of range"
            raise SettingError(message, f"choose 1 to {_MAX_CALLS_AT_ONCE}")
        if rate < 0:
            message = f"calls_per_minute from {per_minute.origin} is {rate}, below 0"
            raise SettingError(message, "choose a positive number, or 0 for no limit")
        return RateLimiter(int(at_once.value or 0), rate or None)

    def price(self) -> Decimal | None:
        """The price of a clone, in any currency; None if it is not set.

        Raises:
            SettingError: It is not a positive amount.
        """
        text = self.text("price")
        if text is None:
            return None
        if not (price := amount_of(text)):
            raise SettingError(f"price from {self['price'].origin} is not an amount from {RANGE}", "write it like 9.90")
        return price

    def storage(self) -> Storage:
        """Create the storage for recordings.

        Raises:
            SettingError: Settings contradict each other.
            uploader.SettingsError: A setting is missing or invalid.
        """
        from stamina.instrumentation import set_on_retry_hooks

        from uploader import Storage

        set_on_retry_hooks(())  # with structlog installed, stamina logs retries to standard output
        return Storage(self.storage_settings())

    def storage_settings(self) -> StorageSettings:
        """The settings for `uploader`; raises `SettingError` if settings contradict each other."""
        from uploader import StorageSettings

        if self.text("bucket") is None:
            raise SettingError("bucket is not set", f"set ONETAKE_BUCKET or --bucket, or {_REHEARSE}")
        keys = self._keys()
        return StorageSettings(
            bucket=self.text("bucket") or "",
            provider=self.text("provider") or "aws",
            endpoint=self.text("s3_endpoint"),
            public_endpoint=self.text("public_endpoint"),
            region=self.text("region"),
            prefix=self.text("prefix") or "",
            addressing=self.text("addressing"),  # type: ignore[arg-type]  # Storage validates it
            url_expires_s=int(self.text("url_expires_s") or 0),
            profile=self.text("aws_profile"),
            public_only=not self.is_local,
            link_check=self.text("link_check") or "required",  # type: ignore[arg-type]  # as above
            sse=self.text("sse"),  # type: ignore[arg-type]  # as above
            sse_kms_key_id=self.text("sse_kms_key_id"),
            access_key_id=keys[0],
            secret_access_key=keys[1],
            session_token=keys[2],
            keys_expire_at=_keys_expire_at() if keys[2] and self["session_token"].origin.startswith("AWS_") else None,
        )

    def _keys(self) -> tuple[str | None, str | None, str | None]:
        """Access key, secret and session token, all from the same source."""
        key, secret = self._values["access_key_id"], self._values["secret_access_key"]
        if self.text("aws_profile") and key.origin.startswith("AWS_"):
            return None, None, None  # a profile replaces the keys of the environment
        if key.value and secret.value and _family(key.origin) != _family(secret.origin):
            raise SettingError(
                f"access_key_id comes from {key.origin}, but secret_access_key from {secret.origin}",
                "set both in the same place",
            )
        token = self._values["session_token"]
        same = _family(token.origin) == _family(key.origin)
        return self.text("access_key_id"), self.text("secret_access_key"), self.text("session_token") if same else None


def _keys_expire_at() -> datetime | None:
    """When the temporary keys of the environment expire, if AWS_CREDENTIAL_EXPIRATION is set beside them."""
    try:
        expiry = datetime.fromisoformat(os.environ.get("AWS_CREDENTIAL_EXPIRATION", ""))
    except ValueError:
        return None
    return expiry if expiry.tzinfo else expiry.replace(tzinfo=UTC)


def _family(origin: str) -> str:
    return origin.split("_", 1)[0]


def config_path() -> Path:
    """The path of the TOML file: ONETAKE_CONFIG, else config.toml in the platform's configuration folder."""
    if named := os.environ.get("ONETAKE_CONFIG"):
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("onetake") / "config.toml"


def load(options: Mapping[str, Any]) -> Settings:
    """Resolve all settings.

    Args:
        options: Values that override environment, file and defaults, by the names of settings; None is not set.

    Raises:
        SettingError: The file cannot be read or has an unknown key, or a value has the wrong type.
    """
    given = [
        f"{setting.option}={options[setting.name]}" for setting in SETTINGS if options.get(setting.name) is not None
    ]
    command = click.Command("onetake", params=[setting.parameter() for setting in SETTINGS])
    # not the context of the running command, which has no parameters for secrets, and does not exist in a library call
    context = command.make_context("onetake", given, default_map=_read_file())
    return Settings({setting.name: _value(setting, context) for setting in SETTINGS})


def _value(setting: Setting, context: click.Context) -> Value:
    match context.get_parameter_source(setting.name):
        case ParameterSource.COMMANDLINE:
            origin = setting.option
        case ParameterSource.ENVIRONMENT:
            origin, _ = setting.environment() or ("", "")
        case ParameterSource.DEFAULT_MAP:
            origin = str(config_path())
        case _:
            return Value(setting.default, "default")
    try:
        # not strict: environment variables and options are text
        return Value(msgspec.convert(context.params[setting.name], setting.kind, strict=False), origin)
    except msgspec.ValidationError:
        needed, hint = ("a whole number", "write digits only") if setting.kind is int else ("text", "put it in quotes")
        raise SettingError(f"{setting.name} from {origin} is not {needed}", hint) from None


def _read_file() -> dict[str, Any]:
    from preflight.errors import CannotOpen
    from preflight.input.small_text import read_small_text

    path = config_path()
    try:
        content = tomllib.loads(read_small_text(path))
    except CannotOpen as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise SettingError(f"{str(path)!r} cannot be read: {error.message}", error.hint) from error
        if os.environ.get("ONETAKE_CONFIG"):
            raise SettingError(f"ONETAKE_CONFIG names {str(path)!r}, which does not exist", "create it") from None
        return {}
    except (ValueError, RecursionError) as error:
        # only the place: the parser's message can quote a line, and the line can contain a key
        place = re.search(r" \(at [\w ,]+\)$", str(error))
        what = f"{str(path)!r} is not valid TOML{place[0] if place else ''}"
        raise SettingError(what, 'write lines such as bucket = "takes", each setting once') from None
    known = [setting.name for setting in SETTINGS]
    if unknown := sorted(set(content) - set(known)):
        hint = f"the settings are {', '.join(known)}"
        raise SettingError(f"{str(path)!r} sets {unknown[0]!r}, which is not a setting", hint)
    return {name: value.strip() if isinstance(value, str) else value for name, value in content.items()}
