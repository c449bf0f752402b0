"""What a user asks of a mended recording, beyond what the service asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

from preflight.errors import InvalidFixOptions

Container = Literal["wav", "mp3", "m4a"]
Keep = Literal["best", "start", "longest-run"]

USUAL_LUFS: Final = -20.0
"""Where `unsafe` brings what is too quiet or too loud: the middle of what the rules take for normal."""
_LUFS: Final = (-40.0, -9.0)
_LATEST_S: Final = 1e6
"""Later than in any recording."""


class Kind(NamedTuple):
    """What there is to know of an edit that can be asked for by its name.

    Attributes:
        rules: The findings that it answers.
        is_safe: Whether nothing audible is lost.
        what: What it does, in words.
    """

    rules: tuple[str, ...]
    is_safe: bool
    what: str


KINDS: Final = {
    "trim-silence": Kind(("edge-silence",), True, "cut away silence at the beginning and the end"),
    "fix-polarity": Kind(("out-of-phase",), True, "invert one channel that is out of phase"),
    "mono": Kind(
        ("false-stereo", "out-of-phase", "dead-channel", "separate-speakers"), False, "make one channel of two"
    ),
    "shorten-pauses": Kind(("long-pause",), False, "shorten long pauses to a second"),
    "remove-dc": Kind(("dc-offset",), False, "bring the wave back to zero"),
    "notch-hum": Kind(("hum",), False, "take out the mains hum and its harmonics"),
    "high-pass": Kind((), False, "take out rumble below 80 Hz"),
}
"""Each can be asked for by its name; `loudness_lufs` answers `too-quiet` and `too-loud`."""


@dataclass(frozen=True)
class FixOptions:
    """What is wanted; by default the smallest change that makes a recording ready.

    Attributes:
        to: The container to write; None for what changes least.
        keep: Which part of a recording that is too long; see `window.chosen_window`.
        start_s: Where what is kept begins, by hand; None for the beginning.
        end_s: Where it ends; None for the end.
        loudness_lufs: The integrated loudness to bring it to, with one gain for all of it; None to leave it.
        limit: Whether peaks may be limited for that; else the gain stops where a peak reaches -3 dBTP.
        edits: Names of `KINDS`.
        unsafe: Have all edits that answer a finding, also those that change the sound.

    Raises:
        InvalidFixOptions: What does not exist, or cannot be.
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
        unknown = sorted(self.edits - KINDS.keys())
        if self.to not in (None, *get_args(Container)):
            raise InvalidFixOptions(f"{self.to!r} cannot be written", f"there are {', '.join(get_args(Container))}")
        if self.keep not in get_args(Keep):
            raise InvalidFixOptions(f"there is no way to keep {self.keep!r}", f"there are {', '.join(get_args(Keep))}")
        if unknown:
            raise InvalidFixOptions(f"there is no edit {unknown[0]!r}", f"there are {', '.join(KINDS)}")
        start = self.start_s or 0.0
        if not 0 <= start < _LATEST_S or (self.end_s is not None and not start < self.end_s < _LATEST_S):
            raise InvalidFixOptions("the part to keep ends before it begins, or lies nowhere", "give a later end")
        if self.loudness_lufs is not None and not _LUFS[0] <= self.loudness_lufs <= _LUFS[1]:
            raise InvalidFixOptions(f"{self.loudness_lufs:g} LUFS is no loudness for speech", "give one from -40 to -9")
        if self.limit and self.loudness_lufs is None:
            raise InvalidFixOptions("limiting is for a loudness that is wanted", "say which, too")

    @property
    def has_window(self) -> bool:
        """Whether the part to keep is given by hand."""
        return self.start_s is not None or self.end_s is not None

    def wanted(self, found: frozenset[str], *, is_written: bool) -> frozenset[str]:
        """The names of the edits to make.

        Args:
            found: The rules that found something.
            is_written: Whether a new file has to be written anyway: then what is safe is done, too.
        """
        answering = {name for name, kind in KINDS.items() if found & set(kind.rules)}
        safe = {name for name in answering if KINDS[name].is_safe and is_written}
        return self.edits | safe | (answering if self.unsafe else frozenset())


SMALLEST: Final = FixOptions()
"""Nothing but what the service asks for."""
