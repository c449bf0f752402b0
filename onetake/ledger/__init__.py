"""The ledger: what was paid for, which voices live until when, and which uploads are still to be deleted."""

from __future__ import annotations

from onetake.ledger.ledger import FILE_NAME, Ledger, is_ledger_expected
from onetake.ledger.records import (
    Attempt,
    Claimed,
    Known,
    LeftUpload,
    ServiceAnswer,
    SpeechRecord,
    UnderWay,
    Unsettled,
    VoiceRecord,
)

__all__ = [
    "FILE_NAME",
    "Attempt",
    "Claimed",
    "Known",
    "Ledger",
    "LeftUpload",
    "ServiceAnswer",
    "SpeechRecord",
    "UnderWay",
    "Unsettled",
    "VoiceRecord",
    "is_ledger_expected",
]
