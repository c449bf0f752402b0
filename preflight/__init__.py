"""preflight: is this recording fit to be cloned, and can it be made fit?

    from preflight import check, fix, plan

    report = check("fixtures/voice-message.ogg")
    print(report.verdict, [finding.message for finding in report.errors])
    if report.verdict == "fixable":
        print([edit.what for edit in plan("fixtures/voice-message.ogg").edits])
        fix("fixtures/voice-message.ogg", "take.wav")

A recording may be a path, `bytes`, a binary file object, ``(samples, sample_rate_hz)`` or a `pydub.AudioSegment`; see
`Recording`. Times are in seconds, levels in dB with their reference in the name. What is wrong with a recording is a
finding of its report; what cannot be done raises a `PreflightError`, and a mistake of the program `TypeError` or
`ValueError`. It opens no socket, prints nothing and never exits.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preflight.agreement import Comparison
    from preflight.batch import check_many
    from preflight.checking import check
    from preflight.errors import (
        BadOutput,
        BadProfile,
        BadSpeechModel,
        BadWish,
        CannotFix,
        CannotOpen,
        CannotWrite,
        EngineMissing,
        NotARecording,
        NotExamined,
        OutputExists,
        PreflightError,
    )
    from preflight.profile import PROFILES, Profile, load_profile
    from preflight.prompt import PromptClip, cut_prompt, prompt_clips
    from preflight.recording import Recording
    from preflight.repair.edits import Edit
    from preflight.repair.fixing import Fixed, fix, plan
    from preflight.repair.joining import Joined, join
    from preflight.repair.wishes import Wishes
    from preflight.report import FileFacts, Finding, Report
    from preflight.rules import RULES, Rule
    from preflight.source import display_name
    from preflight.transcribing import SpeechModel, compare_text, hear, text_findings
    from preflight.walking import recordings_in

__all__ = [
    "PROFILES",
    "RULES",
    "BadOutput",
    "BadProfile",
    "BadSpeechModel",
    "BadWish",
    "CannotFix",
    "CannotOpen",
    "CannotWrite",
    "Comparison",
    "Edit",
    "EngineMissing",
    "FileFacts",
    "Finding",
    "Fixed",
    "Joined",
    "NotARecording",
    "NotExamined",
    "OutputExists",
    "PreflightError",
    "Profile",
    "PromptClip",
    "Recording",
    "Report",
    "Rule",
    "SpeechModel",
    "Wishes",
    "check",
    "check_many",
    "compare_text",
    "cut_prompt",
    "display_name",
    "fix",
    "hear",
    "join",
    "load_profile",
    "plan",
    "prompt_clips",
    "recordings_in",
    "text_findings",
]

_ROOMS = {
    "check_many": "batch",
    "recordings_in": "walking",
    "check": "checking",
    "fix": "repair.fixing",
    "plan": "repair.fixing",
    "join": "repair.joining",
    "Joined": "repair.joining",
    "PromptClip": "prompt",
    "prompt_clips": "prompt",
    "cut_prompt": "prompt",
    "Wishes": "repair.wishes",
    "Edit": "repair.edits",
    "Fixed": "repair.fixing",
    "Recording": "recording",
    "Report": "report",
    "Finding": "report",
    "FileFacts": "report",
    "PROFILES": "profile",
    "Profile": "profile",
    "load_profile": "profile",
    "RULES": "rules",
    "Rule": "rules",
    "display_name": "source",
    "Comparison": "agreement",
    "SpeechModel": "transcribing",
    "compare_text": "transcribing",
    "hear": "transcribing",
    "text_findings": "transcribing",
}


def __getattr__(name: str) -> object:
    # imported on first use: numpy and the decoders cost start-up time that not every command needs
    if name not in __all__:
        raise AttributeError(f"module 'preflight' has no attribute {name!r}")
    return getattr(import_module(f"preflight.{_ROOMS.get(name, 'errors')}"), name)
