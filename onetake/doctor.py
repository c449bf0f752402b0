"""Check the components that a clone needs: decoders, settings file, ledger, API key, storage and clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from onetake.errors import failure_of
from onetake.exit_status import Status
from onetake.io.paths import exists

if TYPE_CHECKING:
    from onetake.config.settings import Settings

_SKEW_LIMIT_S = 60.0
"""S3 rejects signatures from 15 minutes on (RequestTimeTooSkewed); presigned URLs lose as much of their lifetime."""


class Component(msgspec.Struct, frozen=True):
    """The result of one check.

    Attributes:
        name: The name of the component.
        status: 0 if it works, else the exit status that it causes.
        message: The result.
        hint: What to do; empty if it works.
        warnings: What should be changed, and what was repaired.
    """

    name: str
    status: Status
    message: str
    hint: str = ""
    warnings: tuple[str, ...] = ()


def check_components(settings: Settings, home: Path | str) -> Iterator[Component]:
    """Check decoders, settings file, ledger, API key and storage. Nothing is sent to the clone service.

    Args:
        settings: The settings to check.
        home: The folder or URL of the ledger.
    """
    warnings: list[str] = []
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("packages", _check_packages),
        ("decoders", _check_decoders),
        ("settings", lambda: _check_settings(settings, warnings.append)),
        ("ledger", lambda: _check_ledger(home, warnings.append)),
        ("key", lambda: _check_key(settings)),
        ("storage", lambda: _check_storage(settings)),
    )
    for name, check in checks:
        warnings.clear()
        try:
            message, status, hint = check(), Status.DONE, ""
        except Exception as error:  # noqa: BLE001 - the failure of a component is a result
            failure = failure_of(error)
            message, status, hint = failure.message, failure.status, failure.hint
        yield Component(name, status, message, hint, tuple(warnings))


def _check_packages() -> str:
    from onetake import __version__
    from onetake.errors import UsageError
    from onetake.installation import foreign_files

    if problem := foreign_files():
        message, _, hint = problem.partition(": ")
        raise UsageError(message, hint)
    return f"onetake {__version__} and its packages are installed correctly"


def _check_decoders() -> str:
    """Encode one second of a sine tone in each format, and decode it."""
    import numpy as np

    import preflight
    from onetake.io.temporary_folders import scratch_folder
    from preflight.fixes.encode import encode
    from preflight.fixes.encoding_target import Target
    from preflight.fixes.options import Container

    rate = 16_000
    tone = (0.1 * np.sin(np.arange(rate) * 0.1)).astype(np.float32)[:, np.newaxis]
    containers: tuple[Container, ...] = ("wav", "m4a", "mp3")
    with scratch_folder() as folder:
        for container in containers:
            path = folder / f"tone.{container}"
            with path.open("w+b") as file:
                encode(iter([tone]), rate, file, container, Target(rate, 1, bit_rate_bps=64_000))
            report = preflight.check(path)
            if report.file.container != container or not 0.9 < (report.file.duration_s or 0) < 1.2:
                raise ValueError(f"{container} does not decode to what was encoded")
    return "wav, m4a and mp3 are encoded and decoded"


def _check_settings(settings: Settings, warn: Callable[[str], None]) -> str:
    from onetake.config.config_view import exposures_of
    from onetake.config.settings import config_path

    for message, hint in exposures_of(settings):
        warn(f"{message}: {hint}")
    path = config_path()
    return f"read from {path}" if exists(path) else f"no settings file (it would be {path})"


def _check_ledger(home: Path | str, warn: Callable[[str], None]) -> str:
    from onetake.ledger import Ledger

    with Ledger(home, warn=warn) as ledger:  # opening it verifies all of it
        ledger.require_writable()
        ledger.require_latest()
        return f"{ledger.place} is intact and writable"


def _check_key(settings: Settings) -> str:
    settings.client()
    return f"an API key is set (from {settings['api_key'].origin}); the first clone shows whether it is valid"


def _check_storage(settings: Settings) -> str:
    from uploader import ClockSkewed

    storage = settings.storage()
    storage.require_public()
    trip = storage.round_trip()
    if trip.clock_skew_s is not None and abs(trip.clock_skew_s) > _SKEW_LIMIT_S:
        raise ClockSkewed(f"this computer's clock is {abs(trip.clock_skew_s):.0f} s off")
    where = storage.describe()
    result = f"stored, fetched by its link and deleted in {trip.seconds:.1f} s ({where['provider']}, {where['bucket']})"
    return "; ".join((result, *trip.warnings))
