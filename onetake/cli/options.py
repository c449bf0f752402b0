"""Options that several commands share, and the values made from them."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from onetake.cli.main import AdvancedOption
from onetake.console.terminal import can_prompt
from onetake.errors import SettingError, UsageError
from onetake.io.paths import exists
from preflight.display.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onetake.clones.request import CloneRequest
    from onetake.config.settings import Settings
    from preflight import FixOptions, Profile


Decorated = Any

ANY_PATH = click.Path(readable=False)
"""A path that click does not check: one unreadable file among many is a finding, not a usage error."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
sandbox_option = click.option("--sandbox", is_flag=True, help="Use local storage and a stand-in service.")


def chosen_format(form: str | None, *, as_json: bool) -> str:
    """The output format from ``--format`` and ``--json``; raises `UsageError` if they contradict each other."""
    if as_json and form not in {None, "json"}:
        raise UsageError(f"--json and --format {form} contradict each other", "give one of them")
    return form or ("json" if as_json else "text")


def setting_options(*names: str, advanced: bool = False) -> Callable[[Decorated], Decorated]:
    """Add options for settings. Secrets have no option, because other users can see the command line of a process.

    Args:
        names: Names of settings.
        advanced: Whether only ``--help-all`` shows them.
    """
    from onetake.config.setting_definitions import SETTINGS

    def decorate(function: Decorated) -> Decorated:
        for setting in reversed(SETTINGS):
            if setting.name in names and not setting.secret:
                metavar = _METAVARS.get(setting.name)
                text = f"{setting.description[0].upper()}{setting.description[1:]}."
                kind = AdvancedOption if advanced else click.Option
                function = click.option(setting.option, setting.name, cls=kind, metavar=metavar, help=text)(function)
        return function

    return decorate


STORAGE = ("provider", "bucket", "s3_endpoint", "region")
STORAGE_DETAILS = (
    *("public_endpoint", "prefix", "addressing", "url_expires_s", "link_check"),
    *("sse", "sse_kms_key_id", "aws_profile"),
)
SERVICE = ("base_url",)
RATE_LIMITS = ("calls_at_once", "calls_per_minute")
SPEECH_MODEL = "speech_model"
SPEAKER_MODEL = ("speaker_model", "speaker_limit")


_METAVARS: Final = {SPEECH_MODEL: "MODEL", "speaker_model": "ONNX", "speaker_limit": "COSINE"}


@contextlib.contextmanager
def services(options: dict[str, Any], *, sandbox: bool) -> Iterator[tuple[Settings, Path | str]]:
    """The settings and the place of the ledger, for the real services or for a sandbox that runs during the block.

    Args:
        options: Settings from the command line.
        sandbox: Whether to run a sandbox.
    """
    from onetake.config.ledger_location import ledger_location
    from onetake.config.settings import load

    settings = load(options)
    if not sandbox:
        yield settings, ledger_location(settings)
        return
    from onetake.sandbox.session import sandbox as run_sandbox

    with run_sandbox() as access:
        yield settings.with_values(access.settings(), "sandbox"), Path(access.folder)


_HELP: Final = {
    "--select": ("RULE", "Run only these rules (repeatable, or a,b)."),
    "--profile": ("NAME|TOML", "default, strict, or a TOML file."),
    "--ignore": ("RULE", "Skip these rules (repeatable, or a,b)."),
    "--severity": ("RULE=LEVEL", "error, warning, info or off (repeatable)."),
}


def profile_options(*, with_select: bool = False) -> Callable[[Any], Any]:
    """Add the options that `profile_from` reads.

    Args:
        with_select: For `check`: add ``--select``, and show the options in ``--help``.
    """
    names = [name for name in _HELP if with_select or name != "--select"]

    def decorate(function: Any) -> Any:
        for name in reversed(names):
            metavar, text = _HELP[name]
            kind = click.Option if with_select else AdvancedOption
            is_multiple = name != "--profile"
            function = click.option(name, cls=kind, multiple=is_multiple, metavar=metavar, help=text)(function)
        return function

    return decorate


def profile_from(options: dict[str, Any]) -> Profile:
    """Build the profile from the options, and remove them from `options`.

    Raises:
        preflight.BadProfile: The profile, a rule or a severity does not exist.
    """
    from preflight import PROFILES, BadProfile, load_profile

    name = options.pop("profile") or "default"
    if name not in PROFILES and not (Path(name).suffix or exists(name)):
        choices = f"choose {', '.join(PROFILES)}, or a TOML file"
        raise BadProfile(f"there is no profile {name!r}", did_you_mean(name, PROFILES, choices))
    profile = PROFILES.get(name) or load_profile(name)
    levels = {}
    for pair in names_in(options.pop("severity")):
        rule, equals, level = pair.partition("=")
        if not equals:
            raise BadProfile(f"--severity {pair} names no severity", "write --severity RULE=warning")
        levels[rule] = level
    return profile.changed(
        select=names_in(options.pop("select", ())), ignore=names_in(options.pop("ignore")), levels=levels
    )


