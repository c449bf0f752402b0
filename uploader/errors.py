"""What can go wrong between a file and a URL that anybody can fetch.

```
StorageError                   anything below; catch this one
├── SettingsError              a setting is missing, impossible or contradicts another (`setting` names it)
│   └── BadBucketName          the bucket's name cannot be one
├── CredentialsMissing         no keys were given and none were found
├── CredentialsExpired         temporary keys whose time is over
├── WrongKey                   the service does not know the access key
├── WrongSecret                the signature is wrong, so the secret key is
├── NotPermitted               the keys are right, but may not do this
├── NoSuchBucket               the bucket does not exist there
├── WrongRegion                the bucket is in another region than the one signed for
├── ClockSkewed                this computer's clock is too far off for signatures to hold
├── Unreachable                no connection, or it broke, or it stayed silent
├── TlsFailed                  no trusted encrypted connection
├── CorruptStored              what is stored is not what was sent
├── ObjectMissing              the object is not there (or not there any more)
├── ObjectLocked               the object cannot be deleted: a lock or a retention rule of the bucket keeps it
├── FileChanged                the file is not the one that was looked at, or changed while it was sent
├── FileUnreadable             the file cannot be read
├── LinkRefused                the presigned URL cannot be fetched, or gives something else
├── UrlNotPublic               the URL's host cannot be reached from outside
└── StorageFailed              anything else, with the service's own code
```

No message and no hint holds a secret key or the query part of a URL.
"""

from __future__ import annotations

from typing import ClassVar


class StorageError(Exception):
    """Base of everything that this package raises.

    Attributes:
        message: What happened, in one line.
        kind: A stable kebab-case name of the class.
        hint: What to do next, in one line; may be empty.
        service_code: The service's own code or HTTP status, where it gave one.
        retry_for_s: For how many seconds after the first try a repeat may still help; 0 when it cannot.
        left_behind: Whether an upload that failed may have left something under its key.
    """

    kind: ClassVar[str] = "storage-error"
    usual_hint: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        *,
        service_code: str | None = None,
        retry_for_s: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.usual_hint if hint is None else hint
        self.service_code = service_code
        self.retry_for_s = retry_for_s
        self.left_behind = False

    def __str__(self) -> str:
        return self.message


class SettingsError(StorageError):
    """A setting is missing, impossible or contradicts another.

    Attributes:
        setting: The name of the `StorageSettings` field (or argument) at fault.
    """

    kind = "bad-setting"

    def __init__(self, message: str, hint: str | None = None, *, setting: str = "") -> None:
        super().__init__(message, hint)
        self.setting = setting


class BadBucketName(SettingsError):
    """The bucket's name breaks the provider's rules for names."""

    kind = "bad-bucket-name"
    usual_hint = "Bucket names have 3 to 63 characters: lower-case letters, digits and hyphens."


class CredentialsMissing(StorageError):
    """No keys were given, and boto3's usual places hold none."""

    kind = "credentials-missing"
    usual_hint = (
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, or give access_key_id and "
        "secret_access_key (the command reads ONETAKE_ACCESS_KEY_ID and ONETAKE_SECRET_ACCESS_KEY)."
    )


class CredentialsExpired(StorageError):
    """Temporary keys whose time is over."""

    kind = "credentials-expired"
    usual_hint = "Get a new session token and try again."


class WrongKey(StorageError):
    """The service does not know the access key (InvalidAccessKeyId)."""

    kind = "wrong-key"
    usual_hint = "Check the access key id, and that it belongs to this provider and endpoint."


class WrongSecret(StorageError):
    """The signature does not match (SignatureDoesNotMatch)."""

    kind = "wrong-secret"
    usual_hint = "Check the secret access key; if it is right, check region and endpoint, which are signed."


class NotPermitted(StorageError):
    """The keys are right, but may not do this (AccessDenied)."""

    kind = "not-permitted"
    usual_hint = "The key needs to put, get and delete objects in this bucket."


class NoSuchBucket(StorageError):
    """The bucket does not exist at this endpoint."""

    kind = "no-such-bucket"
    usual_hint = "Check the bucket's name and the endpoint, or create the bucket."


class WrongRegion(StorageError):
    """The bucket is in another region than the one that requests are signed for."""

    kind = "wrong-region"
    usual_hint = "Set region to the bucket's own region."


class ClockSkewed(StorageError):
    """This computer's clock is too far off for signatures to hold."""

    kind = "clock-skewed"
    usual_hint = "Set this computer's clock (signatures hold within 15 minutes), then try again."


class Unreachable(StorageError):
    """No connection to the service, or it broke, or it stayed silent."""

    kind = "unreachable"
    usual_hint = "Check the endpoint and the network (and a proxy, if there is one)."


class TlsFailed(StorageError):
    """No trusted encrypted connection could be made."""

    kind = "tls-failed"
    usual_hint = "Check that the endpoint speaks https, and that its certificate is trusted here."


class CorruptStored(StorageError):
    """What is stored is not what was sent: its size or its checksum differs."""

    kind = "corrupt-stored"
    usual_hint = "Try again; if it happens again, something between here and the storage alters the data."


class ObjectMissing(StorageError):
    """The object is not there, or not there any more."""

    kind = "object-missing"


class ObjectLocked(StorageError):
    """The object cannot be deleted, because a lock or a retention rule of the bucket keeps it."""

    kind = "object-locked"
    usual_hint = (
        "It stays until its retention ends; then delete it yourself, or let a lifecycle rule do it (onetake storage "
        "policy). For recordings, use a bucket without object lock."
    )


class FileChanged(StorageError):
    """The file is not the one that was looked at, or changed while it was being sent."""

    kind = "file-changed"
    usual_hint = "Wait until nothing writes to the file, then start again."


class FileUnreadable(StorageError):
    """The file is missing, empty, not a regular file, or may not be read."""

    kind = "file-unreadable"
    usual_hint = "Check the path and the file's permissions."


class LinkRefused(StorageError):
    """The presigned URL cannot be fetched without keys, or gives something other than the file."""

    kind = "link-refused"
    usual_hint = "Check region, addressing and endpoint: a presigned URL shows a mistake there only when it is used."


class UrlNotPublic(StorageError):
    """The URL's host cannot be reached from outside, so the service could not fetch it."""

    kind = "url-not-public"
    usual_hint = (
        "Use a storage with a public endpoint, or set public_endpoint to the URL under which this one can be reached "
        "from outside; for a service of your own, public_only can be off."
    )


class StorageFailed(StorageError):
    """Anything else; `service_code` has the service's own code where there is one."""

    kind = "storage-failed"
    usual_hint = "Try again; if it happens again, look the code up in the provider's documentation."
