"""What the service's codes, reasons and phrases mean and what to do about them, as data.

Sources: MiniMax's platform documentation (codes), the gateways' error pages and gRPC's canonical status names, which
gateways written in Go pass on (reasons), users' reports (phrases). How a call with one of them ended, and whether it is
repeated, follows from its class in `client.settlement`.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from client.errors import (
    AudioRefused,
    BalanceTooLow,
    KeyRefused,
    NotPermitted,
    RateLimited,
    RequestRefused,
    ServerFailed,
    ServiceError,
    TextRefused,
    VoiceNotFound,
)


class Meaning(Struct, frozen=True):
    """What one code or reason means.

    Attributes:
        error: The class that is raised for it. It also decides the outcome: see `client.settlement`.
        says: What happened, as a clause; empty when the class says it all.
        hint: What to do next; empty for the class's usual hint.
    """

    error: type[ServiceError]
    says: str = ""
    hint: str = ""


_TRY_LATER: Final = "Try again later; look at the account's bill first if the call is one that is charged."

CODES: Final[dict[int, Meaning]] = {
    1000: Meaning(ServerFailed, "unknown error", _TRY_LATER),
    1001: Meaning(ServerFailed, "the service timed out", _TRY_LATER),
    1002: Meaning(RateLimited, "too many calls"),
    1004: Meaning(KeyRefused, "the API key is not accepted"),
    1008: Meaning(BalanceTooLow, "the balance is too low"),
    1024: Meaning(ServerFailed, "internal error", _TRY_LATER),
    1026: Meaning(TextRefused, "the service flagged the text as sensitive content"),
    1027: Meaning(TextRefused, "the service flagged the spoken result as sensitive content"),
    1033: Meaning(ServerFailed, "internal error in a service behind it", _TRY_LATER),
    1039: Meaning(RateLimited, "too many characters a minute"),
    1041: Meaning(RateLimited, "too many calls at once"),
    1042: Meaning(
        TextRefused,
        "the text has too many invisible or illegal characters",
        "Remove control characters, invisible characters and stray symbols.",
    ),
    1043: Meaning(
        AudioRefused,
        "the recording and the text verified against it do not match",
        "Use a recording in which every word is clear, or lower `accuracy`.",
    ),
    1044: Meaning(
        AudioRefused,
        "the prompt clip and the prompt text do not match",
        "Write exactly what is said in the prompt clip, or leave the prompt out.",
    ),
    2013: Meaning(RequestRefused, "bad parameters", "Check the arguments, and the form of the recording's URL."),
    20132: Meaning(
        AudioRefused,
        "the sample or the voice_id is not valid",
        "Check that the recording opens and plays, and that the voice_id is written as it came.",
    ),
    2037: Meaning(
        AudioRefused,
        "the recording is too short or too long",
        "A recording must last 10 s to 5 min; a prompt clip does best with 5 s to 7.9 s.",
    ),
    2038: Meaning(
        NotPermitted,
        "cloning is not enabled for the account",
        "Verify the account's identity with the service.",
    ),
    2039: Meaning(RequestRefused, "a voice with this voice_id exists already"),
    2042: Meaning(NotPermitted, "the account has no right to this voice_id", "Use the account that cloned the voice."),
    2045: Meaning(RateLimited, "the calls grew too fast"),
    2048: Meaning(AudioRefused, "the prompt clip is too long", "A prompt clip must last less than 8 s."),
    2049: Meaning(KeyRefused, "the API key is not valid"),
    2054: Meaning(VoiceNotFound, "the voice does not exist"),
    2056: Meaning(BalanceTooLow, "the plan is used up", "Wait for the plan's next period, or buy more."),
}

VAGUE_CODES: Final = frozenset({1000, 2013})
"""Codes that are sent for many things, so that a phrase or a reason beside them says more."""

REASONS: Final[dict[str, Meaning]] = {
    "INVALID_REQUEST_BODY": Meaning(RequestRefused, "the request's body is not valid"),
    "INVALID_AUDIO_FILE": Meaning(AudioRefused, "the audio file is not valid"),
    "ILLEGAL_PROMPT": Meaning(TextRefused, "the text is not allowed"),
    "MISSING_API_KEY": Meaning(KeyRefused, "no API key arrived"),
    "BILLING_BALANCE_NOT_ENOUGH": Meaning(BalanceTooLow, "the balance is too low"),
    "NOT_ENOUGH_BALANCE": Meaning(BalanceTooLow, "the balance is too low"),
    "FAILED_TO_AUTH": Meaning(KeyRefused, "the API key is not accepted"),
    "INVALID_API_KEY": Meaning(KeyRefused, "the API key is not valid"),
    "NEED_REAL_NAME_VERIFY": Meaning(
        NotPermitted,
        "the account's identity is not verified",
        "Verify the account's identity with the service.",
    ),
    "ACCESS_DENY": Meaning(NotPermitted, "access is denied"),
    "API_NOT_FOUND": Meaning(RequestRefused, "there is no such endpoint", "Check the base URL."),
    "MODEL_NOT_FOUND": Meaning(RequestRefused, "there is no such model", "Use another model."),
    "TASK_NOT_FOUND": Meaning(RequestRefused, "there is no such task"),
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


def meaning_of(reason: str) -> Meaning | None:
    """Look up a reason; its case, and whether its words are joined by spaces, dashes or underscores, do not matter."""
    return REASONS.get(re.sub(r"[^A-Z0-9]+", "_", reason.strip().upper()))


PHRASES: Final[tuple[tuple[str, Meaning], ...]] = (
    (
        "invalid file ext",
        Meaning(
            AudioRefused,
            "the service did not take the recording's URL for an mp3, m4a or wav file",
            "Its path must end in .mp3, .m4a or .wav, and anybody must be able to fetch it.",
        ),
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
                "Check that it opens and plays, and fix it.",
            ),
        )
        for phrase in (
            "audio file",
            "audio decode",
            "decode audio",
            "invalid audio",
            "unsupported audio",
            "download audio",
            "audio download",
            "read audio",
            "invalid sample",
        )
    ),
)
"""Phrases in lower case, the most specific ones first; they explain a refusal, and never decide the outcome."""

STATUSES: Final[dict[int, Meaning]] = {
    401: Meaning(KeyRefused),
    402: Meaning(BalanceTooLow),
    403: Meaning(NotPermitted),
    429: Meaning(RateLimited),
}
