"""What a `Storage` gives back: the stored object, its link, a round trip's figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from uploader.redaction import without_query

_Bytes = bytes  # `Upload.bytes` hides the name


@dataclass(frozen=True, slots=True)
class Upload:
    """One object that was stored and checked.

    Attributes:
        key: The object's key in the bucket.
        bytes: Size in bytes.
        md5: Hex digest of the content.
        sha256: Hex digest of the content.
        version_id: The version that the last put made; None where the bucket keeps no versions.
        content_type: The media type that it is served with.
        first_bytes: The first (at most 64) bytes, to compare with what a public fetch gets.
        clock_skew_s: This computer's clock minus the service's, in seconds, within about a second; None
            where the service sent no date.
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
    """A presigned URL. Whoever has it can fetch the object, so neither `repr` nor `str` shows its query part.

    Attributes:
        url: The whole URL, signature included.
        expires_at: The moment at which it dies (UTC, aware). A URL signed with temporary keys dies with them if
            that is sooner; where their end is not known, this is the end of the URL itself.
        warnings: For people: that temporary keys end it early.
    """

    url: str = field(repr=False)
    expires_at: datetime
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Link({without_query(self.url)!r}, expires_at={self.expires_at.isoformat()})"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """What `Storage.round_trip` measured.

    Attributes:
        seconds: Wall time of put, presign, fetch and delete together.
        clock_skew_s: This computer's clock minus the service's, in seconds, within about a second; None
            where the service sent no date.
        warnings: What presigning and the public fetch found, for people.
    """

    seconds: float
    clock_skew_s: float | None
    warnings: tuple[str, ...] = ()
