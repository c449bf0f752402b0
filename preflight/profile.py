"""Profiles: the severity and the thresholds of each rule.

A custom profile is a TOML file::

    extends = "strict"            # or "default", the default
    speakers = true               # check for several speakers; false is the default

    [severity]
    hum = "off"                   # "error", "warning", "info" or "off"

    [thresholds.noisy]
    min_snr_db = 35               # below this, there is a finding, and the quality is at most fair

    [poor.noisy]
    min_snr_db = 20               # below this, the quality is poor
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

from preflight.display.text import did_you_mean
from preflight.errors import BadProfile, CannotOpen
from preflight.report import Finding, Severity

if TYPE_CHECKING:
    from preflight.analysis.analysis import Analysis
    from preflight.input.recording import PathLike
    from preflight.rules.model import Rule
    from preflight.speaker_model import SpeakerModel

Level = Severity | Literal["off"]

_LEVELS: Final = (*get_args(Severity), "off")
_MAX_VALUE: Final = 1e9
_NEVER: Final = -1.0
"""No cosine is below it."""
_TABLES: Final = ("severity", "thresholds", "poor")
_KEYS: Final = ("extends", "speakers", *_TABLES)


@dataclass(frozen=True)
class Profile:
    """Severities and thresholds that replace those of the rules.

    Attributes:
        name: The name for display.
        levels: The severity by rule name; ``off`` disables the rule.
        thresholds: The values by rule name and threshold name.
        poor: The limits of poor quality by rule name and threshold name.
        speakers: Whether the voices in a recording are compared, for ``several-speakers``. It takes up to 0.25 s of CPU
            time for each recording.
        speaker_model: The model that compares them; None for the shipped one. See `with_speaker_model`.
    """

    name: str
    levels: Mapping[str, Level] = field(default_factory=dict)
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    poor: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    speakers: bool = False
    speaker_model: SpeakerModel | None = None

    @property
    def compares_voices(self) -> bool:
        """Whether `speakers` is set, and the rule that needs it is not disabled."""
        return self.speakers and self.severity("several-speakers") != "off"

    def with_speakers(self) -> Profile:
        """Return this profile with `speakers` set."""
        return replace(self, speakers=True)

    def with_speaker_model(self, model: SpeakerModel | None) -> Profile:
        """Return this profile with `model`, and its limit in place of those of the shipped model.

        Thresholds for ``several-speakers`` that the profile sets itself are kept. Without such a one there is no poor
        quality by the voices: a single limit does not say how far beyond it is poor.
        """
        if model is None:
            return self
        rule, name = "several-speakers", "min_second_voice_cosine"
        return replace(
            self,
            speaker_model=model,
            thresholds={**self.thresholds, rule: {name: model.limit, **self.thresholds.get(rule, {})}},
            poor={**self.poor, rule: {name: _NEVER, **self.poor.get(rule, {})}},
        )

    @property
    def same_voice_cosine(self) -> float:
        """The lowest cosine at which two takes count as one voice."""
        from preflight.analysis.speakers.voices import SAME_VOICE_COSINE

        return SAME_VOICE_COSINE if self.speaker_model is None else self.speaker_model.limit

    def severity(self, rule: str) -> Level:
        """Return the severity of the findings of `rule`."""
        from preflight.rules import RULES

        return self.levels.get(rule, RULES[rule].severity)

    def apply(self, rule: Rule) -> Rule:
        """Return `rule` with the thresholds of this profile."""
        values, poor = self.thresholds.get(rule.name, {}), self.poor.get(rule.name, {})
        thresholds = (
            replace(one, value=values.get(one.name, one.value), poor=poor.get(one.name, one.poor))
            for one in rule.thresholds
        )
        return replace(rule, thresholds=tuple(thresholds)) if values or poor else rule

    def findings(self, analysis: Analysis) -> tuple[Finding, ...]:
        """Return the findings about `analysis`, errors first, otherwise in the order of the rules."""
        found: list[Finding] = []
        for rule, level in self._applied:
            for finding in rule.judge(rule, analysis):
                # one with a lower severity than its rule keeps it
                is_changed = finding.severity == rule.severity != level
                found.append(Finding(**{**_fields(finding), "severity": level}) if is_changed else finding)
        return tuple(sorted(found, key=lambda finding: _LEVELS.index(finding.severity)))

    @cached_property
    def _applied(self) -> tuple[tuple[Rule, Level], ...]:
        """The rules that are not disabled, with the thresholds and severities of this profile."""
        from preflight.rules import RULES

        levels: dict[str, Level] = {name: self.levels.get(name, rule.severity) for name, rule in RULES.items()}
        return tuple((self.apply(rule), levels[name]) for name, rule in RULES.items() if levels[name] != "off")

    def __getstate__(self) -> dict[str, Any]:
        """Return what `pickle` stores: the fields without `_applied`."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def changed(
        self, *, select: Iterable[str] = (), ignore: Iterable[str] = (), levels: Mapping[str, str] | None = None
    ) -> Profile:
        """Return this profile with other severities.

        Args:
            select: The rules to run; all if empty.
            ignore: Rules to disable.
            levels: The severity by rule name; takes precedence over the other two.

        Raises:
            BadProfile: A rule or severity does not exist.
        """
        from preflight.rules import RULES

        selected, ignored = tuple(select), tuple(ignore)
        disabled = [name for name in RULES if selected and name not in selected] + list(ignored)
        _require_rules([*selected, *ignored])
        return replace(self, levels={**self.levels, **dict.fromkeys(disabled, "off"), **_levels(levels or {})})

    def require_contract(self) -> None:
        """Make sure that no rule of the endpoint's contract is overridden.

        Raises:
            BadProfile: The profile changes the severity of such a rule.
        """
        from preflight.rules import RULES

        for name, level in self.levels.items():
            if RULES[name].is_contract and level != RULES[name].severity:
                raise BadProfile(
                    f"{name} is a requirement of the service and cannot be overridden for recordings that are sent",
                    "override it with `onetake check` only",
                )


