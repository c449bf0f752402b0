"""The one table that settles every paid call: how it ended, and whether it is repeated automatically.

==============================================================  =========  ===================
answer                                                          outcome    repeated
==============================================================  =========  ===================
the result where the contract puts it, even beside an error     delivered  no
none; the request's body was never read for sending             not-sent   at most `MOST_RETRIES` times
HTTP 429; HTTP 200 or 4xx with a limit code in its code field   limit      at most `MOST_RETRIES` times
HTTP 400, 401, 402, 403, 404, 413, 415, 422                     refused    no
HTTP 200 with a code or reason that means refusal before work   refused    no
anything else                                                   unknown    never
==============================================================  =========  ===================

``delivered`` is the state "cloned" of a clone and "answered" of a speech; ``limit`` is a kind of the state "refused".
A code or reason that means "timeout", "try again" or "internal error" makes any answer without a result unknown, and so
does an HTTP status of that kind which a gateway repeats in the body. So do such words in fields for types and states,
and such codes in JSON that a message quotes. Otherwise codes count only in fields for codes, never in prose.

Sources of the codes: MiniMax's platform documentation. Of the reasons: the gateways' error pages, and gRPC's canonical
status names, which gateways written in Go pass on. Of the phrases: users' reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

from client.errors import (
    AudioRefused,
    BalanceTooLow,
    KeyRefused,
    NotPermitted,
    OutcomeUnknown,
    RateLimited,
    RequestRefused,
    ServerFailed,
    ServiceError,
    TextRefused,
    VoiceNotFound,
)


class Meaning(Struct, frozen=True):
    """What a code or a reason means.

    Attributes:
        error: The class that is raised for it, which also decides the outcome: see `outcome_of`.
        message: What happened, as a clause; empty if the class is enough.
        hint: What to do next; empty for the class's usual hint.
    """

    error: type[ServiceError]
    message: str = ""
    hint: str = ""


_LONGEST_REASON: Final = 100
_TRY_LATER: Final = "if the call is one that is charged, check the account's bill; then try again later"

CODES: Final[dict[int, Meaning]] = {
    1000: Meaning(ServerFailed, "unknown error", _TRY_LATER),
    1001: Meaning(ServerFailed, "the service timed out", _TRY_LATER),
    1002: Meaning(RateLimited, "too many calls"),
    1004: Meaning(KeyRefused, "the API key is not accepted"),
    1008: Meaning(BalanceTooLow, "the balance is too low"),
    1024: Meaning(ServerFailed, "internal error", _TRY_LATER),
    1026: Meaning(TextRefused, "the service flagged the text as sensitive content"),
    1027: Meaning(TextRefused, "the service flagged the spoken result as sensitive content"),
    1033: Meaning(ServerFailed, "internal error in an upstream service", _TRY_LATER),
    1039: Meaning(RateLimited, "too many characters a minute"),
    1041: Meaning(RateLimited, "too many calls at once"),
    1042: Meaning(
        TextRefused,
        "the text has too many invisible or illegal characters",
        "remove control characters, invisible characters and stray symbols",
    ),
    1043: Meaning(
        AudioRefused,
        "the recording and the text verified against it do not match",
        "use a recording in which every word is clear, or lower `accuracy`",
    ),
    1044: Meaning(
        AudioRefused,
        "the prompt clip and the prompt text do not match",
        "give the exact words of the prompt clip, or omit the prompt",
    ),
    2013: Meaning(RequestRefused, "bad parameters", "check the arguments, and the form of the recording's URL"),
    20132: Meaning(
        AudioRefused,
        "the sample or the voice_id is not valid",
        "check that the recording plays, and that the voice_id is exactly the one you received",
    ),
    2037: Meaning(
        AudioRefused,
        "the recording is too short or too long",
        "send a recording of 10 s to 5 min; a prompt clip works best with 5 s to 7.9 s",
    ),
    2038: Meaning(
        NotPermitted,
        "cloning is not enabled for the account",
        "verify the account's identity with the service",
    ),
    2039: Meaning(RequestRefused, "a voice with this voice_id exists already"),
    2042: Meaning(NotPermitted, "the account has no right to this voice_id", "use the account that cloned the voice"),
    2045: Meaning(RateLimited, "the rate of calls grew too fast"),
    2048: Meaning(AudioRefused, "the prompt clip is too long", "use a prompt clip of less than 8 s"),
    2049: Meaning(KeyRefused, "the API key is not valid"),
    2054: Meaning(VoiceNotFound, "the voice does not exist"),
    2056: Meaning(BalanceTooLow, "the plan is used up", "wait for the plan's next period, or buy more"),
}

VAGUE_CODES: Final = frozenset({1000, 2013})
"""Codes that are sent for many causes: a phrase or a reason beside them is more specific."""

REASONS: Final[dict[str, Meaning]] = {
    "INVALID_REQUEST_BODY": Meaning(RequestRefused, "the request's body is not valid"),
    "INVALID_AUDIO_FILE": Meaning(AudioRefused, "the audio file is not valid"),
    "ILLEGAL_PROMPT": Meaning(TextRefused, "the text is not allowed"),
    "MISSING_API_KEY": Meaning(KeyRefused, "the request has no API key"),
    "BILLING_BALANCE_NOT_ENOUGH": Meaning(BalanceTooLow, "the balance is too low"),
    "NOT_ENOUGH_BALANCE": Meaning(BalanceTooLow, "the balance is too low"),
    "FAILED_TO_AUTH": Meaning(KeyRefused, "the API key is not accepted"),
    "INVALID_API_KEY": Meaning(KeyRefused, "the API key is not valid"),
    "NEED_REAL_NAME_VERIFY": Meaning(
        NotPermitted,
        "the account's identity is not verified",
        "verify the account's identity with the service",
    ),
    "ACCESS_DENY": Meaning(NotPermitted, "access is denied"),
    "API_NOT_FOUND": Meaning(RequestRefused, "the endpoint does not exist", "check the base URL"),
    "MODEL_NOT_FOUND": Meaning(RequestRefused, "the model does not exist", "use another model"),
    "TASK_NOT_FOUND": Meaning(RequestRefused, "the task does not exist"),
    "RATE_LIMIT_EXCEEDED": Meaning(RateLimited, "too many calls"),
    "BILLING_FAILED": Meaning(ServerFailed, "the service could not bill the call"),
    "CREATE_TASK_FAILED": Meaning(ServerFailed, "the service could not start the task"),
    "TASK_FAILED": Meaning(ServerFailed, "the task failed"),
    "SERVICE_NOT_AVAILABLE": Meaning(ServerFailed, "the service is not available"),
    **{
        reason: Meaning(ServerFailed, "the service reports an internal error or a timeout", _TRY_LATER)
        for reason in (
            *("ABORTED", "CANCELLED", "DEADLINE_EXCEEDED", "GATEWAY_TIMEOUT", "INTERNAL", "INTERNAL_ERROR"),
            *("INTERNAL_SERVER_ERROR", "REQUEST_TIMEOUT", "SERVER_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT"),
            *("TRY_AGAIN", "UNAVAILABLE", "UNKNOWN", "UNKNOWN_ERROR"),
        )
    },
}


_FAILURE_WORDS: Final = re.compile(
    r"(?:\b|_)(?:TIMEOUT|TIMED?_?OUT|DEADLINE|INTERNAL|UNAVAILABLE|UPSTREAM|BAD_GATEWAY|SERVER_ERROR|TRY_AGAIN|RETRY"
    r"|ABORTED|CANCELL?ED)(?:\b|_)"
)
"""What services call a failure after the request was taken, in the middle of names that are not listed."""


def meaning_of(reason: str) -> Meaning | None:
    """Look up a reason, ignoring case and what joins its words, and whether it ends in "error".

    >>> meaning_of("invalid-api-key").message
    'the API key is not valid'
    >>> meaning_of("CloneTimeoutException").message
    'the service reports an internal error or a timeout'
    """
    name = "_".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", reason[:_LONGEST_REASON])).upper()
    listed = REASONS.get(name) or REASONS.get(re.sub(r"_(ERROR|EXCEPTION)$", "", name))
    return listed or (REASONS["INTERNAL"] if _FAILURE_WORDS.search(name) else None)


PHRASES: Final[tuple[tuple[str, Meaning], ...]] = (
    (
        "invalid file ext",
        Meaning(
            AudioRefused,
            "the service did not accept the recording's URL as an mp3, m4a or wav file",
            "its path must end in .mp3, .m4a or .wav, and it must be accessible without a login",
        ),
    ),
    *(
        (
            phrase,
            Meaning(
                AudioRefused,
                "the service could not download the recording",
                "its URL must be accessible from the service's network: check firewalls and rules for IP addresses",
            ),
        )
        for phrase in ("download audio", "audio download", "failed to download")
    ),
    ("voice id not exist", CODES[2054]),
    ("voice not exist", CODES[2054]),
    ("voice does not exist", CODES[2054]),
    ("voice duration too short", CODES[2037]),
    ("voice duration too long", CODES[2037]),
    ("insufficient balance", CODES[1008]),
    ("invalid api key", CODES[2049]),
    *(
        (
            phrase,
            Meaning(
                AudioRefused,
                "the service cannot read the recording",
                "check that it plays, and fix it",
            ),
        )
        for phrase in (
            "audio file",
            "audio decode",
            "decode audio",
            "invalid audio",
            "unsupported audio",
            "read audio",
            "invalid sample",
        )
    ),
)
"""Phrases in lower case, the most specific first. They explain a refusal, and never decide the outcome."""

Outcome = Literal["limit", "refused", "unknown"]
"""How a call ended whose request was sent and whose answer has no result."""

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
"""HTTP statuses that settle a call. Others settle nothing: finished work may end in a 408, 409, 425, 499 or 5xx."""


def outcome_of(meaning: Meaning) -> Outcome:
    """Return how a call ended whose answer has a code or reason of this meaning."""
    if issubclass(meaning.error, OutcomeUnknown):
        return "unknown"
    return "limit" if meaning.error is RateLimited else "refused"


LIMIT_CODES: Final = frozenset(code for code, meaning in CODES.items() if outcome_of(meaning) == "limit")
"""1002, 1039, 1041 and 2045, by MiniMax's list of codes."""


