"""How to reach a running sandbox."""

from __future__ import annotations

import msgspec


class Access(msgspec.Struct, frozen=True):
    """How to reach a running sandbox; the names are those of the settings."""

    base_url: str
    api_key: str
    provider: str
    s3_endpoint: str
    bucket: str
    access_key_id: str
    secret_access_key: str
    folder: str

    def settings(self) -> dict[str, str]:
        """The values by the settings' names."""
        values: dict[str, str] = msgspec.structs.asdict(self)
        del values["folder"]
        return values
