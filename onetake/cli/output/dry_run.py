"""`onetake clone --dry-run`: print what would be sent, and which recordings are known already."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from onetake.cli.output.failure import print_failure
from onetake.console.progress import Steps, Stopwatch
from onetake.console.streams import print_document, print_json, print_line, print_stderr, print_text, print_warning
from onetake.console.terminal import safe
from onetake.errors import Failure, failure_of
from onetake.exit_status import Status, most_severe
from onetake.io.temporary_folders import scratch_folder
from onetake.render.outcomes import CSV_HEADER, csv_line, error_fields, summary
from preflight.input.source import display_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from onetake.clones.request import Cloned, CloneRequest
    from onetake.config.settings import Settings

PlannedEnding = Literal["would-clone", "known", "refused", "failed", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a clone of one recording would do.

    Attributes:
        path: The recording.
        ending: ``would-clone``; ``known`` if its voice exists already or then; ``refused`` if the recording is not
            fit; ``unknown`` if an earlier paid call is not settled; ``failed`` for any other error.
        body: The request body, with placeholders for URLs.
        facts: Further members of the JSON document: report, changes, storage.
        cloned: The known voice.
        same_as: An equal recording, planned earlier, whose voice this one gets.
        failure: Why the recording would not be cloned.
        warnings: Warnings for the user.
    """

    path: str
    ending: PlannedEnding
    body: dict[str, Any] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    cloned: Cloned | None = None
    same_as: str | None = None
    failure: Failure | None = None
    warnings: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:
        """The plan as a JSON object."""
        body = {"request": self.body} if self.body is not None else {}
        voice = {"voice_id": self.cloned.voice_id, "name": self.cloned.name, "known": True} if self.cloned else {}
        same = {"same_as": self.same_as, "known": True} if self.same_as is not None else {}
        error = error_fields(self.failure) if self.failure else None
        head = {"path": self.path, "ending": self.ending}
        return {**head, **body, **self.facts, **voice, **same, "error": error, "warnings": self.warnings}


def show_plans(requests: list[CloneRequest], settings: Settings, *, sandbox: bool, form: str, is_many: bool) -> Status:
    """Print what a clone of each recording would send. Nothing is sent, and nothing is written.

    Args:
        requests: What would be cloned.
        settings: The settings of the real services.
        sandbox: Whether the clone would run in a sandbox, whose ledger is empty.
        form: ``text``, ``json``, ``jsonl``, ``csv`` or ``junit``.
        is_many: Whether an unfit recording is one result among others, instead of the failure of the command.

    Returns:
        The exit status: that of the most severe failure among the plans.
    """
    from onetake.clones.dedupe import repeated

    where: Any = "sandbox" if sandbox else _destination(settings)
    plans: list[Plan] = []
    stopwatch = Stopwatch()
    if form == "csv":
        print_line(CSV_HEADER)
    repeats = repeated(requests, settings.text("base_url") or "")
    with contextlib.nullcontext() if sandbox else _known_clones(settings) as find:
        for index, request in enumerate(requests):
            earlier = plans[repeats[index]] if index in repeats else None
            if earlier is not None and earlier.ending == "would-clone":
                plan = Plan(path=display_name(request.take), ending="known", same_as=earlier.path)
            else:
                plan = _planned(request, find, where, form, is_many=is_many)
            plans.append(plan)
            stopwatch.split()
            _show(plan, where, form)
    if form == "json":
        _print_document(plans, is_many=is_many)
    elif form == "junit":
        from onetake.render.junit import junit_outcomes

        print_document(junit_outcomes(plans, stopwatch.seconds))
    if form == "text" and any(plan.ending == "would-clone" for plan in plans):
        print_stderr(
            f"nothing was sent; without --dry-run, this {'rehearses the clone' if sandbox else 'clones, and is paid'}"
        )
    if is_many and form == "text":
        print_stderr(", ".join(f"{count} {ending}" for ending, count in summary(plans).items()))
    return most_severe(plan.failure.status for plan in plans if plan.failure)


def _planned(
    request: CloneRequest,
    find: Callable[[CloneRequest], Cloned | None] | None,
    where: Any,
    form: str,
    *,
    is_many: bool,
) -> Plan:
    from onetake.clones.prepare import plan_request
    from onetake.clones.request import require_free_demo

    path = display_name(request.take)
    try:
        if find is not None and (known := find(request)) is not None:
            return Plan(path=path, ending="known", cloned=known, warnings=known.warnings)
        require_free_demo(request)
        with scratch_folder() as folder:
            planned = plan_request(request, folder, Steps(quiet=form != "text"))
    except Exception as error:
        if not is_many:
            raise
        failure = failure_of(error)
        endings: dict[Status, PlannedEnding] = {Status.NOT_FIT: "refused", Status.UNKNOWN: "unknown"}
        report = {"take": found} if (found := getattr(error, "report", None)) is not None else {}
        return Plan(path=path, ending=endings.get(failure.status, "failed"), failure=failure, facts=report)
    body = planned.pop("request")
    return Plan(path=path, ending="would-clone", body=body, facts={**planned, "storage": where})


def _show(plan: Plan, where: Any, form: str) -> None:
    """Print one plan, in the formats that are printed plan by plan."""
    if form == "csv":
        print_line(csv_line(plan.fields()))
    elif form == "jsonl":
        print_json({"schema_version": 1, "dry_run": True, **plan.fields()}, in_one_line=True)
    elif form == "text":
        if plan.failure is not None:
            print_failure(plan.failure)
        elif plan.cloned is not None:
            voice = f"{safe(plan.cloned.name or '')} ({safe(plan.cloned.voice_id)})"
            print_text(f"{safe(plan.path)}: nothing would be sent: its voice is known, {voice}")
        elif plan.same_as is not None:
            print_text(f"{safe(plan.path)}: nothing would be sent: it equals {safe(plan.same_as)}, and gets its voice")
        else:
            print_text(f"{safe(plan.path)}: would upload to {_in_words(where)} and send")
            print_json(plan.body)


def _print_document(plans: Sequence[Plan], *, is_many: bool) -> None:
    head = {"schema_version": 1, "dry_run": True}
    if is_many:
        print_json({**head, "takes": [plan.fields() for plan in plans], "summary": summary(plans)})
    else:
        print_json({**head, **{name: value for name, value in plans[0].fields().items() if name != "error"}})


@contextlib.contextmanager
def _known_clones(settings: Settings) -> Iterator[Callable[[CloneRequest], Cloned | None]]:
    """Look up earlier clones in a copy of the ledger: a dry run neither creates nor changes a file."""
    from functools import partial

    from client.api import checked_base_url
    from onetake.clones.dedupe import find_known
    from onetake.config.ledger_location import ledger_location
    from onetake.ledger import Ledger

    with Ledger(ledger_location(settings), warn=print_warning, read_only=True) as ledger:
        base_url = checked_base_url(settings.text("base_url") or "")
        find_in = partial(find_known, ledger=ledger, base_url=base_url, read_only=True)

        def find(request: CloneRequest) -> Cloned | None:
            if (known := find_in(request)) is None:
                ledger.require_latest()
            return known

        yield find


def _destination(settings: Settings) -> dict[str, Any]:
    if settings.text("api_key") is None:
        print_warning("api_key is not set: to clone, set ONETAKE_API_KEY")
    return settings.storage().describe()


def _in_words(where: Any) -> str:
    if isinstance(where, str):
        return f"the {where}"
    endpoint = f" at {where['endpoint']}" if where["endpoint"] else ""
    return safe(f"{where['provider']}, bucket {where['bucket']}{endpoint},")
