"""The speech model that the settings name: a folder, or a language whose model is fetched from the engine's hub."""

from __future__ import annotations

import contextlib
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onetake.config.settings import load
from onetake.errors import SettingError
from preflight.input.source import display_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onetake.clones.request import Order
    from onetake.config.settings import Settings
    from preflight import SpeechModel

_INSTEAD: Final = "check the connection, or name a local folder: --speech-model FOLDER"
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")


def chosen_model(settings: Settings) -> SpeechModel | None:
    """The model that hears prompt clips; None where the settings name none.

    Raises:
        preflight.EngineMissing: One is named, but the extra `transcribe` is not installed.
        preflight.BadSpeechModel: The folder holds none.
        SettingError: It cannot be fetched.
    """
    named = settings.text("speech_model")
    if named is None:
        return None
    from preflight import SpeechModel
    from preflight.prompt.transcribe import model_named, require_engine

    require_engine()
    if Path(named).is_dir():
        return SpeechModel(named)
    if _LANGUAGE.fullmatch(named):
        return SpeechModel(_fetched(named, None))
    if found := model_named(named):
        size, language = found
        return SpeechModel(_fetched(language, size))
    return SpeechModel(named)  # which says what it expects


def with_chosen_model(orders: list[Order], flags: Mapping[str, Any]) -> list[Order]:
    """`orders` with the model, where one of them has a prompt clip to be heard.

    Args:
        orders: What is to be cloned.
        flags: Settings that go before the environment's.

    Raises:
        preflight.PreflightError, SettingError: As `chosen_model` does.
    """
    if not any(order.has_prompt for order in orders):
        return orders
    model = chosen_model(load(flags))
    return [replace(order, speech_model=model) for order in orders] if model else orders


def _fetched(language: str, size: str | None) -> str:
    """The folder in the engine's cache that holds a model, which is fetched when it is not there yet."""
    with contextlib.redirect_stdout(sys.stderr):  # standard output is for results
        # not its get_model_for_language, which asks the hub for a spelling model each time, even for what is cached
        from moonshine_voice import ModelArch
        from moonshine_voice.download import download_model_from_info, find_model_info, supported_languages

        architecture = ModelArch[size.replace("-", "_").upper()] if size else None
        try:
            model = find_model_info(language, architecture)
        except ValueError:
            known = ", ".join(supported_languages())
            what = f"of size {size} for {language!r}" if size else f"for {language!r}"
            raise SettingError(f"there is no speech model {what}", f"there are models for {known}") from None
        try:
            folder, _ = download_model_from_info(model)
        except Exception as error:  # the hub, the disk and the engine each fail in ways of their own
            reason = _reason(error)
            raise SettingError(f"the speech model for {language!r} cannot be fetched: {reason}", _INSTEAD) from error
    return str(folder)


def _reason(error: Exception) -> str:
    """In few words: what requests says of a connection fills three lines."""
    import requests

    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return "its hub cannot be reached"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"its hub answers {error.response.status_code}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror.lower()}: {display_name(str(error.filename or 'the cache'))}"
    return type(error).__name__
