"""The errors of the storage, as one tree.

```
StorageError                   the base class of all others
├── SettingsError              a setting is missing, not valid, or contradicts another (`setting` is its name)
│   └── BadBucketName          the bucket's name is not valid
├── CredentialsMissing         no keys were given and none were found
├── CredentialsExpired         temporary keys have expired
├── WrongKey                   the service does not know the access key
├── WrongSecret                the signature does not match: wrong secret key
├── NotPermitted               the keys are valid, but lack a permission
├── NoSuchBucket               the bucket does not exist at this endpoint
├── WrongRegion                the bucket is in another region than the one signed for
├── ClockSkewed                this computer's clock is too far off for signatures
├── Unreachable                no connection, a broken connection, or no answer in time
├── TlsFailed                  no trusted encrypted connection
├── CorruptStored              what is stored differs from what was sent
├── ObjectMissing              the object does not exist
├── ObjectLocked               the object cannot be deleted: an object lock or a retention rule protects it
├── FileChanged                the file differs from the one that was checked, or changed while it was sent
├── FileUnreadable             the file cannot be read
├── LinkRefused                the presigned URL cannot be fetched, or serves something else
├── UrlNotPublic               the URL's host is not publicly reachable
└── StorageFailed              anything else, with the service's own code
```

Messages and hints contain neither a secret key nor the query of a URL.
"""

from __future__ import annotations

from typing import ClassVar


class StorageError(Exception):
    """Base class of the errors of this package.

    Attributes:
        message: What happened, in one line.
        kind: A stable kebab-case name of the class.
        hint: What to do next, in one line; may be empty.
        service_code: The service's own code or HTTP status, if there was an answer.
        retry_for_s: For how many seconds after the first try a retry may still help; 0 if it cannot.
        retry_after_s: How many seconds the service asks to wait before the next try.
        left_behind: Whether a failed upload may have left an object under its key.
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
        self.retry_after_s = 0.0
        self.left_behind = False

    def __str__(self) -> str:
        return self.message


class SettingsError(StorageError):
    """A setting is missing, not valid, or contradicts another.

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
    usual_hint = "use 3 to 63 characters: lower-case letters, digits and hyphens"


class CredentialsMissing(StorageError):
    """No keys were given, and boto3 finds none in its usual places."""

    kind = "credentials-missing"
    usual_hint = (
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, or give access_key_id and "
        "secret_access_key (the command reads ONETAKE_ACCESS_KEY_ID and ONETAKE_SECRET_ACCESS_KEY)"
    )


class CredentialsExpired(StorageError):
    """Temporary keys have expired."""

    kind = "credentials-expired"
    usual_hint = "get a new session token and try again"


class WrongKey(StorageError):
    """The service does not know the access key (InvalidAccessKeyId)."""

    kind = "wrong-key"
    usual_hint = "check the access key id, and that it belongs to this provider and endpoint"


class WrongSecret(StorageError):
    """The signature does not match (SignatureDoesNotMatch)."""

    kind = "wrong-secret"
    usual_hint = "check the secret access key; if it is right, check region and endpoint, which are signed"


class NotPermitted(StorageError):
    """The keys are valid, but lack a permission (AccessDenied)."""

    kind = "not-permitted"
    usual_hint = "give the key permission to put, get and delete objects in this bucket"


class NoSuchBucket(StorageError):
    """The bucket does not exist at this endpoint."""

    kind = "no-such-bucket"
    usual_hint = "check the bucket's name and the endpoint, or create the bucket"


class WrongRegion(StorageError):
    """The bucket is in another region than the one that requests are signed for."""

    kind = "wrong-region"
    usual_hint = "set region to the bucket's own region"


class ClockSkewed(StorageError):
    """This computer's clock is too far off for signatures."""

    kind = "clock-skewed"
    usual_hint = "set this computer's clock (S3 accepts a difference of 15 minutes), then try again"


class Unreachable(StorageError):
    """No connection to the service, a broken connection, or no answer in time."""

    kind = "unreachable"
    usual_hint = "check the endpoint and the network (and a proxy, if there is one)"


class TlsFailed(StorageError):
    """No trusted encrypted connection could be made."""

    kind = "tls-failed"
    usual_hint = "check that the endpoint speaks https, and that its certificate is trusted here"


class CorruptStored(StorageError):
    """What is stored differs from what was sent, in size or checksum."""

    kind = "corrupt-stored"
    usual_hint = "try again; if it happens again, something between this computer and the storage alters the data"


class ObjectMissing(StorageError):
    """The object does not exist, or was deleted."""

    kind = "object-missing"
    usual_hint = "check the endpoint, the bucket and the key; if it was uploaded just now, try again"


class ObjectLocked(StorageError):
    """The object cannot be deleted: an object lock or a retention rule of the bucket protects it."""

    kind = "object-locked"
    usual_hint = (
        "delete it when its retention ends, or let a lifecycle rule do it (onetake storage policy); for recordings, "
        "use a bucket without object lock"
    )


class FileChanged(StorageError):
    """The file differs from the one that was checked, or changed while it was being sent."""

    kind = "file-changed"
    usual_hint = "wait until no program writes to the file, then start again"


class FileUnreadable(StorageError):
    """The file is missing, empty, not a regular file, or not readable."""

    kind = "file-unreadable"
    usual_hint = "check the path and the file's permissions"


class LinkRefused(StorageError):
    """The presigned URL cannot be fetched without keys, or serves something other than the file."""

    kind = "link-refused"
    usual_hint = "check region, addressing and endpoint: a mistake there shows only when a presigned URL is used"


class UrlNotPublic(StorageError):
    """The URL's host is not publicly reachable, so the service could not fetch it."""

    kind = "url-not-public"
    usual_hint = (
        "use a storage with a public endpoint, or set public_endpoint to the public URL of this one; if the service is "
        "in the same network, public_only can be off"
    )


class StorageFailed(StorageError):
    """Anything else; `service_code` has the service's own code if there is one."""

    kind = "storage-failed"
    usual_hint = "try again; if it happens again, look up the code in the provider's documentation"
