"""From a recording on disk to a voice: look into the ledger, check, mend if needed, claim, and send."""

from __future__ import annotations

import contextlib
import shlex
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from onetake.clones.attempt import CloneAttempt
from onetake.clones.cleanup import clean_up_after_others
from onetake.clones.dedupe import as_path, digest, subject_of
from onetake.clones.prepare import prepare_order
from onetake.clones.rate_limit import RateLimiter
from onetake.clones.request import Cloned, require_free_demo
from onetake.errors import ConsentMissing, NotSettled, UnderWayElsewhere
from onetake.io.scratch import scratch_folder
from onetake.ledger import Claimed, Known, Unsettled
from preflight.errors import CannotOpen

if TYPE_CHECKING:
    from collections.abc import Callable

    from client import CloneClient
    from onetake.clones.prepare import Prepared
    from onetake.clones.request import Observer, Order
    from onetake.ledger import Attempt, Ledger, VoiceRecord
    from uploader import Storage

_LOOK_S: Final = 0.5


@dataclass(frozen=True)
class Pipeline:
    """The parts that clone voices; threads may share one.

    Attributes:
        storage: Where recordings go.
        client: Of the clone service.
        ledger: Where paid calls are written down.
        pace: Of the paid calls.
        needs_consent: Whether the service is a real one.
    """

    storage: Storage
    client: CloneClient
    ledger: Ledger
    pace: RateLimiter = field(default_factory=RateLimiter)
    needs_consent: bool = True

    def clone(
        self, order: Order, observer: Observer, *, complete: Callable[[Order], Order] = lambda order: order
    ) -> Cloned:
        """Clone one voice, or return the one that was made of the same recording before.

        Args:
            order: What is to be cloned; it has passed `check_order`.
            observer: Is told how far it came.
            complete: Called once it is certain that something is to be sent, such as to ask for consent.

        Raises:
            UsageError: The demo would replace a file.
            ConsentMissing: Nobody said that the speaker agreed.
            TakeRefused: A recording cannot be sent.
            NotSettled: Whether it was cloned before is not known.
            uploader.StorageError: The storage failed; nothing was paid.
            client.ServiceError: The service refused or failed; with `client.OutcomeUnknown` it may have charged.
            LedgerFailed: The call could not be written down beforehand; nothing was paid.
        """
        cloned = self.known(order)
        if cloned is None:
            cloned = self._clone_new(complete(order), observer)
        else:
            for warning in cloned.warnings:
                observer.warn(warning)
        clean_up_after_others(self.storage, self.ledger, observer)
        return cloned

    def require(self, order: Order) -> None:
        """Refuse, before anything is sent, what cannot be cloned by these parts.

        Raises:
            UsageError: The demo would replace a file.
            ConsentMissing: Nobody said that the speaker agreed.
            uploader.UrlNotPublic: Nobody outside could fetch from the storage.
        """
        require_free_demo(order)
        if self.needs_consent and not (order.consent or "").strip():
            raise ConsentMissing(
                "cloning a voice needs its speaker's consent", 'say who agreed and when: --consent "NAME, DATE"'
            )
        self.storage.require_public()

    def _clone_new(self, order: Order, observer: Observer) -> Cloned:
        self.require(order)
        with scratch_folder() as folder:
            prepared = prepare_order(order, folder, observer)
            while True:
                try:
                    return self.send(order, prepared, observer)
                except UnderWayElsewhere as error:
                    observer.warn(f"{error.message}: waiting for it")
                    while self.ledger.attempts.under_way(error.attempt):
                        time.sleep(_LOOK_S)

    def known(self, order: Order, *, read_only: bool = False) -> Cloned | None:
        """The voice that was made of the same recording before; only a file of a known size is read for it.

        Args:
            order: What is to be cloned.
            read_only: Do not add the order's consent to a voice that has none.

        Raises:
            NotSettled: Whether it was cloned before is not known.
            LedgerFailed: The ledger cannot be read.
        """
        if order.again:
            return None
        with contextlib.suppress(OSError, CannotOpen):  # a file that cannot be read is reported when it is checked
            path = as_path(order.take)
            if path.is_file() and self.ledger.attempts.knows_size(size := path.stat().st_size):
                prompt = digest(order.prompt) if order.prompt is not None else None
                subject = subject_of(order, self.client.base_url, size, digest(order.take), prompt)
                standing = self.ledger.attempts.standing(subject)
                if isinstance(standing, Unsettled):
                    raise not_settled(standing.attempt)
                return None if standing is None else self._cloned_before(standing.voice, order, read_only=read_only)
        return None

    def send(
        self, order: Order, prepared: Prepared, observer: Observer, stopping: Callable[[], bool] = lambda: False
    ) -> Cloned:
        """Claim a recording that was prepared, and clone its voice.

        Args:
            order: What is to be cloned.
            prepared: What is sent for it.
            observer: Is told how far it came.
            stopping: Whether to stop before anything is paid.

        Raises:
            KeyboardInterrupt: `stopping` said so, or somebody did.
            UnderWayElsewhere: Somebody is cloning it at this moment.
            Exception: All that `clone` raises.
        """
        take, prompt = prepared.take.source, prepared.prompt.source.sha256 if prepared.prompt else None
        standing = self.ledger.attempts.claim(
            subject_of(order, self.client.base_url, take.bytes, take.sha256 or "", prompt),
            base_url=self.client.base_url,
            options=msgspec.to_builtins(order.options),
            changes=prepared.take.changes,
            consent=order.consent,
            name=order.name,
            again=order.again,
        )
        if isinstance(standing, Claimed):
            return CloneAttempt(self, order, prepared, standing.attempt, observer, stopping).go()
        if isinstance(standing, Known):
            return self._cloned_before(standing.voice, order)
        if isinstance(standing, Unsettled):
            raise not_settled(standing.attempt)
        raise UnderWayElsewhere(prepared.take.report.path, standing.attempt)

    def _cloned_before(self, voice: VoiceRecord, order: Order, *, read_only: bool = False) -> Cloned:
        """The answer for a recording whose voice is known: nothing is sent, nothing is paid."""
        if order.consent and voice.consent is None and not read_only:
            self.ledger.voices.agreed(voice, order.consent)
        warnings = []
        if order.name is not None and order.name != voice.name:
            warnings.append(
                f"its voice is called {voice.name} already: onetake voices rename {voice.name} {order.name}"
            )
        if order.options.text is not None:
            warnings.append(
                f'no trial is made of a known voice; hear it with: onetake say {shlex.quote(voice.name)} "…" -o OUT'
            )
        return Cloned(
            voice_id=voice.voice_id,
            name=voice.name,
            known=True,
            expires_at=None if voice.kept_at else voice.expires_at,
            changes=voice.changes,
            warnings=tuple(warnings),
        )


def not_settled(attempt: Attempt) -> NotSettled:
    """The error for a recording that may have been paid for already."""
    return NotSettled(
        f"{attempt.take}: whether an earlier call made this voice is not known (attempt {attempt.id})",
        f"look into your account with the service, then: onetake voices settle {attempt.id} --voice VOICE_ID "
        "(or --failed); --again pays for another one",
    )
