"""The results of a `Storage`: the stored object, its link, the figures of a round trip."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from uploader.redaction import without_query

_Bytes = bytes  # `Upload.bytes` shadows the name


@dataclass(frozen=True, slots=True)
class Upload:
    """One object that was stored and verified.

    Attributes:
        key: The object's key in the bucket.
        bytes: Size in bytes.
        md5: Hex digest of the content.
        sha256: Hex digest of the content.
        version_id: The version that the last put created; None if the bucket has no versions.
        content_type: The media type that it is served with.
        first_bytes: The first (at most 64) bytes, to compare with what a public fetch gets.
        clock_skew_s: This computer's clock minus the service's, in seconds, to about one second; None if the service
            sent no date.
    """

    key: str
    bytes: int
    md5: str
    sha256: str
    version_id: str | None
    content_type: str
    first_bytes: _Bytes = field(repr=False)
    clock_skew_s: float | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Link:
    """A presigned URL. It gives access to the object, so neither `repr` nor `str` contains its query.

    Attributes:
        url: The whole URL with its signature.
        expires_at: When it expires (UTC, aware). A URL that is signed with temporary keys expires with them if that is
            earlier; if their expiry is unknown, this is the URL's own.
        warnings: Set if temporary keys expire first.
    """

    url: str = field(repr=False)
    expires_at: datetime
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Link({without_query(self.url)!r}, expires_at={self.expires_at.isoformat()})"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """The measurements of `Storage.round_trip`.

    Attributes:
        seconds: Wall time of put, presign, fetch and delete together.
        clock_skew_s: This computer's clock minus the service's, in seconds, to about one second; None if the service
            sent no date.
        warnings: The warnings of presigning and of the public fetch.
    """

    seconds: float
    clock_skew_s: float | None
    warnings: tuple[str, ...] = ()
