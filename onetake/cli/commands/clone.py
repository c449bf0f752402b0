"""`onetake clone`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from onetake.cli.main import AdvancedOption, Command, exit_with
from onetake.cli.options import (
    ANY_PATH,
    RATE_LIMITS,
    SERVICE,
    SPEAKER_MODEL,
    SPEECH_MODEL,
    STORAGE,
    STORAGE_DETAILS,
    chosen_format,
    profile_from,
    profile_options,
    sandbox_option,
    services,
    setting_options,
    with_chosen_speaker_model,
    with_consent,
    with_known_consent,
)
from onetake.config.amount import RANGE, amount_of
from onetake.config.settings import load
from onetake.console.progress import Steps
from onetake.console.streams import print_json, print_text
from onetake.console.terminal import can_prompt, safe
from onetake.errors import OutputLost, UsageError
from onetake.exit_status import Status, stop_status
from onetake.io.paths import is_folder
from onetake.render.outcomes import SANDBOX_ENDED, until
from onetake.speech_model import with_chosen_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from onetake.clones.request import Cloned, CloneRequest
    from onetake.ledger import Ledger

FORMS: Final = ("text", "json", "jsonl", "csv", "junit")


@dataclass(frozen=True)
class SpendingLimits:
    """How much one run of `onetake clone` may pay for.

    Attributes:
        clones: Maximum number of clones; None for no limit.
        cost: Maximum cost; None for no limit.
        agreed: Whether the user has agreed beforehand (``--yes``).
    """

    clones: int | None
    cost: str | None
    agreed: bool

    def most_clones(self, price: Decimal | None) -> int | None:
        """The stricter of both limits as a number of clones; None for no limit.

        Raises:
            UsageError: The cost is not a number, or the price is unknown.
        """
        if self.cost is None:
            return self.clones
        if price is None:
            raise UsageError("--max-cost needs the price of a clone", "add --price AMOUNT")
        cost = amount_of(self.cost)
        if cost is None:
            raise UsageError(f"--max-cost {self.cost} is not 0 or an amount from {RANGE}", "write it like 99.50")
        affordable = int(cost // price)
        return affordable if self.clones is None else min(self.clones, affordable)

    def require_one(self, price: Decimal | None) -> None:
        """Raise `UsageError` if one clone exceeds the limits."""
        if self.most_clones(price) == 0:
            raise UsageError(f"a clone costs {price}, above --max-cost {self.cost}", "raise --max-cost")


@click.command("clone", cls=Command, epilog="Example: onetake clone take.m4a --consent 'Ann Example, 2026-11-01'")
@click.argument("files", nargs=-1, required=True, type=ANY_PATH, metavar="FILE|FOLDER|MANIFEST...")
@click.option("--prompt", type=ANY_PATH, metavar="CLIP", help="Prompt clip under 8 s, for more similarity.")
@click.option(
    "--auto-prompt",
    cls=AdvancedOption,
    type=click.IntRange(1, 50),
    metavar="N",
    help="Use clip N of `onetake prompt`.",
)
@click.option("--prompt-text", metavar="TEXT", help="Transcript of the prompt, with punctuation.")
@click.option("--text", metavar="TEXT", help="Preview text, read by the voice (charged).")
@click.option("--model", cls=AdvancedOption, metavar="MODEL", help="Model of the preview; default: speech-2.8-hd.")
@click.option(
    "--allow-unknown-model", cls=AdvancedOption, is_flag=True, help="Allow model names that onetake does not know."
)
@click.option("--demo", type=ANY_PATH, metavar="OUT", help="Save the preview to OUT (a folder for several).")
@click.option(
    "--accuracy", cls=AdvancedOption, type=float, metavar="0..1", help="Threshold of the service's text verification."
)
@click.option("--noise-reduction", cls=AdvancedOption, is_flag=True, help="Let the service reduce noise.")
@click.option("--volume-normalization", cls=AdvancedOption, is_flag=True, help="Let the service normalize loudness.")
@click.option("--force", cls=AdvancedOption, is_flag=True, help="Replace an existing preview.")
@click.option("--name", metavar="NAME", help="Name of the voice; default: the file name.")
@click.option("--again", is_flag=True, help="Clone again, even if cloned before.")
@click.option("--max-clones", cls=AdvancedOption, type=click.IntRange(1), metavar="N", help="Pay for at most N clones.")
@click.option("--max-cost", cls=AdvancedOption, metavar="AMOUNT", help="Pay at most AMOUNT; needs --price.")
@click.option("--yes", is_flag=True, help="Do not ask before cloning several.")
@click.option("--accept-poor", is_flag=True, help="Clone recordings of poor quality without asking.")
@click.option("--keep-upload", cls=AdvancedOption, is_flag=True, help="Keep the recording in the storage.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent, and send nothing.")
@profile_options()
@setting_options("consent")
@sandbox_option
@click.option("--format", "form", type=click.Choice(FORMS), metavar="FORM", help=f"{', '.join(FORMS)}.")
@setting_options(
    "price", SPEECH_MODEL, *SPEAKER_MODEL, *STORAGE, *STORAGE_DETAILS, *SERVICE, *RATE_LIMITS, advanced=True
)
@click.option("--json", "as_json", cls=AdvancedOption, is_flag=True, help="The same as --format json.")
def command(
    files: tuple[str, ...], form: str | None, *, sandbox: bool, as_json: bool, dry_run: bool, **flags: Any
) -> Any:
    """Clone the voice of a recording, or of each one in a folder or a manifest (CSV, JSON Lines). It is checked and
    fixed first; a recording that was cloned before is not charged again.
    """  # noqa: D205 - as one paragraph the help fits a screen
    form = chosen_format(form, as_json=as_json)
    limits = SpendingLimits(flags.pop("max_clones"), flags.pop("max_cost"), flags.pop("yes"))
    requests, is_many = _requests(files, flags)
    if any(request.has_prompt for request in requests):
        requests = with_chosen_model(requests, load(flags))
    is_many = is_many or form in {"jsonl", "csv", "junit"}
    if sandbox or load(flags).is_local:  # nothing is paid: poor quality is only a warning
        requests = [replace(request, accept_poor=True) for request in requests]
    if not is_many:
        _require_readable(requests[0])
    if dry_run:
        from onetake.cli.output.dry_run import show_plans

        return exit_with(show_plans(requests, load(flags), sandbox=sandbox, form=form, is_many=is_many))
    steps = Steps(quiet=form != "text")
    from onetake.clones.cloner import make_cloner

    with services(flags, sandbox=sandbox) as (settings, home), _opened(home, steps) as ledger:
        cloner = make_cloner(settings, ledger, steps)
        if is_many:
            from onetake.cli.output.batch_output import clone_many

            return exit_with(clone_many(cloner, requests, settings, limits, steps, form, sandbox=sandbox))
        request = with_known_consent(requests[0], settings)

        def complete(request: CloneRequest) -> CloneRequest:
            limits.require_one(settings.price())
            return with_consent(request, settings)

        cloned = cloner.clone(request, steps, complete=complete, accepts_poor=_accepts_poor)
    try:
        _show(cloned, requests[0].profile.same_voice_cosine, as_json=form == "json", sandbox=sandbox)
    except OutputLost:
        steps.warn(f"standard output cannot be written; WRITE THIS DOWN: voice_id {cloned.voice_id}")
        raise
    if cloned.name is None:
        return exit_with(Status.UNKNOWN)
    return exit_with(stop_status() if cloned.interrupted else Status.DONE)


def _require_readable(request: CloneRequest) -> None:
    from onetake.clones.prepare import require_readable

    require_readable(request.take)
    if request.prompt is not None:
        require_readable(request.prompt, "prompt")


def _accepts_poor(problem: str) -> bool:
    """Ask at a terminal whether to pay for the clone of a poor recording."""
    if not can_prompt():
        return False
    return click.confirm(f"{safe(problem)}\nPay for its clone anyway?", err=True)


def _opened(home: Path | str, steps: Steps) -> Ledger:
    from onetake.ledger import Ledger

    return Ledger(home, warn=steps.warn)


def _requests(files: tuple[str, ...], flags: dict[str, Any]) -> tuple[list[CloneRequest], bool]:
    """Return the requests of the command line, and whether they are a batch."""
    from onetake.clones.manifest import is_manifest, read_manifest
    from onetake.clones.request import require_distinct, validate_request
    from onetake.io.inputs import recordings_of, refuse_stdin
    from preflight.input.source import display_name

    for file in (*files, flags["prompt"] or ""):
        refuse_stdin(file)
    usual = _default_request(flags)
    is_many = len(files) > 1 or any(is_manifest(file) or is_folder(file) for file in files)
    if not is_many:
        request = replace(usual, take=next(iter(files)))
        validate_request(request)
        return [request], False
    if usual.name is not None:
        raise UsageError("--name is for one recording", "give a manifest with the column name")
    requests: list[CloneRequest] = []
    for file in files:
        requests += read_manifest(file, usual) if is_manifest(file) else _plain(recordings_of([file]), usual)
    require_distinct(requests, [display_name(request.take) for request in requests])
    return requests, True


def _plain(takes: Iterator[str], usual: CloneRequest) -> Iterator[CloneRequest]:
    from onetake.clones.request import demo_in, validate_request

    for take in takes:
        request = replace(usual, take=take)
        if usual.demo is not None:
            request = replace(request, demo=demo_in(usual.demo, take))
        validate_request(request)
        yield request


def _default_request(flags: dict[str, Any]) -> CloneRequest:
    from client import CloneOptions
    from onetake.clones.request import CloneRequest

    options = CloneOptions(
        text=flags.pop("text"),
        model=flags.pop("model"),
        accuracy=flags.pop("accuracy"),
        need_noise_reduction=flags.pop("noise_reduction"),
        need_volume_normalization=flags.pop("volume_normalization"),
        prompt_text=flags.pop("prompt_text"),
        allow_unknown_model=flags.pop("allow_unknown_model"),
    )
    demo = flags.pop("demo")
    return CloneRequest(
        take="",
        options=options,
        prompt=flags.pop("prompt"),
        demo=Path(demo) if demo else None,
        replace_demo=flags.pop("force"),
        keep_upload=flags.pop("keep_upload"),
        profile=with_chosen_speaker_model(profile_from(flags), load(flags)),
        auto_prompt=flags.pop("auto_prompt"),
        name=flags.pop("name"),
        again=flags.pop("again"),
        accept_poor=flags.pop("accept_poor"),
    )


def _show(cloned: Cloned, same_voice: float, *, as_json: bool, sandbox: bool) -> None:
    if as_json:
        print_json({"schema_version": 1, **{name: getattr(cloned, name) for name in cloned.__struct_fields__}})
        return
    print_text(f"voice_id  {safe(cloned.voice_id)}{'  (known: nothing was sent)' if cloned.known else ''}")
    if cloned.name is not None:
        print_text(f"name      {safe(cloned.name)}")
    if cloned.expires_at is None:
        print_text("expires   never: a speech call has used it")
    elif not sandbox:
        print_text(f"expires   {until(cloned.expires_at)}, unless a speech call uses it before then")
    if cloned.demo:
        print_text(f"demo      {safe(cloned.demo)}")
    if cloned.likeness is not None:
        print_text(f"likeness  {cloned.likeness:.2f} of 1 (estimate; two people are mostly below {same_voice:g})")
    if sandbox:
        print_text(SANDBOX_ENDED)