def _fields(finding: Finding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in finding.__struct_fields__}


def load_profile(path: PathLike) -> Profile:
    """Read a profile from a TOML file.

    Raises:
        BadProfile: The file cannot be read, is not valid TOML, or names an unknown rule, severity or threshold.
    """
    from preflight.input.small_text import read_small_text
    from preflight.input.source import display_name

    name = display_name(path)
    try:
        content = tomllib.loads(read_small_text(path))
    except CannotOpen as error:
        raise BadProfile(f"the profile {name!r} cannot be read: {error.message}", error.hint) from error
    except (ValueError, RecursionError) as error:
        raise BadProfile(
            f"the profile {name!r} is not valid TOML: {error}", "docs/validate.md has an example"
        ) from error
    try:
        return _from_toml(name, content)
    except BadProfile as problem:
        raise BadProfile(f"the profile {name!r}: {problem.message}", problem.hint) from None


def _from_toml(name: str, content: Mapping[str, Any]) -> Profile:
    unknown = sorted(set(content) - set(_KEYS))
    if unknown:
        keys = f"valid keys: {', '.join(_KEYS)}"
        raise BadProfile(f"unknown key {unknown[0]!r}", did_you_mean(unknown[0], _KEYS, keys))
    base = PROFILES.get(content.get("extends", "default"))
    if base is None:
        name = content["extends"]
        profiles = f"profiles: {', '.join(PROFILES)}"
        raise BadProfile(f"unknown profile {name!r} in extends", did_you_mean(name, PROFILES, profiles))
    tables = [content.get(table, {}) for table in _TABLES]
    if not all(isinstance(table, dict) for table in tables):
        raise BadProfile(
            "severity, thresholds and poor must be tables", 'write [severity], then lines like hum = "off"'
        )
    levels, thresholds, poor = tables
    speakers = content.get("speakers", base.speakers)
    if not isinstance(speakers, bool):
        raise BadProfile(f"speakers is {speakers!r}, not true or false", "write speakers = true")
    return Profile(
        name,
        {**base.levels, **_levels(levels)},
        _merged_values(base.thresholds, thresholds, "thresholds"),
        _merged_values(base.poor, poor, "poor"),
        speakers,
    )


def _merged_values(
    base: Mapping[str, Mapping[str, float]], given: Mapping[str, Any], table: str
) -> dict[str, Mapping[str, float]]:
    return {**base, **{rule: {**base.get(rule, {}), **_values(rule, each, table)} for rule, each in given.items()}}


def _levels(given: Mapping[str, Any]) -> dict[str, Level]:
    _require_rules(given)
    for rule, level in given.items():
        if level not in _LEVELS:
            severities = f"severities: {', '.join(_LEVELS)}"
            raise BadProfile(f"unknown severity {level!r} for {rule}", did_you_mean(level, _LEVELS, severities))
    return cast("dict[str, Level]", dict(given))


def _values(rule: str, given: object, table: str) -> dict[str, float]:
    from preflight.rules import RULES

    _require_rules([rule])
    known = [threshold.name for threshold in RULES[rule].thresholds]
    if not isinstance(given, dict):
        raise BadProfile(f"{table}.{rule} must be a table", f"write [{table}.{rule}]")
    for name, value in given.items():
        if name not in known:
            thresholds = f"thresholds of {rule}: {', '.join(known)}" if known else f"{rule} has no thresholds"
            raise BadProfile(f"{rule} has no threshold {name!r}", did_you_mean(name, known, thresholds))
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN
            raise BadProfile(f"{rule}.{name} is {value!r}, not a number", "write a number")
        if not abs(value) < _MAX_VALUE:
            raise BadProfile(
                f"{rule}.{name} is out of range", f"write a number between -{_MAX_VALUE:g} and {_MAX_VALUE:g}"
            )
    return {name: float(value) for name, value in given.items()}


def _require_rules(names: Iterable[str]) -> None:
    from preflight.rules import RULES

    for name in names:
        if name not in RULES:
            raise BadProfile(f"unknown rule {name!r}", did_you_mean(name, RULES, f"rules: {', '.join(RULES)}"))


DEFAULT: Final = Profile("default")
"""Quality problems are warnings; they are an error only if there is no voice at all."""

_ACX_ERRORS: Final = (
    *("little-speech", "clipped", "too-quiet", "too-loud", "noisy", "hum", "narrow-band", "dropouts"),
    *("splices", "dead-channel", "out-of-phase"),
)
STRICT: Final = Profile(
    "strict",
    levels={**dict.fromkeys(_ACX_ERRORS, "error"), "unsure-voice": "error", "gated": "warning"},
    thresholds={
        "too-quiet": {"min_rms_dbfs": -23.0},
        "too-loud": {"max_rms_dbfs": -18.0, "max_peak_dbfs": -3.0},
        "noisy": {"max_noise_floor_dbfs": -60.0},
    },
)
"""The level requirements of ACX for audiobooks (RMS from -23 to -18 dBFS, peaks up to -3 dBFS, noise floor up to
-60 dBFS RMS), with all quality problems as errors."""

PROFILES: Final[dict[str, Profile]] = {"default": DEFAULT, "strict": STRICT}
"""The built-in profiles."""
