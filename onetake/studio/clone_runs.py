"""Clones started from the page. Each runs in a thread of its own, so that a closed tab does not matter.

    checking ─ uploading ─ verifying ─ cloning ─┬─ paid          a voice
                                                ├─ known         it had one: nothing was sent
                                                ├─ refused       nothing was paid, or the service said no
                                                └─ unknown       only the user can settle it; it is not repeated

What survives a killed server is the ledger: the next session marks the call in progress as unknown, and `find_known`
refuses to repeat it.
"""

from __future__ import annotations

import secrets
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onetake.clones.cloner import make_cloner
from onetake.clones.dedupe import digest
from onetake.clones.prepare import plan_request
from onetake.clones.request import CloneRequest, validate_request
from onetake.errors import NotSettled, UsageError, failure_of
from onetake.exit_status import Status
from onetake.io.atomic_write import atomic_write
from onetake.io.temporary_folders import scratch_folder
from onetake.render.outcomes import error_fields
from onetake.speech_model import with_chosen_model
from onetake.studio.clone_run import CloneForm, CloneRun, Consent
from preflight.file_system import sync_folder

if TYPE_CHECKING:
    from onetake.clones.request import Cloned
    from onetake.studio.services import Service, Services
    from onetake.studio.take import Take
    from onetake.studio.takes import Takes

_SHORTEST_STATEMENT: Final = 5
"""Long enough to refuse "yes" and "no"; a name and a date are longer."""


