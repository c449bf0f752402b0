"""The one place that removes secrets: queries of presigned URLs, and keys, in messages and in other libraries' logs."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

# Presigned URLs are bearer credentials: everything after the question mark is removed, not only the signature.
_QUERY = re.compile(r"\?[^\s\"'<>)\]]*")
# Fragments of a query without its question mark, as in error messages of services; AWSAccessKeyId is Signature V2's.
_SIGNED_PAIR = re.compile(r"(?i)\b(x-amz-[a-z-]*|signature|awsaccesskeyid|credential)=[^\s\"'<>&)\]]*")
_LONGEST_MESSAGE = 300


def without_query(text: str) -> str:
    """Replace the query of every URL or request target by `?…`.

    >>> without_query("GET /takes/k.m4a?X-Amz-Signature=0123 HTTP/1.1")
    'GET /takes/k.m4a?… HTTP/1.1'
    """
    return _SIGNED_PAIR.sub(r"\1=…", _QUERY.sub("?…", text))


def one_line(text: str) -> str:
    """Make another program's text safe for a message: one printable line without queries, at most 300 characters."""
    printable = "".join(c if c.isprintable() else " " for c in without_query(text))
    line = " ".join(printable.split())
    return line if len(line) <= _LONGEST_MESSAGE else line[: _LONGEST_MESSAGE - 1] + "…"


def without_secrets(text: str, secrets: Iterable[str | None]) -> str:
    """Replace each secret: services echo what they were sent."""
    for secret in secrets:
        text = text.replace(secret, "…") if secret else text
    return text


class _QueryFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = without_query(record.getMessage()), ()
        # Tracebacks end with the exception's text, which contains the target again.
        record.exc_info = record.exc_text = None
        return True


_FILTER = _QueryFilter()


def redact_logs() -> None:
    """Keep signatures out of the logs of urllib3 and botocore, at every log level.

    urllib3's debug lines contain the whole request target, so they are filtered. botocore's debug lines contain
    signatures in many forms, so its debug level is off unless the application has set botocore's level.
    """
    logging.getLogger("urllib3.connectionpool").addFilter(_FILTER)  # addFilter ignores a filter that is there already
    botocore = logging.getLogger("botocore")
    if botocore.level == logging.NOTSET:
        botocore.setLevel(logging.INFO)
