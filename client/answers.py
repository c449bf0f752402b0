"""From the bytes of an answer to what it says: a JSON object, or a refusal as the right error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

from client.codes import CODES, PHRASES, REASONS, STATUSES, VAGUE_CODES, Meaning
from client.errors import (
    NonsenseAnswer,
    OutcomeUnknown,
    RateLimited,
    RequestRefused,
    ServerFailed,
    ServiceError,
)
from client.redaction import redact

# Between the service and us these two are said by a proxy, which knows nothing about the outcome.
_PROXY_STATUSES: Final = frozenset({502, 504})
# These also occur in innocent messages ("at most 1000 characters"): they count only where marked as codes.
_INNOCENT_NUMBERS: Final = frozenset({1000, 1001, 1024, 2048})
_GOOD_NUMBERS: Final = frozenset({0, 200})
_LONGEST_NAME: Final = 100


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A complete answer, or one that ended early.

    Attributes:
        status: HTTP status.
        headers: Names in lower case.
        body: As much as came.
        missing: Why the rest is missing, as a clause; empty when the answer is complete.
        secrets: What must not be shown although the server may echo it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    missing: str
    secrets: tuple[str, ...]

    def decoded(self) -> dict[str, Any] | None:
        """Decode the body; None if it is not a JSON object."""
        try:
            found = msgspec.json.decode(self.body.removeprefix(b"\xef\xbb\xbf"))
        except (msgspec.DecodeError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def shown(self, text: object) -> str:
        """Redact a text of the server's."""
        return redact(str(text), self.secrets)

    def excerpt(self) -> str:
        """Redact the beginning of the body, for a message."""
        # Decoded in full first: a cut through a secret would leave a half that is not recognised.
        return redact(self.body.decode("utf-8", "replace"), self.secrets, longest=120)


class _Complaint(msgspec.Struct, frozen=True):
    """What an error body says, whichever of the shapes it has.

    Attributes:
        code: MiniMax's number.
        reason: The gateway's reason.
        message: The server's words, not yet redacted.
        trace_id: What the service's support asks for.
        explicit: There is a number or a reason, not merely words, which a good answer can hold too.
        status: The HTTP status that the gateway writes into the body.
    """

    code: int | None = None
    reason: str | None = None
    message: str = ""
    trace_id: str | None = None
    explicit: bool = False
    status: int | None = None


def error_in(answer: Answer) -> ServiceError | None:
    """Tell the error that an answer holds; None when it is a 2xx without an error code."""
    complaint = _read(answer.decoded() or {})
    if 200 <= answer.status < 300:
        if answer.missing:
            return _unfinished(answer)
        if complaint is None or not complaint.explicit:
            return None
    elif not 300 <= answer.status < 500 and not _is_the_services_own(answer, complaint):
        return _lost(answer, complaint)
    complaint = complaint or _Complaint()
    return _refusal(answer, _meaning(answer.status, complaint), complaint)


def _is_the_services_own(answer: Answer, complaint: _Complaint | None) -> bool:
    """Whether a failure is told by the service itself, in its own words, and not by a proxy in front of it."""
    if complaint is None or answer.missing or answer.status in _PROXY_STATUSES:
        return False
    return complaint.code is not None or complaint.reason is not None


def _unfinished(answer: Answer) -> OutcomeUnknown:
    return OutcomeUnknown(f"the service began to answer, but {answer.missing}", http_status=answer.status)


def _lost(answer: Answer, complaint: _Complaint | None) -> OutcomeUnknown:
    what = f"the answer is HTTP {answer.status}, which says nothing about the outcome"
    said = complaint.message if complaint else ""
    if shown := answer.shown(said) or answer.excerpt():
        what += f": {shown}"
    return OutcomeUnknown(what, **_details(answer, complaint))


def _details(answer: Answer, complaint: _Complaint | None) -> dict[str, Any]:
    if complaint is None:
        return {"http_status": answer.status}
    shown = {
        name: redact(value, answer.secrets, longest=_LONGEST_NAME) if value else None
        for name, value in (("reason", complaint.reason), ("trace_id", complaint.trace_id))
    }
    return {"http_status": answer.status, "code": complaint.code, **shown}


