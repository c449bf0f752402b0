"""S3 only: a file becomes a URL that anyone can fetch until it expires.

    from uploader import Storage, StorageSettings

    storage = Storage(StorageSettings(bucket="takes", provider="r2", endpoint="https://ACCOUNT.r2.cloudflarestorage.com"))
    upload = storage.upload("take.m4a", content_type="audio/mp4", suffix=".m4a")
    link = storage.presign(upload)
    storage.verify_link(link, upload)
    storage.delete(upload)

An upload is a path, `bytes` or a binary file object. Nothing here prints, exits or depends on the content. Every
failure is a `StorageError` with a `message`, a `kind` and a `hint`. Importing this package is cheap: boto3 and requests
are imported when a `Storage` makes its first request.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uploader.bucket import Bucket, StoredObject
    from uploader.errors import (
        BadBucketName,
        ClockSkewed,
        CorruptStored,
        CredentialsExpired,
        CredentialsMissing,
        FileChanged,
        FileUnreadable,
        LinkRefused,
        NoSuchBucket,
        NotPermitted,
        ObjectLocked,
        ObjectMissing,
        SettingsError,
        StorageError,
        StorageFailed,
        TlsFailed,
        Unreachable,
        UrlNotPublic,
        WrongKey,
        WrongRegion,
        WrongSecret,
    )
    from uploader.providers import PROVIDERS, Provider
    from uploader.results import Link, RoundTrip, Upload
    from uploader.settings import StorageSettings
    from uploader.storage import Storage

__distribution__ = "onetake"  # see onetake/installation.py
__all__ = [
    "PROVIDERS",
    "BadBucketName",
    "Bucket",
    "ClockSkewed",
    "CorruptStored",
    "CredentialsExpired",
    "CredentialsMissing",
    "FileChanged",
    "FileUnreadable",
    "Link",
    "LinkRefused",
    "NoSuchBucket",
    "NotPermitted",
    "ObjectLocked",
    "ObjectMissing",
    "Provider",
    "RoundTrip",
    "SettingsError",
    "Storage",
    "StorageError",
    "StorageFailed",
    "StorageSettings",
    "StoredObject",
    "TlsFailed",
    "Unreachable",
    "Upload",
    "UrlNotPublic",
    "WrongKey",
    "WrongRegion",
    "WrongSecret",
]

_MODULES = {
    "PROVIDERS": "providers",
    "Provider": "providers",
    "Bucket": "bucket",
    "Link": "results",
    "RoundTrip": "results",
    "Upload": "results",
    "Storage": "storage",
    "StorageSettings": "settings",
    "StoredObject": "bucket",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # PEP 562. All other names are error classes.
    value: object = getattr(import_module(f"uploader.{_MODULES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
