"""preflight: is this recording fit to be cloned, and can it be made fit?

    from preflight import check, fix, plan

    report = check("fixtures/voice-message.ogg")
    print(report.verdict, [finding.message for finding in report.errors])
    if report.verdict == "fixable":
        print([edit.what for edit in plan("fixtures/voice-message.ogg").edits])
        fix("fixtures/voice-message.ogg", "take.wav")

A recording may be a path, `bytes`, a binary file object, ``(samples, sample_rate_hz)`` or a `pydub.AudioSegment`; see
`Recording`. Times are in seconds, levels in dB with their reference in the name. Problems of a recording are findings
in its report; operations that fail raise a `PreflightError`, and wrong arguments raise `TypeError` or `ValueError`. The
package opens no network connection, does not print, and does not exit.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preflight.analysis.analysis import Comparison
    from preflight.batch import check_many
    from preflight.checks import check
    from preflight.errors import (
        BadOutput,
        BadProfile,
        BadSpeakerModel,
        BadSpeechModel,
        CannotFix,
        CannotOpen,
        CannotWrite,
        EngineMissing,
        InvalidFixOptions,
        NotARecording,
        NotExamined,
        OutputExists,
        PreflightError,
    )
    from preflight.fixes.edit_descriptions import Edit
    from preflight.fixes.fix import Fixed, fix, plan
    from preflight.fixes.join import Joined, join
    from preflight.fixes.options import FixOptions
    from preflight.input.discovery import recordings_in
    from preflight.input.recording import Recording
    from preflight.input.source import display_name
    from preflight.profile import PROFILES, Profile, load_profile
    from preflight.prompt.clips import PromptClip, cut_prompt, prompt_clips
    from preflight.prompt.transcribe import SpeechModel, compare_text, text_findings, transcribe
    from preflight.report import FileFacts, Finding, Report
    from preflight.rules import RULES, Rule
    from preflight.speaker_model import SpeakerModel

__distribution__ = "onetake"  # see onetake/installation.py
__all__ = [
    "PROFILES",
    "RULES",
    "BadOutput",
    "BadProfile",
    "BadSpeakerModel",
    "BadSpeechModel",
    "CannotFix",
    "CannotOpen",
    "CannotWrite",
    "Comparison",
    "Edit",
    "EngineMissing",
    "FileFacts",
    "Finding",
    "FixOptions",
    "Fixed",
    "InvalidFixOptions",
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
    "SpeakerModel",
    "SpeechModel",
    "check",
    "check_many",
    "compare_text",
    "cut_prompt",
    "display_name",
    "fix",
    "join",
    "load_profile",
    "plan",
    "prompt_clips",
    "recordings_in",
    "text_findings",
    "transcribe",
]

_MODULES = {
    "check_many": "batch",
    "recordings_in": "input.discovery",
    "check": "checks",
    "fix": "fixes.fix",
    "plan": "fixes.fix",
    "join": "fixes.join",
    "Joined": "fixes.join",
    "PromptClip": "prompt.clips",
    "prompt_clips": "prompt.clips",
    "cut_prompt": "prompt.clips",
    "FixOptions": "fixes.options",
    "Edit": "fixes.edit_descriptions",
    "Fixed": "fixes.fix",
    "Recording": "input.recording",
    "Report": "report",
    "Finding": "report",
    "FileFacts": "report",
    "PROFILES": "profile",
    "Profile": "profile",
    "load_profile": "profile",
    "RULES": "rules",
    "Rule": "rules",
    "display_name": "input.source",
    "Comparison": "analysis.analysis",
    "SpeakerModel": "speaker_model",
    "SpeechModel": "prompt.transcribe",
    "compare_text": "prompt.transcribe",
    "transcribe": "prompt.transcribe",
    "text_findings": "prompt.transcribe",
}


def __getattr__(name: str) -> object:
    # lazy: numpy and the decoders cost start-up time that not every command needs
    if name not in __all__:
        raise AttributeError(f"module 'preflight' has no attribute {name!r}")
    return getattr(import_module(f"preflight.{_MODULES.get(name, 'errors')}"), name)
