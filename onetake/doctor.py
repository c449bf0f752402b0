"""Try each part that a clone needs, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from onetake.errors import Status, failure_of

if TYPE_CHECKING:
    from onetake.config.settings import Settings

_SKEW_LIMIT_S = 60.0
"""Signatures break at 15 minutes; from a minute on, short-lived URLs may already be dead on arrival."""


class Part(msgspec.Struct, frozen=True):
    """What came of one trial.

    Attributes:
        name: Of the part.
        status: What a command would exit with because of it.
        message: What was found.
        hint: What to do; empty when it works.
        warnings: What works, but should be changed or was repaired.
    """

    name: str
    status: Status
    message: str
    hint: str = ""
    warnings: tuple[str, ...] = ()


def examine_parts(settings: Settings, home: Path) -> Iterator[Part]:
    """Try decoders, settings file, ledger, key and storage; nothing is sent to the clone service.

    Args:
        settings: What to try.
        home: Where the ledger is kept.
    """
    warnings: list[str] = []
    trials: tuple[tuple[str, Callable[[], str]], ...] = (
        ("decoders", _try_decoders),
        ("settings", lambda: _try_settings(settings, warnings.append)),
        ("ledger", lambda: _try_ledger(home, warnings.append)),
        ("key", lambda: _try_key(settings)),
        ("storage", lambda: _try_storage(settings)),
    )
    for name, trial in trials:
        warnings.clear()
        try:
            message, status, hint = trial(), Status.DONE, ""
        except Exception as error:  # noqa: BLE001 - a failing part is the answer, not a failure
            failure = failure_of(error)
            message, status, hint = failure.message, failure.status, failure.hint
        yield Part(name, status, message, hint, tuple(warnings))


def _try_decoders() -> str:
    """Write a second of tone in each format, and read it back."""
    import numpy as np

    from onetake.io.scratch import scratch_folder
    from preflight import check
    from preflight.fixes.codec_targets import Target
    from preflight.fixes.encode import encode
    from preflight.fixes.options import Container

    rate = 16_000
    tone = (0.1 * np.sin(np.arange(rate) * 0.1)).astype(np.float32)[:, np.newaxis]
    containers: tuple[Container, ...] = ("wav", "m4a", "mp3")
    with scratch_folder() as folder:
        for container in containers:
            path = folder / f"tone.{container}"
            with path.open("w+b") as file:
                encode(iter([tone]), rate, file, container, Target(rate, 1, bit_rate_bps=64_000))
            report = check(path)
            if report.file.container != container or not 0.9 < (report.file.duration_s or 0) < 1.2:
                raise ValueError(f"{container} is not read back as it was written")
    return "wav, m4a and mp3 are written and read back"


def _try_settings(settings: Settings, warn: Callable[[str], None]) -> str:
    from onetake.config.config_view import exposures_of
    from onetake.config.settings import config_path

    for message, hint in exposures_of(settings):
        warn(f"{message}: {hint}")
    path = config_path()
    return f"read from {path}" if path.exists() else f"there is no settings file (it would be {path})"


def _try_ledger(home: Path, warn: Callable[[str], None]) -> str:
    from onetake.ledger import Ledger

    with Ledger(home, warn=warn) as ledger:  # which reads all of it
        ledger.require_writable()
        return f"{ledger.path} is whole and can be written"


def _try_key(settings: Settings) -> str:
    settings.client()
    return f"an API key is set (from {settings['api_key'].origin}); whether it is right shows with the first clone"


def _try_storage(settings: Settings) -> str:
    from uploader import ClockSkewed

    storage = settings.storage()
    storage.require_public()
    trip = storage.round_trip()
    if trip.clock_skew_s is not None and abs(trip.clock_skew_s) > _SKEW_LIMIT_S:
        raise ClockSkewed(f"this computer's clock is {abs(trip.clock_skew_s):.0f} s off")
    where = storage.describe()
    done = f"stored, fetched by its link and deleted in {trip.seconds:.1f} s ({where['provider']}, {where['bucket']})"
    return "; ".join((done, *trip.warnings))
