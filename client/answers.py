"""An answer, the error for an answer without a result, and the contradictions of an answer with one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Final

from client.call_outcomes import (
    CODES,
    PHRASES,
    VAGUE_CODES,
    Meaning,
    Outcome,
    is_doubtful,
    meaning_of,
    outcome_of,
    settle,
)
from client.error_details import ErrorDetails, error_details
from client.errors import (
    BalanceTooLow,
    HiddenBytes,
    KeyRefused,
    NonsenseAnswer,
    NotPermitted,
    OutcomeUnknown,
    RateLimited,
    RequestRefused,
    ServerFailed,
    ServiceError,
)
from client.redaction import redact
from client.tolerant_json import Document, read

# These numbers also occur in ordinary messages ("at most 1000 characters"): they count only where marked as codes.
_COMMON_NUMBERS: Final = frozenset({1000, 1001, 1024, 2048})
_LONGEST_NAME: Final = 100
_LONGEST_REDACTED: Final = 3_000
_STATUS_ERRORS: Final[dict[int, type[ServiceError]]] = {
    401: KeyRefused,
    402: BalanceTooLow,
    403: NotPermitted,
    429: RateLimited,
}


class Answer:
    """A complete or truncated answer.

    Args:
        status: HTTP status.
        headers: Headers, with names in lower case.
        body: As many bytes as arrived, decompressed.
        missing: Why the rest is missing, as a clause; empty if the answer is complete.
        secrets: Strings that must not be shown although the server may echo them.
        received: The first bytes as they arrived, without heads and framing, which are more than the body if its length
            or its chunks are declared wrongly.
    """

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes | bytearray,
        missing: str,
        secrets: tuple[str, ...],
        received: bytes | bytearray = b"",
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.missing = missing
        self.secrets = secrets
        self.received = received

    def as_received(self) -> Answer | None:
        """Return the answer with everything that arrived as its body; None if that says no more than the body."""
        if self.body.startswith(self.received):
            return None
        wrong = self.missing or "its length or its chunks are declared wrongly"
        return Answer(self.status, self.headers, self.received, wrong, self.secrets)

    @cached_property
    def document(self) -> Document:
        """The parsed body."""
        return read(self.body, self.content_type)

    @cached_property
    def details(self) -> ErrorDetails:
        """The error details of the answer."""
        return error_details(self.document, self.headers)

    @property
    def content_type(self) -> str:
        """The header Content-Type in lower case; empty if there is none."""
        return self.headers.get("content-type", "").lower()

    @property
    def service_message(self) -> str:
        """The service's own message, redacted; empty if there is none, or if the answer is not HTTP."""
        return self.redacted(self.details.message) if self.status else ""

    @property
    def trace_id(self) -> str | None:
        """The identifier that the service's support asks for, redacted."""
        trace = self.details.trace_id
        return redact(trace, self.secrets, longest=_LONGEST_NAME) or None if trace else None

    def redacted(self, text: object) -> str:
        """Redact a text of the server's."""
        # Bounded, because redaction takes quadratic time in the worst case.
        return redact(str(text)[:_LONGEST_REDACTED], self.secrets)

    def excerpt(self) -> str:
        """Return the redacted beginning of the body, for a message."""
        text = self.document.text[:_LONGEST_REDACTED]
        for placeholder, long in self.document.long_strings.items():
            text = text.replace(placeholder, f"<{len(long)} characters>")
        # Redacted before it is shortened: half of a secret would not be recognized.
        return redact(text, self.secrets, longest=120)


def error_from(answer: Answer, lacking: str, *, is_doubtful: bool = False) -> ServiceError:
    """Create the error for an answer without a result.

    Args:
        answer: The answer.
        lacking: What is missing, as a clause, if the answer says nothing else: "has no voice_id".
        is_doubtful: Whether something else in the answer suggests that the call was carried out.
    """
    details = answer.details
    outcome = settle(answer.status, details.codes, details.reasons, details.mentions, complete=not answer.missing)
    if is_doubtful:
        outcome = "unknown"
    error = _unknown(answer, lacking) if outcome == "unknown" else _refused(answer, outcome)
    error.http_status = answer.status or None
    error.trace_id = answer.trace_id
    error.service_message = answer.service_message
    error.code = _best_code(details)
    reason = next(iter(details.reasons), None)
    error.reason = redact(reason, answer.secrets, longest=_LONGEST_NAME) if reason else None
    # Kept because it may contain paid audio or a voice_id that this version does not recognize.
    error.answer_body = HiddenBytes((answer.as_received() or answer).body)
    error.retryable = outcome == "limit"
    return error


def contradictions(answer: Answer) -> Iterator[str]:
    """List what contradicts an answer that has a result: its status, its codes, its reasons, a missing end."""
    details = answer.details
    quote = _quote(answer)
    if answer.status == 0:
        yield "the answer has the result, but is not valid HTTP"
    elif not 200 <= answer.status < 300:
        yield f"the answer has the result, but also the status HTTP {answer.status}{quote}"
        quote = ""
    for code in details.codes:
        meaning = CODES[code].message if code in CODES else "not a known code"
        yield f"the answer has the result, but also the code {code} ({meaning}){quote}"
        quote = ""
    for reason in details.reasons:
        listed = meaning_of(reason)
        meaning = listed.message if listed else "not a known reason"
        yield f"the answer has the result, but also the reason {answer.redacted(reason)} ({meaning}){quote}"
        quote = ""
    if answer.missing:
        yield f"the answer has the result, but may be incomplete: {answer.missing}"
    if answer.document.rest:
        yield f"the answer has the result, but continues after it: {answer.redacted(answer.document.rest)}"


