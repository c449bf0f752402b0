"""What must not be seen: the query part of presigned URLs, in messages and in other libraries' logs."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

_QUERY = re.compile(r"\?[^\s\"'<>)\]]*")
_SIGNED_PAIR = re.compile(r"(?i)\b(x-amz-[a-z-]*|signature|awsaccesskeyid|credential)=[^\s\"'<>&)\]]*")
_LONGEST_MESSAGE = 300


def without_query(text: str) -> str:
    """The text with the query part of every URL or request target in it replaced by `?…`."""
    return _SIGNED_PAIR.sub(r"\1=…", _QUERY.sub("?…", text))


def one_line(text: str) -> str:
    """Foreign text made fit for a message: no query parts, printable, one line, at most 300 characters."""
    printable = "".join(c if c.isprintable() else " " for c in without_query(text))
    line = " ".join(printable.split())
    return line if len(line) <= _LONGEST_MESSAGE else line[: _LONGEST_MESSAGE - 1] + "…"


def without_secrets(text: str, secrets: Iterable[str | None]) -> str:
    """The text with each secret that stands in it replaced: a service may repeat what it was sent."""
    for secret in secrets:
        text = text.replace(secret, "…") if secret else text
    return text


class _QueryFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = without_query(record.getMessage()), ()
        # Its tracebacks end in texts that hold the target once more.
        record.exc_info = record.exc_text = None
        return True


_FILTER = _QueryFilter()


def redact_logs() -> None:
    """Keep signatures out of the logs of the libraries below, whatever level the application logs at.

    urllib3's debug lines hold the whole request target, so they are filtered. botocore's debug lines hold
    signatures in many shapes, so its debug level is off unless somebody asked for botocore's by name.
    """
    logging.getLogger("urllib3.connectionpool").addFilter(_FILTER)  # adding it twice adds it once
    botocore = logging.getLogger("botocore")
    if botocore.level == logging.NOTSET:
        botocore.setLevel(logging.INFO)