class CloneRuns:
    """Starts clones, and shows what they would send.

    Args:
        services: Where to clone.
        takes: The takes of the session.
    """

    def __init__(self, services: Services, takes: Takes) -> None:
        self._services = services
        self._takes = takes
        self._runs: dict[str, CloneRun] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def all(self) -> list[CloneRun]:
        """Return all runs of this session, oldest first."""
        with self._lock:
            return list(self._runs.values())

    def find(self, wanted: str) -> CloneRun:
        """Return a run; raises `UsageError` if there is none."""
        with self._lock:
            if (run := self._runs.get(wanted)) is None:
                raise UsageError("there is no such clone", "reload the page")
            return run

    def plan(self, form: CloneForm) -> dict[str, Any]:
        """Return what a clone would send, as `onetake clone --dry-run` does; nothing is sent.

        Returns:
            ``request``, ``changes``, ``price``, ``known`` (an earlier voice) and ``unsettled`` (an earlier call whose
            outcome is unknown).

        Raises:
            OnetakeError, client.InvalidArgument: It cannot be cloned like this.
        """
        service = self._services.get(form.service)
        request = self._request(form, service, self._takes.scratch("preview.mp3"))
        price = service.settings.price()
        planned: dict[str, Any] = {
            "request": None,
            "changes": (),
            "price": None if price is None else str(price),
            "known": None,
            "unsettled": None,
        }
        cloner = make_cloner(service.settings, service.ledger, CloneRun("plan", form.service, form.take))
        try:
            if (known := cloner.find_known(request)) is not None:
                return planned | {"known": {"name": known.name, "voice_id": known.voice_id}}
        except NotSettled as error:
            return planned | {"unsettled": error_fields(failure_of(error))}
        with scratch_folder() as folder:
            sent = plan_request(request, folder, CloneRun("plan", form.service, form.take))
        return planned | {"request": sent["request"], "changes": sent["changes"]}

    def start(self, form: CloneForm) -> CloneRun:
        """Start a clone in a thread.

        Raises:
            UsageError: It is a paid call whose price the user has not confirmed, or the form is contradictory.
            OnetakeError: The service cannot be used.
        """
        service = self._services.get(form.service)
        price = service.settings.price()
        if form.service == "real" and form.confirmed_price != ("unknown" if price is None else str(price)):
            raise UsageError("the paid call is not confirmed", "confirm its price")
        run = CloneRun(secrets.token_hex(8), form.service, form.take)
        request = self._request(form, service, self._takes.scratch(f"preview-{run.id}.mp3"))
        thread = threading.Thread(
            target=self._run, args=(run, form, service, request), name=f"clone-{run.id}", daemon=True
        )
        with self._lock:
            self._runs[run.id] = run
            self._threads.append(thread)
        thread.start()
        return run

    def wait(self) -> None:
        """Wait until no clone is in progress: a paid call must get its answer."""
        for thread in list(self._threads):
            while thread.is_alive():
                thread.join(0.2)  # in small steps, so that another Ctrl-C is noticed

    def abandon(self) -> list[str]:
        """Mark the paid calls in progress as unknown in the ledgers; return a message for each."""
        return [
            f"{attempt.take}: whether its voice was made is unknown (attempt {attempt.id})"
            for service in self._services.opened()
            for attempt in service.ledger.attempts.mark_interrupted()
        ]

    @property
    def in_progress(self) -> int:
        """The number of clones in progress."""
        return sum(thread.is_alive() for thread in self._threads)

    def _run(self, run: CloneRun, form: CloneForm, service: Service, request: CloneRequest) -> None:
        try:
            if form.consent is not None and form.consent.spoken_in is not None:
                _keep_statement(self._takes.find(form.consent.spoken_in), service.home)
            (request,) = with_chosen_model([request], service.settings)
            cloned = make_cloner(service.settings, service.ledger, run).clone(request, run)
        except BaseException as error:  # noqa: BLE001 - the page shows it; nothing else waits for this thread
            failure = failure_of(error)
            run.error = error_fields(failure)
            run.state = "unknown" if failure.status is Status.UNKNOWN else "refused"
            return
        self._store_result(run, cloned, request)

    def _store_result(self, run: CloneRun, cloned: Cloned, request: CloneRequest) -> None:
        run.result = {
            "voice_id": cloned.voice_id,
            "name": cloned.name,
            "expires_at": cloned.expires_at,
            "changes": cloned.changes,
            "likeness": cloned.likeness,
        }
        if cloned.demo is not None and request.demo is not None:
            demo = request.demo
            preview = self._takes.new(
                origin="preview",
                name=f"Preview of {cloned.name}",
                write=lambda folder: Path(shutil.move(demo, folder / "preview.mp3")),
                parent=run.take,
                text=request.options.text,
            )
            run.preview = preview.id
        run.state = "known" if cloned.known else "paid"

    def _request(self, form: CloneForm, service: Service, demo: Path) -> CloneRequest:
        from client import CloneOptions

        take = self._takes.find(form.take)
        prompt = None if form.prompt is None else self._takes.find(form.prompt)
        text = (form.text or "").strip() or None
        request = CloneRequest(
            take=take.file,
            options=CloneOptions(
                text=text,
                model=form.model if text else None,
                need_noise_reduction=form.noise_reduction,
                need_volume_normalization=form.volume_normalization,
                prompt_text=None if prompt is None else prompt.text,
            ),
            prompt=None if prompt is None else prompt.file,
            demo=demo if text else None,
            consent=self._statement(form.consent) or service.settings.text("consent"),
            name=(form.name or "").strip() or _voice_name(take),
            accept_poor=form.accept_poor or service.settings.is_local,
        )
        validate_request(request)
        return request

    def _statement(self, consent: Consent | None) -> str | None:
        if consent is None or not consent.statement.strip():
            return None
        statement = consent.statement.strip()
        if len(statement) < _SHORTEST_STATEMENT:
            raise UsageError(f"the statement {statement!r} is too short", "write a name and a date")
        if consent.spoken_in is None:
            return statement
        sha256 = digest(self._takes.find(consent.spoken_in).file)
        return f"{statement}; spoken, kept as consents/{sha256}{Path(self._takes.find(consent.spoken_in).file).suffix}"


def _keep_statement(take: Take, home: Path) -> None:
    """Keep the recording of a spoken statement, named by its SHA-256, before anything is paid."""
    source, folder = Path(take.file), home / "consents"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"{digest(source)}{source.suffix}"
    if not target.exists():
        with source.open("rb") as content, atomic_write(target) as (file, _):
            shutil.copyfileobj(content, file, 1 << 20)
        sync_folder(folder)


def _voice_name(take: Take) -> str:
    return Path(take.name).stem if take.origin in {"opened", "dropped"} else take.name
