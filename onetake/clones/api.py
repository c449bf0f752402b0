"""Cloning from Python, with the settings and the ledger of the command."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from onetake.clones.dedupe import usual_name
from onetake.clones.prepare import Notes
from onetake.clones.request import Cloned, Order, check_order

if TYPE_CHECKING:
    from client import CloneOptions
    from onetake.clones.request import Observer
    from preflight import Recording


def clone(  # noqa: PLR0913 - the command has a flag for each
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
    settings: Mapping[str, str | int] | None = None,
    observer: Observer | None = None,
) -> Cloned:
    """Clone the voice of a recording, or return the voice that was cloned of it before.

    It is checked and mended as `onetake clone` does it; nothing is printed. One call at a time for a whole folder is
    slow: that is what the command is for.

    Args:
        take: The recording: a path, `bytes`, a binary file object, ``(samples, sample_rate_hz)`` or a
            `pydub.AudioSegment`; see `preflight.Recording`. The same sound is known again, in whatever form it comes,
            if it makes the same file.
        consent: Who agreed that the voice is cloned, and when; None only for a service on this machine.
        options: What is asked of the endpoint.
        prompt: The prompt clip, in any form that `take` can have; its text stands in `options`.
        auto_prompt: Instead of it: which clip of the recording itself, 1 for the best.
        demo: Where the trial recording goes.
        replace_demo: Whether it may take the place of a file that is there.
        name: What the voice is to be called; by default like the file, or like the kind of what has none, such as
            ``samples``.
        again: Pay for another voice though one is known, or may have been paid for.
        settings: By their names, before what the environment and the settings file say.
        observer: Is told each step and each warning.

    Returns:
        The voice. Its `warnings` tell what went wrong without losing it; its `name` is None where it could not be
        written down, and then it has to be noted at once.

    Raises:
        TypeError, ValueError: `take` or `prompt` can be no recording; see `preflight.Recording`.
        onetake.errors.OnetakeError: The arguments, the settings, the recording, the ledger or the consent.
        uploader.StorageError: The storage failed; nothing was paid.
        client.OutcomeUnknown: It may have been paid for: the ledger lists the attempt.
        client.ServiceError: The service refused or failed.
    """
    from client import CloneOptions
    from onetake.clones.pipeline import Pipeline
    from onetake.config.settings import home_path, load
    from onetake.ledger import Ledger
    from onetake.speech_model import with_chosen_model
    from preflight.input.as_path import as_path

    found = load(settings or {})
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(as_path(take))
        order = Order(
            take=path,
            options=options or CloneOptions(),
            prompt=None if prompt is None else stack.enter_context(as_path(prompt)),
            demo=Path(demo) if demo is not None else None,
            replace_demo=replace_demo,
            auto_prompt=auto_prompt,
            consent=consent,
            name=name or usual_name(path),
            again=again,
        )
        check_order(order)
        (order,) = with_chosen_model([order], settings or {})
        observer = observer or Notes()
        ledger = stack.enter_context(Ledger(home_path(), warn=observer.warn))
        pace = found.pace()
        client = found.client(
            on_retry=lambda wait_s, error: observer.warn(f"{error.message}; again in {wait_s:.0f} s"),
            on_limit=pace.hold_for_limit,
        )
        pipeline = Pipeline(found.storage(), client, ledger, pace, needs_consent=not found.is_local)
        return pipeline.clone(order, observer)
