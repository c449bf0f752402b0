"""Settings: what they are called, where they come from, and what they are now.

Highest first: flags, environment, the TOML file, defaults. Each value remembers its origin.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from onetake.config.settings_table import SETTINGS, Setting
from onetake.errors import SettingError
from onetake.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from client import CloneClient, ServiceError
    from onetake.clones.rate_limit import RateLimiter
    from uploader import Storage, StorageSettings


_REHEARSE: Final = "rehearse: onetake clone --sandbox, or onetake sandbox"


_CALLS_PER_MINUTE: Final = 60
"""The maker's limit for clones; the gateways publish none."""
_MOST_AT_ONCE: Final = 64
_STORAGE_DETAILS: Final = (
    *("public_endpoint", "region", "addressing", "link_check", "sse", "sse_kms_key_id"),
    *("aws_profile", "session_token"),
)
"""Settings that belong to one storage and say nothing about another, such as the sandbox's."""


@dataclass(frozen=True)
class Value:
    """A setting's value and where it came from: a flag, a variable's name, the file, or ``default``."""

    value: str | int | None
    origin: str


class Settings:
    """Every setting with its value and origin.

    Args:
        values: By the settings' names.
    """

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def text(self, name: str) -> str | None:
        """The value of `name` as text; None when it is not set."""
        value = self._values[name].value
        return None if value is None or value == "" else str(value)

    def with_values(self, values: Mapping[str, str], origin: str) -> Settings:
        """A copy in which `values` come from `origin`, and every other storage key is gone."""
        cleared = dict.fromkeys(_STORAGE_DETAILS, Value(None, "default"))
        return Settings({**self._values, **cleared, **{name: Value(text, origin) for name, text in values.items()}})

    def filled(self, values: Mapping[str, str]) -> Settings:
        """A copy in which what is not set has the value in `values`."""
        missing = {name: Value(text, "default") for name, text in values.items() if self.text(name) is None}
        return Settings({**self._values, **missing})

    def remember(self, name: str, value: str) -> None:
        """Take an answer that was given at the terminal."""
        self._values[name] = Value(value, "terminal")

    @property
    def is_local(self) -> bool:
        """Whether the clone service runs on this machine, as the sandbox does."""
        try:
            return is_loopback(urlsplit(self.text("base_url") or "").hostname or "")
        except ValueError:  # not a URL
            return False

    def client(
        self,
        on_retry: Callable[[float, ServiceError], None] | None = None,
        on_limit: Callable[[float, ServiceError], None] | None = None,
    ) -> CloneClient:
        """A client of the clone service.

        Args:
            on_retry: Called before a harmless retry, with seconds to wait and the error.
            on_limit: Called at each answer that is a rate limit, with the seconds for which no call may begin.

        Raises:
            SettingError: There is no API key.
            client.InvalidArgument: The key or the base URL cannot be one.
        """
        from client import CloneClient

        key = self.text("api_key")
        if key is None:
            raise SettingError("api_key is not set", f"set ONETAKE_API_KEY, or {_REHEARSE}")
        _silence_retries()
        return CloneClient(key, self.text("base_url") or "", on_retry=on_retry, on_limit=on_limit)

    def rate_limiter(self) -> RateLimiter:
        """How many paid calls may be under way, and how soon one follows another.

        Raises:
            SettingError: A number cannot be one of calls.
        """
        from onetake.clones.rate_limit import RateLimiter

        at_once, per_minute = self._values["calls_at_once"], self._values["calls_per_minute"]
        usual = 0 if self.is_local else _CALLS_PER_MINUTE
        often = usual if per_minute.value is None else int(per_minute.value)
        if not 1 <= int(at_once.value or 0) <= _MOST_AT_ONCE:
            raise SettingError(f"calls_at_once from {at_once.origin} is not 1 to {_MOST_AT_ONCE}", "choose another")
        if often < 0:
            raise SettingError(f"calls_per_minute from {per_minute.origin} is below 0", "choose another")
        return RateLimiter(int(at_once.value or 0), often or None)

    def price(self) -> Decimal | None:
        """What a clone costs, in whatever money; None when nobody said so.

        Raises:
            SettingError: It is no amount.
        """
        text = self.text("price")
        if text is None:
            return None
        try:
            price = Decimal(text)
        except InvalidOperation:
            price = Decimal(-1)
        if not (price.is_finite() and price > 0):
            raise SettingError(f"price from {self._values['price'].origin} is no amount", "write it like 9.90")
        return price

    def storage(self) -> Storage:
        """The storage that recordings go to.

        Raises:
            SettingError: Settings contradict each other.
            uploader.SettingsError: One is missing or impossible.
        """
        from uploader import Storage

        _silence_retries()
        return Storage(self.storage_settings())

    def storage_settings(self) -> StorageSettings:
        """What `uploader` is told; raises `SettingError` when settings contradict each other."""
        from uploader import StorageSettings

        if self.text("bucket") is None:
            raise SettingError(
                "bucket is not set",
                f"set ONETAKE_BUCKET or --bucket, or {_REHEARSE}",
            )
        keys = self._keys()
        return StorageSettings(
            bucket=self.text("bucket") or "",
            provider=self.text("provider") or "aws",
            endpoint=self.text("s3_endpoint"),
            public_endpoint=self.text("public_endpoint"),
            region=self.text("region"),
            prefix=self.text("prefix") or "",
            addressing=self.text("addressing"),  # type: ignore[arg-type]  # Storage says which are allowed
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
        """Access key, secret and token, all three from one place."""
        key, secret = self._values["access_key_id"], self._values["secret_access_key"]
        if self.text("aws_profile") and key.origin.startswith("AWS_"):
            return None, None, None  # naming a profile says not to use the environment's keys
        if key.value and secret.value and _family(key.origin) != _family(secret.origin):
            raise SettingError(
                f"access_key_id comes from {key.origin}, but secret_access_key from {secret.origin}",
                "set both in one place",
            )
        token = self._values["session_token"]
        same = _family(token.origin) == _family(key.origin)
        return self.text("access_key_id"), self.text("secret_access_key"), self.text("session_token") if same else None


def _keys_expire_at() -> datetime | None:
    """When the temporary keys of the environment expire, where whoever put them there says so too."""
    try:
        expiry = datetime.fromisoformat(os.environ.get("AWS_CREDENTIAL_EXPIRATION", ""))
    except ValueError:
        return None
    return expiry if expiry.tzinfo else expiry.replace(tzinfo=UTC)


def _silence_retries() -> None:
    """Stamina's own hooks announce each retry: with structlog installed on standard output, where results go."""
    from stamina.instrumentation import set_on_retry_hooks

    set_on_retry_hooks(())


def _family(origin: str) -> str:
    return origin.split("_", 1)[0]


def config_path() -> Path:
    """Where the TOML file is looked for: ONETAKE_CONFIG, else the platform's config folder."""
    if named := os.environ.get("ONETAKE_CONFIG"):
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("onetake") / "config.toml"


def home_path() -> Path:
    """Where onetake keeps what it must remember: ONETAKE_HOME, else the platform's state folder."""
    if named := os.environ.get("ONETAKE_HOME"):
        return Path(named)
    from platformdirs import user_state_path

    return user_state_path("onetake")


def load(flags: Mapping[str, Any]) -> Settings:
    """Every setting, from `flags` (None where not given), environment, file and defaults.

    Raises:
        SettingError: The file cannot be read, holds an unknown name, or a value has the wrong type.
    """
    file = _read_file()
    return Settings({setting.name: _find(setting, flags, file) for setting in SETTINGS})


def _find(setting: Setting, flags: Mapping[str, Any], file: Mapping[str, Any]) -> Value:
    if flags.get(setting.name) is not None:
        return _typed(setting, flags[setting.name], f"--{setting.name.replace('_', '-')}")
    for variable in setting.variables:
        if os.environ.get(variable):
            return _typed(setting, os.environ[variable], variable)
    if setting.name in file:
        return _typed(setting, file[setting.name], str(config_path()))
    return Value(setting.default, "default")


def _typed(setting: Setting, value: object, origin: str) -> Value:
    if setting.whole:
        try:
            return Value(int(str(value)), origin)
        except ValueError:
            raise SettingError(f"{setting.name} from {origin} is not a whole number", "write digits only") from None
    if not isinstance(value, str):
        raise SettingError(f"{setting.name} from {origin} is not text", "put it in quotes")
    return Value(value, origin)


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
    except (ValueError, RecursionError):
        # the parser's text can quote a line, and a line can hold a key
        raise SettingError(f"{str(path)!r} is not valid TOML", 'write lines such as bucket = "takes"') from None
    unknown = sorted(set(content) - {setting.name for setting in SETTINGS})
    if unknown:
        known = ", ".join(setting.name for setting in SETTINGS)
        raise SettingError(f"{str(path)!r} sets {unknown[0]!r}, which is no setting", f"the settings are {known}")
    return content
