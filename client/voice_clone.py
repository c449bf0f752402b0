"""The clone of a voice: the options of the request, its result, the models, and when a voice expires."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from client.arguments import check_choice, check_flag, check_number, check_prompt_text, check_text
from client.errors import InvalidArgument
from client.redaction import redact
from client.speech import SPEECH_MODELS

CLONE_MODELS: Final = SPEECH_MODELS
"""Models for the preview: each is on some version of the clone endpoint's page (2.6 on one of them only)."""

DEFAULT_CLONE_MODEL: Final = "speech-2.8-hd"
"""The latest model of the higher quality: users judge the voice by its preview, which is one sentence."""

VOICE_LIFETIME: Final = timedelta(hours=168)
"""A voice that no T2A call uses within this time is deleted (clone endpoint's contract)."""

LONGEST_PREVIEW_TEXT: Final = 2000
"""The most characters of the preview's text (clone endpoint's contract)."""


class CloneOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a clone request, validated when the object is created.

    Attributes:
        text: Text of a preview with the new voice, 1 to 2000 characters, charged per character.
        model: The model that reads ``text``, `DEFAULT_CLONE_MODEL` if omitted; not allowed without it.
        accuracy: Threshold of the text verification, 0 to 1; the service uses 0.7 if it is None.
        need_noise_reduction: Let the service reduce noise before it clones.
        need_volume_normalization: Let the service normalize loudness before it clones.
        prompt_text: The exact words of the prompt clip, ending with punctuation.
        allow_unknown_model: Accept a ``model`` that is not in `CLONE_MODELS`.

    Raises:
        InvalidArgument: An option breaks the contract.

    >>> CloneOptions(text="It rained all night.", model="speech-2.8-hd").accuracy is None
    True
    >>> CloneOptions(accuracy=2)
    Traceback (most recent call last):
    client.errors.InvalidArgument: accuracy is 2, but must be between 0 and 1
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
            check_text("text", self.text, LONGEST_PREVIEW_TEXT, allowed_controls="\n\r\t")
        self._check_model()
        if self.accuracy is not None:
            check_number("accuracy", self.accuracy, least=0, most=1)
        check_flag("need_noise_reduction", self.need_noise_reduction)
        check_flag("need_volume_normalization", self.need_volume_normalization)
        check_flag("allow_unknown_model", self.allow_unknown_model)
        if self.prompt_text is not None:
            check_prompt_text(self.prompt_text)

    def _check_model(self) -> None:
        if self.model is None and self.text is None:
            return
        if self.model is None:
            msgspec.structs.force_setattr(self, "model", DEFAULT_CLONE_MODEL)
        if self.text is None:
            raise InvalidArgument("is used only with text", argument="model", hint="give a text, or omit the model")
        if self.allow_unknown_model:
            check_text("model", self.model, 100)
        else:
            check_choice("model", self.model, CLONE_MODELS)


class ClonedVoice(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a clone request.

    Attributes:
        voice_id: The voice's name for T2A calls, 1 to 256 printable characters.
        demo_audio_url: Link to the preview, if one was requested and made; download it at once.
        demo_audio: The preview itself, if the answer contains it.
        answered_at: When the answer arrived, UTC.
        raw: The answer's JSON object; values that JSON or Unicode cannot express (NaN, lone surrogates) are replaced.
        warnings: What contradicts the result, such as an error code beside the voice, one sentence each.
        trace_id: The identifier that the service's support asks for, if the answer has one.
    """

    voice_id: str
    demo_audio_url: str | None
    answered_at: datetime
    raw: dict[str, Any]
    warnings: tuple[str, ...] = ()
    trace_id: str | None = None
    demo_audio: bytes | None = None

    @property
    def expires_at(self) -> datetime:
        """When the voice is deleted unless a T2A call uses it: 168 hours after the answer, UTC."""
        return self.answered_at + VOICE_LIFETIME

    def __repr__(self) -> str:
        demo = redact(self.demo_audio_url) if self.demo_audio_url else None
        when = self.answered_at.isoformat()
        return f"ClonedVoice(voice_id={self.voice_id!r}, demo_audio_url={demo!r}, answered_at={when})"