_LIMIT_HINT = "add --speaker-limit COSINE, from the model's evaluation or measured with your takes (docs/validate.md)"


def with_chosen_speaker_model(profile: Profile, settings: Settings) -> Profile:
    """Return the profile with the model of the settings, which compares voices in place of the shipped one.

    Raises:
        preflight.EngineMissing: The extra `onnx` is not installed.
        preflight.BadSpeakerModel: The file cannot be read, or the limit is not a cosine.
        SettingError: Only one of the model and its limit is set, or the limit is not a number.
    """
    path, text = settings.text("speaker_model"), settings.text("speaker_limit")
    if path is None:
        if text is not None:
            hint = "add --speaker-model PATH.onnx; profiles set the limit of the shipped model (several-speakers)"
            raise SettingError(f"speaker_limit from {settings['speaker_limit'].origin} has no speaker_model", hint)
        return profile
    if text is None:
        raise SettingError("the speaker model has no limit: that of the shipped model does not fit others", _LIMIT_HINT)
    try:
        limit = float(text)
    except ValueError:
        origin = settings["speaker_limit"].origin
        raise SettingError(f"speaker_limit from {origin} is not a number", "write it like 0.5") from None
    from preflight import SpeakerModel

    return profile.with_speaker_model(SpeakerModel(path, limit))


def names_in(values: tuple[str, ...]) -> list[str]:
    """The names in the values of an option that is repeatable and accepts comma-separated names.

    >>> names_in(("clipped, too-short", "noise"))
    ['clipped', 'too-short', 'noise']
    """
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


class _Time(click.ParamType):  # type: ignore[type-arg]
    """A time in seconds, or in hours, minutes and seconds: 75, 1:15, 0:01:15.5."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        if not re.fullmatch(r"(\d{1,6}:){0,2}\d{1,6}(\.\d{1,9})?", value):
            self.fail(f"{value!r} is not a valid time; write it like 75, 1:15 or 0:01:15.5", param, ctx)
        seconds = 0.0
        for part in value.split(":"):
            seconds = 60 * seconds + float(part)
        return seconds


def fix_options(function: Any) -> Any:
    """Add the options that `fix_options_from` reads."""
    from preflight.fixes.options import EDIT_KINDS, Container, Keep

    time = _Time()
    decorators = [
        click.option("--to", type=click.Choice(get_args(Container)), help="Format to write."),
        click.option(
            "--keep",
            type=click.Choice(get_args(Keep)),
            default="best",
            metavar="WHAT",
            help=f"Part to keep: {', '.join(get_args(Keep))}.",
        ),
        click.option("--from", "start_s", type=time, metavar="TIME", help="Start of the part to keep, e.g. 1:15."),
        click.option("--until", "end_s", type=time, metavar="TIME", help="End of the part to keep."),
        click.option(
            "--loudness",
            "loudness_lufs",
            type=float,
            metavar="LUFS",
            help="Integrated loudness to normalize to.",
        ),
        click.option("--limit", cls=AdvancedOption, is_flag=True, help="Limit peaks at -3 dBTP to reach it."),
        click.option("--edit", multiple=True, metavar="NAME", help=f"{', '.join(EDIT_KINDS)} (repeatable)."),
        click.option("--unsafe", is_flag=True, help="Make every edit that fixes a finding."),
    ]
    for decorate in reversed(decorators):
        function = decorate(function)
    return function


def fix_options_from(options: dict[str, Any]) -> FixOptions:
    """Build `FixOptions` from the options, and remove them from `options`.

    Raises:
        preflight.InvalidFixOptions: An option has an impossible value.
    """
    from preflight import FixOptions

    edits = frozenset(names_in(options.pop("edit")))
    names = ("to", "keep", "start_s", "end_s", "loudness_lufs", "limit", "unsafe")
    return FixOptions(edits=edits, **{name: options.pop(name) for name in names})


_MIN_LENGTH = 5
"""Long enough to refuse "yes" and "no"; a name and a date are longer."""


def _statement(answer: str) -> str:
    if len(answer.strip()) < _MIN_LENGTH:
        raise click.BadParameter("write a name and a date")
    return answer.strip()


def with_known_consent(request: CloneRequest, settings: Settings) -> CloneRequest:
    """The request with its own consent, else with that of the settings, if any."""
    return request if request.consent is not None else replace(request, consent=settings.text("consent"))


def with_consent(request: CloneRequest, settings: Settings) -> CloneRequest:
    """The request with its own consent, else that of the settings, else the user's answer, which is asked for once."""
    request = with_known_consent(request, settings)
    if request.consent is None and not settings.is_local and can_prompt():
        consent = click.prompt(
            "Who agreed that this voice is cloned, and when (such as Ann Example, 2026-11-01)",
            err=True,
            value_proc=_statement,
        )
        settings.remember("consent", consent)
        return replace(request, consent=consent)
    return request
