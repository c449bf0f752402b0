"""The two places where a voice can be cloned: a rehearsal on this machine, and the real service of the settings."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from onetake.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from onetake.config.settings import Settings
    from onetake.ledger import Ledger

ServiceName = Literal["rehearsal", "real"]


@dataclass(frozen=True)
class Service:
    """Settings and ledger of a service.

    Attributes:
        name: ``rehearsal`` or ``real``.
        settings: Lead to the clone service and the storage.
        home: Folder of the ledger, and of recorded statements of consent.
        ledger: The open ledger.
    """

    name: ServiceName
    settings: Settings
    home: Path
    ledger: Ledger


class Services:
    """Opens each service when it is first used, and closes them when the block ends; threads may use it.

    Args:
        warn: Receives warnings of the ledgers.
        sandbox_only: Whether only rehearsals are allowed.
        answer_delay_s: Additional seconds before the rehearsal answers.

    Attributes:
        sandbox_only: As given.
    """

    def __init__(self, warn: Callable[[str], None], *, sandbox_only: bool, answer_delay_s: float = 0.0) -> None:
        self.sandbox_only = sandbox_only
        self._warn = warn
        self._answer_delay_s = answer_delay_s
        self._open: dict[ServiceName, Service] = {}
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Services:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._open.clear()
            self._stack.close()

    def get(self, name: ServiceName) -> Service:
        """Return a service; the first rehearsal starts the sandbox, which takes about a second.

        Raises:
            UsageError: It is the real service, and only rehearsals are allowed.
            SandboxUnavailable: The extra `sandbox` is not installed.
            SettingError, LedgerFailed: The settings or the ledger cannot be read.
        """
        with self._lock:
            if name not in self._open:
                self._open[name] = self._rehearsal() if name == "rehearsal" else self._real()
            return self._open[name]

    def opened(self) -> list[Service]:
        """Return the services whose ledger is worth showing: the real one, and the rehearsal once it has begun."""
        if not self.sandbox_only:
            self.get("real")
        with self._lock:
            return [self._open[name] for name in ("real", "rehearsal") if name in self._open]

    @property
    def real_host(self) -> str | None:
        """The host of the real service; None where only rehearsals are allowed."""
        if self.sandbox_only:
            return None
        base_url = self.get("real").settings.text("base_url") or ""
        try:
            return urlsplit(base_url).hostname
        except ValueError:
            return base_url

    def _rehearsal(self) -> Service:
        from pathlib import Path

        from onetake.config.settings import load
        from onetake.sandbox.session import sandbox

        access = self._stack.enter_context(sandbox(self._answer_delay_s))
        return self._opened("rehearsal", load({}).with_values(access.settings(), "sandbox"), Path(access.folder))

    def _real(self) -> Service:
        from onetake.config.ledger_location import home_path
        from onetake.config.settings import load

        if self.sandbox_only:
            raise UsageError("this studio only rehearses", "start it without --sandbox to use the real service")
        return self._opened("real", load({}), home_path())

    def _opened(self, name: ServiceName, settings: Settings, home: Path) -> Service:
        from onetake.config.ledger_location import ledger_location
        from onetake.ledger import Ledger

        place = ledger_location(settings) if name == "real" else home
        return Service(name, settings, home, self._stack.enter_context(Ledger(place, warn=self._warn)))
