"""Profiles: how severe each rule is, and where its thresholds lie.

A user's own profile is a TOML file::

    extends = "strict"            # or "default", which is also what stands when nothing is said

    [severity]
    hum = "off"                   # "error", "warning", "info" or "off"

    [thresholds.noisy]
    min_snr_db = 35
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

from preflight.errors import BadProfile, CannotOpen
from preflight.report import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.input.types import PathLike
    from preflight.rules.model import Rule, Subject

Level = Severity | Literal["off"]

_LEVELS: Final = (*get_args(Severity), "off")
_LARGEST: Final = 1e9
_PARTS: Final = ("extends", "severity", "thresholds")


@dataclass(frozen=True)
class Profile:
    """Severities and thresholds where they differ from the rules' own.

    Attributes:
        name: To be shown.
        levels: Severity by rule; ``off`` silences it.
        thresholds: By rule, then by threshold.
    """

    name: str
    levels: Mapping[str, Level] = field(default_factory=dict)
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def severity(self, rule: str) -> Level:
        """How severe the findings of `rule` are."""
        from preflight.rules import RULES

        return self.levels.get(rule, RULES[rule].severity)

    def apply(self, rule: Rule) -> Rule:
        """`rule` with the thresholds of this profile."""
        values = self.thresholds.get(rule.name, {})
        thresholds = (replace(one, value=values.get(one.name, one.value)) for one in rule.thresholds)
        return replace(rule, thresholds=tuple(thresholds)) if values else rule

    def findings(self, subject: Subject) -> tuple[Finding, ...]:
        """What the rules say of `subject`, errors first, otherwise in the order of the rules."""
        from preflight.rules import RULES

        found = [finding for rule in RULES.values() for finding in self._judge(rule, subject)]
        return tuple(sorted(found, key=lambda finding: _LEVELS.index(finding.severity)))

    def _judge(self, rule: Rule, subject: Subject) -> Iterator[Finding]:
        """What `rule` says of `subject`; a finding milder than its rule stays so."""
        level = self.severity(rule.name)
        if level == "off":
            return
        for finding in rule.judge(self.apply(rule), subject):
            if finding.severity == rule.severity and finding.severity != level:
                yield Finding(**{**_fields(finding), "severity": level})
            else:
                yield finding

    def changed(
        self, *, select: Iterable[str] = (), ignore: Iterable[str] = (), levels: Mapping[str, str] | None = None
    ) -> Profile:
        """This profile with other severities.

        Args:
            select: Only these rules speak; all when empty.
            ignore: These do not.
            levels: Severity by rule; it goes before the other two.

        Raises:
            BadProfile: There is no such rule or severity.
        """
        from preflight.rules import RULES

        wanted, unwanted = tuple(select), tuple(ignore)
        silent = [name for name in RULES if wanted and name not in wanted] + list(unwanted)
        _require_rules([*wanted, *unwanted])
        return replace(self, levels={**self.levels, **dict.fromkeys(silent, "off"), **_levels(levels or {})})

    def require_contract(self) -> None:
        """Make sure that what the endpoint itself asks for is not overruled.

        Raises:
            BadProfile: It is.
        """
        from preflight.rules import RULES

        for name, level in self.levels.items():
            if RULES[name].is_contract and level != RULES[name].severity:
                raise BadProfile(
                    f"{name} is what the service itself asks for: it cannot be overruled for what is sent",
                    "overrule it with `onetake check` only",
                )


def _fields(finding: Finding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in finding.__struct_fields__}


def load_profile(path: PathLike) -> Profile:
    """Read a profile from a TOML file.

    Raises:
        BadProfile: It cannot be read, or says what no rule knows.
    """
    from preflight.input.small_text import read_small_text
    from preflight.input.source import display_name

    name = display_name(path)
    try:
        content = tomllib.loads(read_small_text(path))
    except CannotOpen as error:
        raise BadProfile(f"the profile {name!r} cannot be read: {error.message}", error.hint) from error
    except (ValueError, RecursionError) as error:
        raise BadProfile(f"the profile {name!r} is not valid TOML: {error}", "see the profile in the README") from error
    try:
        return _from_toml(name, content)
    except BadProfile as problem:
        raise BadProfile(f"the profile {name!r}: {problem.message}", problem.hint) from None


def _from_toml(name: str, content: Mapping[str, Any]) -> Profile:
    unknown = sorted(set(content) - set(_PARTS))
    if unknown:
        raise BadProfile(f"it has {unknown[0]!r}, which means nothing", f"it can have {', '.join(_PARTS)}")
    base = PROFILES.get(content.get("extends", "default"))
    if base is None:
        raise BadProfile(f"it extends {content['extends']!r}", f"the profiles are {', '.join(PROFILES)}")
    levels, thresholds = content.get("severity", {}), content.get("thresholds", {})
    if not isinstance(levels, dict) or not isinstance(thresholds, dict):
        raise BadProfile("severity and thresholds must be tables", 'write [severity], then lines like hum = "off"')
    merged = {rule: {**base.thresholds.get(rule, {}), **_values(rule, given)} for rule, given in thresholds.items()}
    return Profile(name, {**base.levels, **_levels(levels)}, {**base.thresholds, **merged})


def _levels(given: Mapping[str, Any]) -> dict[str, Level]:
    _require_rules(given)
    for rule, level in given.items():
        if level not in _LEVELS:
            raise BadProfile(f"{rule} has the severity {level!r}", f"severities are {', '.join(_LEVELS)}")
    return cast("dict[str, Level]", dict(given))


def _values(rule: str, given: object) -> dict[str, float]:
    from preflight.rules import RULES

    _require_rules([rule])
    known = [threshold.name for threshold in RULES[rule].thresholds]
    if not isinstance(given, dict):
        raise BadProfile(f"thresholds.{rule} must be a table", f"write [thresholds.{rule}]")
    for name, value in given.items():
        if name not in known:
            hint = f"it has {', '.join(known)}" if known else "it has none that can be set"
            raise BadProfile(f"{rule} has no threshold {name!r}", hint)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - not a number
            raise BadProfile(f"{rule}.{name} is {value!r}", "write a number")
        if not abs(value) < _LARGEST:
            raise BadProfile(f"{rule}.{name} is out of range", f"write a number between -{_LARGEST:g} and {_LARGEST:g}")
    return {name: float(value) for name, value in given.items()}


def _require_rules(names: Iterable[str]) -> None:
    from preflight.rules import RULES

    for name in names:
        if name not in RULES:
            raise BadProfile(f"there is no rule {name!r}", f"the rules are {', '.join(RULES)}")


DEFAULT: Final = Profile("default")
"""What keeps a voice from being cloned well is a warning; an error only where there is no voice at all."""

_ACX_ERRORS: Final = (
    *("little-speech", "clipped", "too-quiet", "too-loud", "noisy", "hum", "narrow-band", "dropouts"),
    *("dead-channel", "out-of-phase"),
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
"""The levels that ACX asks of audiobooks (RMS of -23 to -18 dBFS, peaks at most -3 dBFS, noise floor at most -60 dBFS
RMS), and every fault of the sound an error."""

PROFILES: Final[dict[str, Profile]] = {"default": DEFAULT, "strict": STRICT}
"""The profiles that come with preflight."""
