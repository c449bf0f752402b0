"""The speech model of the settings: a local folder, or a language whose model is downloaded from the engine's hub."""

from __future__ import annotations

import contextlib
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from onetake.errors import SettingError
from onetake.io.paths import is_folder
from preflight.input.source import display_name

if TYPE_CHECKING:
    from onetake.clones.request import CloneRequest
    from onetake.config.settings import Settings
    from preflight import SpeechModel

_HINT: Final = "check the connection, or name a local folder: --speech-model FOLDER"
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")


def chosen_model(settings: Settings) -> SpeechModel | None:
    """Return the model that transcribes prompt clips, or None if the settings name none.

    Raises:
        preflight.EngineMissing: The extra `transcribe` is not installed.
        preflight.BadSpeechModel: The folder does not contain a model.
        SettingError: The model cannot be downloaded.
    """
    named = settings.text("speech_model")
    if named is None:
        return None
    from preflight import SpeechModel
    from preflight.prompt.transcribe import model_named, require_engine

    require_engine()
    if is_folder(named):
        return SpeechModel(named)
    if _LANGUAGE.fullmatch(named):
        return SpeechModel(_downloaded(named, None))
    if found := model_named(named):
        size, language = found
        return SpeechModel(_downloaded(language, size))
    return SpeechModel(named)  # raises an error that says what is expected


def with_chosen_model(requests: list[CloneRequest], settings: Settings) -> list[CloneRequest]:
    """Return the requests with the model of the settings; it is loaded only if one of them has a prompt clip.

    Args:
        requests: The requests.
        settings: Name the model.

    Raises:
        preflight.PreflightError, SettingError: As `chosen_model` does.
    """
    if not any(request.has_prompt for request in requests):
        return requests
    model = chosen_model(settings)
    return [replace(request, speech_model=model) for request in requests] if model else requests


def _downloaded(language: str, size: str | None) -> str:
    """Return the folder of a model in the engine's cache; it is downloaded if it is not there."""
    with contextlib.redirect_stdout(sys.stderr):  # standard output is for results
        # not get_model_for_language: it requests a spelling model from the hub each time, even if everything is cached
        from moonshine_voice import ModelArch
        from moonshine_voice.download import download_model_from_info, find_model_info, supported_languages

        architecture = ModelArch[size.replace("-", "_").upper()] if size else None
        try:
            model = find_model_info(language, architecture)  # pyright: ignore[reportArgumentType] - it takes None
        except ValueError:
            known = ", ".join(supported_languages())
            what = f"of size {size} for {language!r}" if size else f"for {language!r}"
            raise SettingError(f"there is no speech model {what}", f"there are models for {known}") from None
        try:
            folder, _ = download_model_from_info(model)
        except Exception as error:  # the hub, the disk and the engine raise different errors
            reason = _reason(error)
            raise SettingError(f"the speech model for {language!r} cannot be downloaded: {reason}", _HINT) from error
    return str(folder)


def _reason(error: Exception) -> str:
    """Return a short reason: the messages of requests for connection errors are three lines long."""
    import requests

    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return "its hub cannot be reached"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"its hub answers {error.response.status_code}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror.lower()}: {display_name(str(error.filename or 'the cache'))}"
    return type(error).__name__
