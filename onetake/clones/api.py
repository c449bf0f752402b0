"""`onetake.clone`: clone a voice from Python, with the settings and the ledger of the command."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from onetake.clones.dedupe import default_name
from onetake.clones.observer import WarningCollector
from onetake.clones.request import Cloned, CloneRequest, validate_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from client import CloneOptions
    from onetake.clones.observer import Observer
    from preflight import Recording


def clone(  # noqa: PLR0913 - one parameter for each flag of the command
    take: Recording,
    *,
    consent: str | None,
    options: CloneOptions | None = None,
    prompt: Recording | None = None,
    auto_prompt: int | None = None,
    demo: Path | str | None = None,
    replace_demo: bool = False,
    name: str | None = None,
    again: bool = False,
    accept_poor: bool = False,
    settings: Mapping[str, str | int] | None = None,
    observer: Observer | None = None,
) -> Cloned:
    """Clone the voice of a recording, or return the voice of an earlier clone of it.

    The recording is checked and fixed as by `onetake clone`; nothing is printed. For a folder of recordings the
    command is faster, because it works on several at a time.

    Args:
        take: The recording: a path, `bytes`, a binary file object, ``(samples, sample_rate_hz)`` or a
            `pydub.AudioSegment`; see `preflight.Recording`. A recording is recognized in any of these forms if they
            result in the same file.
        consent: Who agreed to the clone, and when; None only for a service on this machine.
        options: Options for the endpoint.
        prompt: The prompt clip, in any of the forms of `take`; its text is in `options`.
        auto_prompt: Instead of `prompt`: rank of the clip of the recording itself, 1 for the best.
        demo: Path of the preview file.
        replace_demo: Overwrite an existing preview file.
        name: Name of the voice; by default the stem of the file, or for audio from memory its kind, such as
            ``samples``.
        again: Pay for another voice although there is one, or an earlier call may have been charged.
        accept_poor: Pay for the clone of a recording of poor quality; otherwise it is refused, as `onetake clone` does
            where it cannot ask. Poor quality never stops a rehearsal with a service on this machine.
        settings: Settings by name; they precede environment and settings file.
        observer: Receives steps, warnings and progress.

    Returns:
        The voice. Its `warnings` are problems that did not lose it. If its `name` is None, the ledger could not store
        it: store the `voice_id` yourself.

    Raises:
        TypeError, ValueError: `take` or `prompt` is not a recording; see `preflight.Recording`.
        onetake.errors.TakePoor: The quality of the recording is poor, and `accept_poor` is False; nothing was sent.
        onetake.errors.OnetakeError: Invalid arguments, settings or recording, missing consent, or the ledger failed.
        uploader.StorageError: The storage failed; nothing was paid.
        client.OutcomeUnknown: It may have been paid for: the ledger lists the attempt.
        client.ServiceError: The service refused or failed.
    """
    from client import CloneOptions
    from onetake.clones.cloner import make_cloner
    from onetake.config.ledger_location import ledger_location
    from onetake.config.settings import load
    from onetake.ledger import Ledger
    from onetake.speech_model import with_chosen_model
    from preflight.input.spool import as_path

    loaded = load(settings or {})
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(as_path(take))
        request = CloneRequest(
            take=path,
            options=options or CloneOptions(),
            prompt=None if prompt is None else stack.enter_context(as_path(prompt)),
            demo=Path(demo) if demo is not None else None,
            replace_demo=replace_demo,
            auto_prompt=auto_prompt,
            consent=consent,
            name=name or default_name(path),
            again=again,
            accept_poor=accept_poor or loaded.is_local,
        )
        validate_request(request)
        (request,) = with_chosen_model([request], loaded)
        observer = observer or WarningCollector()
        ledger = stack.enter_context(Ledger(ledger_location(loaded), warn=observer.warn))
        return make_cloner(loaded, ledger, observer).clone(request, observer)
