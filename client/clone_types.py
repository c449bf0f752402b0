"""The clone request's options and its answer, as types."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from client.arguments import check_choice, check_flag, check_number, check_prompt_text, check_text
from client.errors import InvalidArgument
from client.models import CLONE_MODELS
from client.redaction import redact

LONGEST_TRIAL_TEXT: Final = 2000
"""Characters of the trial listening's text (the clone endpoint's contract)."""

VOICE_LIFETIME: Final = timedelta(hours=168)
"""A voice that no T2A call has used for this long is deleted (the clone endpoint's contract)."""


class CloneOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What can be asked of a clone besides the recording; checked when it is made.

    Attributes:
        text: Trial listening: read with the new voice, 1 to 2000 characters, charged per character.
        model: The model that reads ``text``; needed with it, and only with it.
        accuracy: Threshold of the text verification, 0 to 1; the service takes 0.7 when it is None.
        need_noise_reduction: Have the service reduce noise before it clones.
        need_volume_normalization: Have the service normalise loudness before it clones.
        prompt_text: What is said in the prompt clip, word for word, ending with punctuation.
        allow_unknown_model: Accept a ``model`` that no list names.

    Raises:
        InvalidArgument: An option breaks the contract.
    """

    text: str | None = None
    model: str | None = None
    accuracy: float | None = None
    need_noise_reduction: bool = False
    need_volume_normalization: bool = False
    prompt_text: str | None = None
    allow_unknown_model: bool = False

    def __post_init__(self) -> None:
        if self.text is not None:
            check_text("text", self.text, LONGEST_TRIAL_TEXT, allowed_controls="\n\r\t")
        self._check_model()
        if self.accuracy is not None:
            check_number("accuracy", self.accuracy, least=0, most=1)
        check_flag("need_noise_reduction", self.need_noise_reduction)
        check_flag("need_volume_normalization", self.need_volume_normalization)
        check_flag("allow_unknown_model", self.allow_unknown_model)
        if self.prompt_text is not None:
            check_prompt_text(self.prompt_text)

    def _check_model(self) -> None:
        if self.model is None:
            if self.text is not None:
                raise InvalidArgument(
                    "is required with text", argument="model", hint=f"One of {', '.join(CLONE_MODELS)}."
                )
            return
        if self.text is None:
            raise InvalidArgument("is of use only with text", argument="model", hint="Give a text, or no model.")
        if self.allow_unknown_model:
            check_text("model", self.model, 100)
        else:
            check_choice("model", self.model, CLONE_MODELS)


class ClonedVoice(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a clone request.

    Attributes:
        voice_id: The voice's name for T2A calls, 1 to 256 printable characters.
        demo_audio_url: Link to the trial listening, if one was asked for and came; download it at once.
        answered_at: When the answer came, UTC.
        raw: The answer's JSON object; what JSON or Unicode cannot express (NaN, half a surrogate pair) is replaced.
        warnings: What else the answer says, such as an error code beside the voice, one sentence each.
        trace_id: The identifier that the service's support asks for, if the answer has one.
    """

    voice_id: str
    demo_audio_url: str | None
    answered_at: datetime
    raw: dict[str, Any]
    warnings: tuple[str, ...] = ()
    trace_id: str | None = None

    @property
    def expires_at(self) -> datetime:
        """When the voice is deleted unless a T2A call uses it: 168 hours after the answer, UTC."""
        return self.answered_at + VOICE_LIFETIME

    def __repr__(self) -> str:
        demo = redact(self.demo_audio_url) if self.demo_audio_url else None
        when = self.answered_at.isoformat()
        return f"ClonedVoice(voice_id={self.voice_id!r}, demo_audio_url={demo!r}, answered_at={when})"
