"""The exceptions of `preflight`.

    PreflightError
    ├── CannotOpen         the path is not a readable regular file, or a stream cannot be read
    ├── NotARecording      the content is not audio that a decoder supports
    │   └── DecoderFailed  the content makes a decoder crash, hang or use too much memory
    ├── NotExamined        a bug in onetake stopped the analysis
    ├── CannotFix          the recording cannot be fixed; the message says why
    ├── BadOutput          the output name is not allowed
    ├── InvalidFixOptions  the options of `fix` are unknown, out of range or contradictory
    ├── BadProfile         a profile names an unknown rule, severity or threshold
    ├── OutputExists       the output file exists already
    ├── CannotWrite        the output could not be written (disk full, no permission, …)
    ├── EngineMissing      the engine of an extra is not installed
    ├── BadSpeechModel     a folder does not contain a usable speech model
    └── BadSpeakerModel    a file is not a usable speaker model

`check` reports problems of recordings as findings. `fix` raises `CannotFix`, `BadOutput`, `InvalidFixOptions`,
`OutputExists` and `CannotWrite`. Only models that the caller named raise the last three. An argument that cannot be a
recording, such as a number or samples without a sample rate, raises `TypeError` or `ValueError`.
"""

from __future__ import annotations

from typing import ClassVar, Self


class PreflightError(Exception):
    """Base class of all exceptions of `preflight`.

    Attributes:
        message: What is wrong, in one line, without the file name.
        hint: What to do next; empty if there is nothing to do.
    """

    kind: ClassVar[str] = "preflight-error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class CannotOpen(PreflightError):
    """The path is not a readable regular file, or a stream cannot be read or stored."""

    kind = "cannot-open"


class NotARecording(PreflightError):
    """The content is not audio that a decoder supports."""

    kind = "not-a-recording"


class WrongHeader(NotARecording):
    """The header declares another format than that of the audio."""

    kind = "wrong-header"


class DecoderFailed(NotARecording):
    """The content makes a decoder crash, hang or use too much memory.

    Attributes:
        retry_with_fresh_worker: Whether the worker process had decoded other recordings before, one of which may have
            corrupted it: a new worker may succeed.
    """

    kind = "decoder-failed"

    def __init__(self, message: str, hint: str = "", *, retry_with_fresh_worker: bool = False) -> None:
        super().__init__(message, hint)
        self.retry_with_fresh_worker = retry_with_fresh_worker


class NotExamined(PreflightError):
    """A bug in onetake stopped the analysis of the recording."""

    kind = "not-examined"

    @classmethod
    def because(cls, bug: str) -> Self:
        """Return the error for an unexpected exception; `bug` describes it without values, which may be secret."""
        return cls(f"this is a bug in onetake ({bug})", "please report it")


class CannotFix(PreflightError):
    """The recording cannot be fixed; a new recording is needed."""

    kind = "cannot-fix"


class BadOutput(PreflightError):
    """The output name is not allowed; nothing was written."""

    kind = "bad-output"


class InvalidFixOptions(PreflightError):
    """The options of `fix` are unknown, out of range or contradictory."""

    kind = "bad-wish"  # part of the JSON output: renaming it would break programs that read it


class BadProfile(PreflightError):
    """A profile names an unknown rule, severity or threshold."""

    kind = "bad-profile"


class OutputExists(PreflightError):
    """The output file exists already; nothing was written."""

    kind = "output-exists"


class CannotWrite(PreflightError):
    """The output could not be written; there is no partial file."""

    kind = "cannot-write"


class EngineMissing(PreflightError):
    """The engine of an extra, which runs a model, is not installed."""

    kind = "engine-missing"


class BadSpeechModel(PreflightError):
    """The folder does not contain a speech model that the engine can use."""

    kind = "bad-speech-model"


class BadSpeakerModel(PreflightError):
    """The file is not a speaker model that onnxruntime can use with speech at 16 kHz."""

    kind = "bad-speaker-model"