def _quote(answer: Answer) -> str:
    return f"; the service says: {answer.service_message}" if answer.service_message else ""


def _trace(answer: Answer) -> str:
    return f" (trace id {answer.trace_id})" if answer.trace_id else ""


def _unknown(answer: Answer, lacking: str) -> OutcomeUnknown:
    details = answer.details
    codes = [f"code {code}: {CODES[code].message}" if code in CODES else f"code {code}" for code in details.codes]
    reasons = [f"reason {reason}" for reason in details.reasons]
    reasons += [f"it mentions {mention}" for mention in details.mentions if is_doubtful(mention)]
    is_success = 200 <= answer.status < 300
    what = f"the answer (HTTP {answer.status}) does not say whether the call was carried out"
    if answer.status == 0:
        what = f"the request was or may have been sent, and {answer.missing}"
    elif 300 <= answer.status < 400:
        what = f"the service answered with a redirect (HTTP {answer.status}), which a paid request does not follow"
    elif is_success and answer.missing:
        what = f"the service began to answer (HTTP {answer.status}), but {answer.missing}"
    elif is_success and not codes and not reasons:
        what = f"the answer (HTTP {answer.status}) {lacking}"
    if codes or reasons:
        what += f" ({answer.redacted('; '.join([*codes, *reasons]))})"
    what += _quote(answer) or _begins_with(answer)
    kind: type[OutcomeUnknown] = OutcomeUnknown  # a bare 5xx may be a proxy's, which knows nothing of the call
    if codes or reasons:
        kind = ServerFailed
    elif is_success and not answer.missing:
        kind = NonsenseAnswer
    hint = ""
    if 300 <= answer.status < 400:
        hint = f"check the base URL; {OutcomeUnknown.usual_hint}"
    return kind(what + _trace(answer), hint=hint)


def _begins_with(answer: Answer) -> str:
    excerpt = answer.excerpt()
    return f"; it begins with: {excerpt}" if excerpt else ""


def _refused(answer: Answer, outcome: Outcome) -> ServiceError:
    details = answer.details
    meaning = _meaning(answer.status, details, outcome)
    what = meaning.message or f"the service answered HTTP {answer.status}"
    if (code := _best_code(details)) is not None:
        what += f" (code {code})"
    error = meaning.error(what + _quote(answer) + _trace(answer), hint=meaning.hint)
    if isinstance(error, RateLimited):
        # By the service's clock, if the answer has its time: this computer's may be wrong.
        now = _date(answer.headers.get("date", "")) or datetime.now(UTC)
        error.retry_after_s = retry_after_s(answer.headers.get("retry-after", ""), now)
    return error


def _best_code(details: ErrorDetails) -> int | None:
    """Return a listed code, else one in the message, else the first that is not an HTTP status."""
    listed = next((code for code in details.codes if code in CODES), None)
    in_text = _code_in_text(details.message)
    other = next((code for code in details.codes if not 100 <= code < 600), None)
    return next((code for code in (listed, in_text, other) if code is not None), None)


def _meaning(status: int, details: ErrorDetails, outcome: Outcome) -> Meaning:
    """Explain a refusal; the message explains it only if neither a code nor a reason does."""
    if outcome == "limit":
        limits = [CODES[code] for code in details.codes if code in CODES and outcome_of(CODES[code]) == "limit"]
        return limits[0] if limits else Meaning(RateLimited)  # 429 without a code of the service
    code = _best_code(details)
    # The message may mention a rate limit or a failure, but this call was refused.
    by_code = CODES[code] if code in CODES and outcome_of(CODES[code]) == "refused" else None
    if by_code is not None and code not in VAGUE_CODES:
        return by_code
    # INVALID_REQUEST_BODY and the like are as vague as 2013: a phrase in the message is more specific.
    by_reason = next((meaning for reason in details.reasons if (meaning := meaning_of(reason))), None)
    specific = by_reason if by_reason and by_reason.error is not RequestRefused else None
    message = details.message.lower()
    by_phrase = next((meaning for phrase, meaning in PHRASES if phrase in message), None)
    if by_phrase and (specific is None or by_phrase.error is specific.error):
        return by_phrase
    return specific or by_code or by_reason or Meaning(_STATUS_ERRORS.get(status, RequestRefused))


def _code_in_text(message: str) -> int | None:
    # Gateways forward MiniMax's code in prose: "clone failed, code: 2037". It explains, but never settles the call.
    for found in re.finditer(
        r"(?P<mark>(?:code|status)\W{0,3}|[\[(])?(?<![\w.])(?P<number>[0-9]{4,5})(?![\w.])", message[:10_000]
    ):
        number = int(found["number"])
        if number in CODES and (found["mark"] or number not in _COMMON_NUMBERS):
            return number
    return None


def retry_after_s(header: str, now: datetime) -> float | None:
    """Parse a ``Retry-After`` header: seconds or an HTTP date (RFC 9110, 10.2.3); None if it is neither.

    >>> retry_after_s("120", datetime.now(UTC))
    120.0
    """
    header = header.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", header):
        return float(header)
    when = _date(header)
    return None if when is None else max(0.0, (when - now).total_seconds())


def _date(header: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(header)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    # RFC 9110, 5.6.7: an HTTP date is in UTC; the obsolete formats do not say so.
    return when if when.tzinfo else when.replace(tzinfo=UTC)