def _refusal(answer: Answer, meaning: Meaning, complaint: _Complaint) -> ServiceError:
    parts = [meaning.says or f"the service answered HTTP {answer.status}"]
    if complaint.code is not None:
        parts[0] += f" (code {complaint.code})"
    if complaint.message:
        parts.append(f"the service says: {answer.shown(complaint.message)}")
    error = meaning.error("; ".join(parts), hint=meaning.hint, **_details(answer, complaint))
    if isinstance(error, RateLimited):
        error.retry_after_s = retry_after_s(answer.headers.get("retry-after", ""), datetime.now(UTC))
    return error


def _meaning(status: int, complaint: _Complaint) -> Meaning:
    if status == 429:
        return STATUSES[429]
    by_code = CODES.get(complaint.code) if complaint.code is not None else None
    if by_code is not None and complaint.code not in VAGUE_CODES:
        return by_code
    by_reason = REASONS.get(complaint.reason or "")
    telling = by_reason if by_reason and by_reason.error not in {RequestRefused, ServerFailed} else None
    message = complaint.message.lower()
    by_phrase = next((meaning for phrase, meaning in PHRASES if phrase in message), None)
    if by_phrase and (telling is None or by_phrase.error is telling.error):
        return by_phrase
    status = complaint.status if complaint.status and status < 300 else status
    return telling or by_code or by_reason or STATUSES.get(status) or _unlisted(status)


def _unlisted(status: int) -> Meaning:
    if 300 <= status < 400:
        return Meaning(
            RequestRefused,
            f"the service answered with a redirect (HTTP {status})",
            "Check the base URL: a paid request is not sent on to another address.",
        )
    if 400 <= status < 500:
        return Meaning(RequestRefused)
    return Meaning(ServerFailed, "the service reports a failure")


def _read(body: Mapping[str, Any]) -> _Complaint | None:
    """Find an error in any of the shapes: the gateway's, MiniMax's own, and OpenAI's ``error`` object."""
    base = body.get("base_resp")
    nested = body.get("error")
    base = base if isinstance(base, dict) else {}
    nested = nested if isinstance(nested, dict) else {}
    message = _first_text(
        base.get("status_msg"), body.get("message"), nested.get("message"), body.get("error"), body.get("msg")
    )
    number = _first_number(base.get("status_code"), body.get("status_code"), body.get("code"), nested.get("code"))
    reason = _first_text(body.get("reason"), nested.get("reason"))
    if number is None and reason is None and message is None:
        return None
    # The gateway's number repeats the HTTP status; MiniMax's is then often in the message.
    theirs = number if number is not None and number not in CODES and 400 <= number < 600 else None
    metadata = body.get("metadata")
    trace = metadata.get("trace_id") if isinstance(metadata, dict) else None
    return _Complaint(
        code=number if number in CODES else _code_in_text(message or "") or (None if theirs else number),
        reason=reason,
        message=message or "",
        trace_id=_first_text(body.get("trace_id"), trace),
        explicit=number is not None or reason is not None,
        status=theirs,
    )


def _first_text(*values: object) -> str | None:
    return next((value for value in values if isinstance(value, str) and value), None)


def _first_number(*values: object) -> int | None:
    for value in values:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}", value):
            value = int(value)  # noqa: PLW2901 - the same number, written as text
        if isinstance(value, int) and not isinstance(value, bool) and value not in _GOOD_NUMBERS:
            return value
    return None


def _code_in_text(message: str) -> int | None:
    for found in re.finditer(
        r"(?P<mark>(?:code|status)\W{0,3}|[\[(])?(?<![\w.])(?P<number>[0-9]{4,5})(?![\w.])", message
    ):
        number = int(found["number"])
        if number in CODES and (found["mark"] or number not in _INNOCENT_NUMBERS):
            return number
    return None


def retry_after_s(header: str, now: datetime) -> float | None:
    """Read a ``Retry-After`` header: seconds, or an HTTP date; None if it is neither (RFC 9110, 10.2.3)."""
    header = header.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", header):
        return float(header)
    try:
        when = parsedate_to_datetime(header)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def nonsense(answer: Answer, lacking: str) -> NonsenseAnswer:
    """Make the error for a 2xx that does not hold what was asked for."""
    what = f"the answer (HTTP {answer.status}) {lacking}"
    begins = answer.excerpt()
    return NonsenseAnswer(f"{what}; it begins with: {begins}" if begins else what, http_status=answer.status)
