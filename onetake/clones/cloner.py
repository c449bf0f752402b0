"""Clone one recording: look it up in the ledger, check and fix it, claim it, and run the attempt."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from onetake.clones.attempt import CloneAttempt, CloneContext
from onetake.clones.dedupe import clone_key, find_known, known_voice, not_settled
from onetake.clones.prepare import prepare_request
from onetake.clones.request import require_free_demo, require_quality
from onetake.clones.uploads import try_delete_abandoned
from onetake.errors import CloneInProgress, ConsentMissing, NotSettled
from onetake.io.temporary_folders import scratch_folder
from onetake.ledger import Claimed, Known, Unsettled

if TYPE_CHECKING:
    from collections.abc import Callable

    from onetake.clones.observer import Observer
    from onetake.clones.prepare import Prepared
    from onetake.clones.request import Cloned, CloneRequest
    from onetake.config.settings import Settings
    from onetake.ledger import Ledger

_POLL_S: Final = 0.5


class Cloner:
    """Clones voices, one at a time (`clone`) or as part of a batch (`find_known`, `send`); threads may share one.

    Args:
        context: Storage, client, ledger and rate limiter.
        needs_consent: Whether a request without a consent statement is refused.

    Attributes:
        context: As given.
    """

    def __init__(self, context: CloneContext, *, needs_consent: bool = True) -> None:
        self.context = context
        self._needs_consent = needs_consent

    def clone(
        self,
        request: CloneRequest,
        observer: Observer,
        *,
        complete: Callable[[CloneRequest], CloneRequest] = lambda request: request,
        accepts_poor: Callable[[str], bool] = lambda _problem: False,
    ) -> Cloned:
        """Clone one voice, or return the voice of an earlier clone of the same recording.

        Args:
            request: The request; `validate_request` accepted it.
            observer: Receives steps, warnings and progress.
            complete: Called with the request before anything is sent, for example to ask for consent.
            accepts_poor: Called if the quality is poor, with the problem; returns whether to clone it anyway.

        Raises:
            UsageError: The preview would overwrite a file.
            ConsentMissing: The request has no consent statement.
            TakeRefused: A recording cannot be sent.
            TakePoor: Its quality is poor, and that was not accepted.
            NotSettled: The outcome of an earlier paid call is unknown.
            uploader.StorageError: The storage failed; nothing was paid.
            client.ServiceError: The service refused or failed; `client.OutcomeUnknown` means it may have charged.
            LedgerFailed: The call could not be stored beforehand; nothing was paid.
        """
        try:
            cloned = self.find_known(request)
            if cloned is None:
                cloned = self._clone_new(complete(request), observer, accepts_poor)
            else:
                for warning in cloned.warnings:
                    observer.warn(warning)
        except NotSettled:
            # the run that was killed during its call left its upload too
            try_delete_abandoned(self.context.storage, self.context.ledger, observer)
            raise
        try_delete_abandoned(self.context.storage, self.context.ledger, observer)
        return cloned

    def find_known(self, request: CloneRequest) -> Cloned | None:
        """Return the voice of an earlier clone of the same recording, or None; raises as `dedupe.find_known`."""
        return find_known(request, self.context.ledger, self.context.client.base_url)

    def require_ready(self, request: CloneRequest) -> None:
        """Refuse, before anything is sent, a request that cannot succeed.

        Raises:
            UsageError: The preview would overwrite a file.
            ConsentMissing: The request has no consent statement.
            uploader.UrlNotPublic: The service could not fetch from this storage.
            LedgerFailed: The ledger is new or an older copy.
        """
        self.context.ledger.require_latest()
        require_free_demo(request)
        if self._needs_consent and not (request.consent or "").strip():
            raise ConsentMissing(
                "cloning a voice needs its speaker's consent", 'say who agreed and when: --consent "NAME, DATE"'
            )
        self.context.storage.require_public()

    def send(
        self,
        request: CloneRequest,
        prepared: Prepared,
        observer: Observer,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Cloned:
        """Claim a prepared recording in the ledger, and clone its voice.

        Args:
            request: The request.
            prepared: The files to send.
            observer: Receives steps, warnings and progress.
            stopping: Returns whether to stop before anything is paid.

        Raises:
            KeyboardInterrupt: `stopping` returned True, or a signal came.
            CloneInProgress: Another thread or process is cloning the same recording.
            Exception: As `clone`.
        """
        ledger, base_url = self.context.ledger, self.context.client.base_url
        take, prompt = prepared.take.source, prepared.prompt.source.sha256 if prepared.prompt else None
        claim = ledger.attempts.claim(
            clone_key(request, base_url, take.bytes, take.sha256 or "", prompt),
            base_url=base_url,
            options=msgspec.to_builtins(request.options),
            changes=prepared.take.changes,
            consent=request.consent,
            name=request.name,
            again=request.again,
        )
        if isinstance(claim, Claimed):
            return CloneAttempt(self.context, request, prepared, claim.attempt, observer, stopping).run()
        if isinstance(claim, Known):
            return known_voice(claim.voice, request, ledger)
        if isinstance(claim, Unsettled):
            raise not_settled(claim.attempt)
        raise CloneInProgress(prepared.take.report.path, claim.attempt)

    def _clone_new(self, request: CloneRequest, observer: Observer, accepts_poor: Callable[[str], bool]) -> Cloned:
        self.require_ready(request)
        with scratch_folder() as folder:
            prepared = prepare_request(request, folder, observer)
            require_quality(request, prepared, accepts_poor)
            while True:
                try:
                    return self.send(request, prepared, observer)
                except CloneInProgress as error:
                    observer.warn(f"{error.message}: waiting for it")
                    while self.context.ledger.attempts.is_active(error.attempt):
                        time.sleep(_POLL_S)


def make_cloner(settings: Settings, ledger: Ledger, observer: Observer) -> Cloner:
    """Return a cloner for the services of the settings.

    Args:
        settings: The settings.
        ledger: An open ledger.
        observer: Receives a warning for each automatic retry.
    """
    rate_limiter = settings.rate_limiter()
    rate_limiter.share(ledger, settings.text("base_url") or "")
    client = settings.client(
        on_retry=lambda wait_s, error: observer.warn(f"{error.message}; next try in {wait_s:.0f} s"),
        on_limit=rate_limiter.pause,
    )
    context = CloneContext(settings.storage(), client, ledger, rate_limiter)
    return Cloner(context, needs_consent=not settings.is_local)
