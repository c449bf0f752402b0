"""Options of `fix`: format, part to keep, loudness and optional edits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

from preflight.display.text import did_you_mean
from preflight.errors import InvalidFixOptions

Container = Literal["wav", "mp3", "m4a"]
Keep = Literal["best", "start", "longest-run"]

DEFAULT_LUFS: Final = -20.0
"""The target of `unsafe` where a recording is too quiet or too loud: the middle of the range that the rules accept."""
_LUFS_RANGE: Final = (-40.0, -9.0)
_MAX_TIME_S: Final = 1e6
"""Longer than any recording."""


class EditKind(NamedTuple):
    """An edit that can be requested by name.

    Attributes:
        rules: The findings that it fixes.
        is_safe: Whether nothing audible is lost.
        description: What it does, for plans and reports.
    """

    rules: tuple[str, ...]
    is_safe: bool
    description: str


EDIT_KINDS: Final = {
    "trim-silence": EditKind(("edge-silence",), True, "trim silence at the start and the end"),
    "fix-polarity": EditKind(("out-of-phase",), True, "invert one channel that is out of phase"),
    "mono": EditKind(("false-stereo", "out-of-phase", "dead-channel", "separate-speakers"), False, "downmix to mono"),
    "shorten-pauses": EditKind(("long-pause",), False, "shorten long pauses to one second"),
    "remove-dc": EditKind(("dc-offset",), False, "remove the DC offset"),
    "notch-hum": EditKind(("hum",), False, "filter out mains hum and its harmonics"),
    "high-pass": EditKind((), False, "filter out rumble below 80 Hz"),
}
"""`loudness_lufs` fixes the findings `too-quiet` and `too-loud`, which have no edit here."""


@dataclass(frozen=True)
class FixOptions:
    """Options of `fix`. The default is the smallest change that makes a recording ready.

    Attributes:
        to: Container to write; None for the one that needs the fewest changes.
        keep: Part to keep of a recording that is too long; see `window.choose_window`.
        start_s: Start of the part to keep, in seconds; None for the start of the recording.
        end_s: End of the part to keep, in seconds; None for the end of the recording.
        loudness_lufs: Target for the integrated loudness, reached with one constant gain; None to leave it unchanged.
        limit: Limit peaks if the target needs it; otherwise the gain stops where a peak reaches -3 dBTP.
        edits: Names of `EDIT_KINDS`.
        unsafe: Make every edit that fixes a finding, including those that change how the recording sounds.

    Raises:
        InvalidFixOptions: An option has an unknown or impossible value.
    """

    to: Container | None = None
    keep: Keep = "best"
    start_s: float | None = None
    end_s: float | None = None
    loudness_lufs: float | None = None
    limit: bool = False
    edits: frozenset[str] = frozenset()
    unsafe: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "edits", frozenset(self.edits))
        unknown = sorted(self.edits - EDIT_KINDS.keys())
        if self.to not in (None, *get_args(Container)):
            raise InvalidFixOptions(f"unknown format {self.to!r}", f"use {', '.join(get_args(Container))}")
        if self.keep not in get_args(Keep):
            raise InvalidFixOptions(f"unknown part to keep {self.keep!r}", f"use {', '.join(get_args(Keep))}")
        if unknown:
            hint = did_you_mean(unknown[0], EDIT_KINDS, f"use {', '.join(EDIT_KINDS)}")
            raise InvalidFixOptions(f"unknown edit {unknown[0]!r}", hint)
        start = self.start_s or 0.0
        # written so that NaN, which compares false with everything, fails too
        if not 0 <= start < _MAX_TIME_S or (self.end_s is not None and not start < self.end_s < _MAX_TIME_S):
            raise InvalidFixOptions("the part to keep must end after it starts", "choose a later end")
        low, high = _LUFS_RANGE
        if self.loudness_lufs is not None and not low <= self.loudness_lufs <= high:
            raise InvalidFixOptions(
                f"a loudness of {self.loudness_lufs:g} LUFS is not suitable for speech",
                f"use {low:g} to {high:g} LUFS",
            )
        if self.limit and self.loudness_lufs is None:
            raise InvalidFixOptions("limiting needs a target loudness", "set the loudness, too")

    @property
    def has_window(self) -> bool:
        """Whether the part to keep is given by `start_s` or `end_s`."""
        return self.start_s is not None or self.end_s is not None

    def edits_for(self, found: frozenset[str], *, writes_file: bool) -> frozenset[str]:
        """Return the names of the edits to make.

        Args:
            found: The rules with findings.
            writes_file: Whether a new file has to be written anyway: then safe edits are made, too.
        """
        matching = {name for name, kind in EDIT_KINDS.items() if found & set(kind.rules)}
        safe = {name for name in matching if EDIT_KINDS[name].is_safe and writes_file}
        return self.edits | safe | (matching if self.unsafe else frozenset())


MINIMAL: Final = FixOptions()
"""Only what the service requires."""
