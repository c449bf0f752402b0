"""The ledger: paid calls and their outcomes, voices and when they expire, and uploads that must still be deleted."""

from __future__ import annotations

from onetake.ledger.ledger import FILE_NAME, Ledger, is_ledger_expected, is_url
from onetake.ledger.records import (
    AbandonedUpload,
    Attempt,
    Claimed,
    CloneKey,
    InProgress,
    Known,
    ServiceAnswer,
    SpeechRecord,
    Unsettled,
    VoiceRecord,
)

__all__ = [
    "FILE_NAME",
    "AbandonedUpload",
    "Attempt",
    "Claimed",
    "CloneKey",
    "InProgress",
    "Known",
    "Ledger",
    "ServiceAnswer",
    "SpeechRecord",
    "Unsettled",
    "VoiceRecord",
    "is_ledger_expected",
    "is_url",
]
