"""The speaker model of the settings: an ONNX file, and the limit that belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onetake.errors import SettingError

if TYPE_CHECKING:
    from onetake.config.settings import Settings
    from preflight import Profile

_LIMIT_HINT = "add --speaker-limit COSINE, from the model's evaluation or measured with your takes (docs/validate.md)"


def with_chosen_speaker_model(profile: Profile, settings: Settings) -> Profile:
    """Return the profile with the model of the settings, which compares voices in place of the shipped one.

    Raises:
        preflight.EngineMissing: The extra `onnx` is not installed.
        preflight.BadSpeakerModel: The file cannot be read, or the limit is not a cosine.
        SettingError: Only one of the model and its limit is set, or the limit is not a number.
    """
    path, text = settings.text("speaker_model"), settings.text("speaker_limit")
    if path is None:
        if text is not None:
            hint = "add --speaker-model PATH.onnx; profiles set the limit of the shipped model (several-speakers)"
            raise SettingError(f"speaker_limit from {settings['speaker_limit'].origin} has no speaker_model", hint)
        return profile
    if text is None:
        raise SettingError("the speaker model has no limit: that of the shipped model does not fit others", _LIMIT_HINT)
    try:
        limit = float(text)
    except ValueError:
        origin = settings["speaker_limit"].origin
        raise SettingError(f"speaker_limit from {origin} is not a number", "write it like 0.5") from None
    from preflight import SpeakerModel

    return profile.with_speaker_model(SpeakerModel(path, limit))
