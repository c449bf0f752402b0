"""What `preflight` raises.

    PreflightError
    ├── CannotOpen        the path does not lead to a regular file that may be read, or a stream cannot be read
    ├── NotARecording     the bytes are no audio that any decoder knows
    │   └── DecoderFailed they make a decoder crash, hang or take too much memory
    ├── NotExamined       a bug of ours came up while it was read
    ├── CannotFix         the take cannot be made ready; the message says why
    ├── BadOutput         the output cannot have this name
    ├── BadProfile        a profile names a rule, severity or threshold that does not exist
    ├── OutputExists      the output name is taken
    ├── CannotWrite       the output could not be written (disk full, no permission, …)
    ├── EngineMissing     what hears speech as text is not installed
    └── BadSpeechModel    a folder holds no speech model, or one that the engine cannot use

`check` raises none of these: it reports them as findings. `fix` raises `CannotFix`, `BadOutput`,
`OutputExists` and `CannotWrite`. Only those who have a text heard meet the last two.
What can be no recording at all, such as a number or samples without a rate, is a mistake of the program: it raises
`TypeError` or `ValueError`.
"""

from __future__ import annotations

from typing import ClassVar, Self


class PreflightError(Exception):
    """Base of everything raised here.

    Attributes:
        message: What happened, in one line, without the file's name.
        hint: What to do next.
    """

    kind: ClassVar[str] = "preflight-error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class CannotOpen(PreflightError):
    """The path does not lead to a regular file that may be read, or a stream cannot be read or stored."""

    kind = "cannot-open"


class NotARecording(PreflightError):
    """The bytes are no audio that any decoder knows."""

    kind = "not-a-recording"


class DecoderFailed(NotARecording):
    """The bytes make a decoder crash, hang or take too much memory.

    Attributes:
        retry_with_fresh_worker: The process had served other recordings before, one of which may have harmed it.
    """

    kind = "decoder-failed"

    def __init__(self, message: str, hint: str = "", *, retry_with_fresh_worker: bool = False) -> None:
        super().__init__(message, hint)
        self.retry_with_fresh_worker = retry_with_fresh_worker


class NotExamined(PreflightError):
    """A bug of ours came up while the recording was read: nothing is known of it."""

    kind = "not-examined"

    @classmethod
    def because(cls, bug: str) -> Self:
        """The error for what nobody expected, in a few words without any value: that may hold a secret."""
        return cls(f"this is a bug in onetake ({bug})", "please report it")


class CannotFix(PreflightError):
    """The take cannot be made ready without a new recording."""

    kind = "cannot-fix"


class BadOutput(PreflightError):
    """The output cannot have this name; nothing was written."""

    kind = "bad-output"


class InvalidFixOptions(PreflightError):
    """What is asked of `fix` does not exist, or cannot be."""

    kind = "bad-wish"


class BadProfile(PreflightError):
    """A profile, or what is to change it, names something that does not exist."""

    kind = "bad-profile"


class OutputExists(PreflightError):
    """The output name is taken; nothing was written."""

    kind = "output-exists"


class CannotWrite(PreflightError):
    """The output could not be written; nothing stands under its name."""

    kind = "cannot-write"


class EngineMissing(PreflightError):
    """What hears speech as text is not installed."""

    kind = "engine-missing"


class BadSpeechModel(PreflightError):
    """A folder holds no speech model, or one that the engine cannot use."""

    kind = "bad-speech-model"