def is_doubtful(mention: int | str) -> bool:
    """Whether a number or a word that an answer mentions means a failure after the request was taken."""
    if isinstance(mention, str):
        meaning = meaning_of(mention)
        return meaning is not None and outcome_of(meaning) == "unknown"
    if mention in CODES:
        return outcome_of(CODES[mention]) == "unknown"
    return 300 <= mention < 600 and mention not in STATUSES


def settle(
    status: int, codes: Iterable[int], reasons: Iterable[str], mentions: Iterable[int | str] = (), *, complete: bool
) -> Outcome:
    """Return how a call ended whose answer has no result.

    Args:
        status: HTTP status.
        codes: The numbers in the answer's fields for codes, without those that mean success.
        reasons: The gateway's reasons, and codes that are words.
        mentions: Numbers and words elsewhere in the answer, which can make its outcome doubtful, and nothing else.
        complete: Whether the whole answer arrived.

    >>> settle(200, [2037], [], complete=True), settle(504, [2037], [], complete=True)
    ('refused', 'unknown')
    """
    repeated = {code for code in codes if 100 <= code < 600}  # HTTP statuses, as gateways repeat them in the body
    own = set(codes) - repeated  # the service's own codes
    by_code = {outcome_of(CODES[code]) if code in CODES else None for code in own}
    by_reason = {outcome_of(meaning) for reason in reasons if (meaning := meaning_of(reason))}
    # 3xx was not followed. 5xx (RFC 9110, 15.6) says that the server failed, not that it did nothing.
    if not (status == 200 or 400 <= status < 500):
        return "unknown"
    # One doubtful code is enough: gateways wrap the upstream's timeout into a 400 of their own.
    is_doubted = "unknown" in by_code | by_reason or any(code not in STATUSES for code in repeated)
    if is_doubted or any(map(is_doubtful, mentions)) or (not complete and status == 200):
        return "unknown"
    if status == 429 or "limit" in by_code:
        return "limit"
    if status in STATUSES:
        return "refused"
    # HTTP 200, or a 4xx that settles nothing by itself.
    is_listed = None not in by_code and (by_code or by_reason)
    return "refused" if status == 200 and is_listed else "unknown"
