"""The one table that settles every paid call: how it ended, and whether it may be repeated automatically.

==============================================================  =========  ===================
answer                                                          outcome    repeated
==============================================================  =========  ===================
the result where the contract puts it, whatever accompanies it  delivered  no
none; the request's body was provably never read                not-sent   at most `MOST_RETRIES` times
HTTP 429; HTTP 200 or 4xx with a limit code in its code field   limit      at most `MOST_RETRIES` times
HTTP 400, 401, 402, 403, 404, 413, 415, 422                     refused    no
HTTP 200 with a code or reason that means refusal before work   refused    no
anything else                                                   unknown    never
==============================================================  =========  ===================

``delivered`` is the state "cloned" of a clone and "answered" of a speech; ``limit`` is a kind of the state "refused".
A code or reason that means "time", "try again" or "internal" makes any answer without a result unknown, and so does
an HTTP status of that kind which a gateway repeats in the body. Codes count only in fields for codes, never in prose.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from client.codes import CODES, Meaning, meaning_of
from client.errors import OutcomeUnknown, RateLimited

Outcome = Literal["limit", "refused", "unknown"]
"""How a call ended that gave no result although the request was sent."""

MOST_RETRIES: Final = 3
"""Automatic repeats of one call, for all causes together."""

STATUSES: Final[dict[int, Outcome]] = {
    400: "refused",  # RFC 9110, 15.5.1: the server will not process the request; the gateways' pages: bad parameter
    401: "refused",  # RFC 9110, 15.5.2: lacks valid credentials; the gateways' pages: key
    402: "refused",  # the gateways' pages: balance
    403: "refused",  # RFC 9110, 15.5.4: refuses to fulfil it; the gateways' pages: balance or permission
    404: "refused",  # RFC 9110, 15.5.5: no such resource; the gateways' pages: API_NOT_FOUND, MODEL_NOT_FOUND
    413: "refused",  # RFC 9110, 15.5.14: refuses to process content of this size
    415: "refused",  # RFC 9110, 15.5.16: refuses to service content in this format
    422: "refused",  # RFC 9110, 15.5.21: unable to process the instructions; FastAPI: validation failed
    429: "limit",  # RFC 6585, section 4: too many requests
}
"""HTTP statuses that settle a call. Any other says nothing: a 408, 409, 425, 499 or 5xx may follow finished work."""


def outcome_of(meaning: Meaning) -> Outcome:
    """Tell how a call ended whose answer has a code or reason of this meaning."""
    if issubclass(meaning.error, OutcomeUnknown):
        return "unknown"
    return "limit" if meaning.error is RateLimited else "refused"


LIMIT_CODES: Final = frozenset(code for code, meaning in CODES.items() if outcome_of(meaning) == "limit")
"""1002, 1039, 1041 and 2045, by MiniMax's list of codes."""


def settle(status: int, codes: Iterable[int], reasons: Iterable[str], *, complete: bool) -> Outcome:
    """Tell how a call ended whose answer has no result.

    Args:
        status: HTTP status.
        codes: The numbers in the answer's fields for codes, without those that mean success.
        reasons: The gateway's reasons, and codes that are words.
        complete: Whether the whole answer came.
    """
    repeated = {code for code in codes if 100 <= code < 600}  # HTTP statuses, as gateways repeat them in the body
    own = set(codes) - repeated
    by_code = {outcome_of(CODES[code]) if code in CODES else None for code in own}
    by_reason = {outcome_of(meaning) for reason in reasons if (meaning := meaning_of(reason))}
    if not (status == 200 or 400 <= status < 500):
        return "unknown"
    if "unknown" in by_code | by_reason or any(code not in STATUSES for code in repeated):
        return "unknown"
    if not complete and status == 200:
        return "unknown"
    if status == 429 or "limit" in by_code:
        return "limit"
    if status in STATUSES:
        return "refused"
    # HTTP 200, or a 4xx that settles nothing by itself.
    is_listed = None not in by_code and (by_code or by_reason)
    return "refused" if status == 200 and is_listed else "unknown"
