"""`join`: several short takes of one voice become a recording that is long enough."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import msgspec
import numpy as np

from preflight import limits
from preflight.checks import Examination, check, examine
from preflight.display.text import clock
from preflight.errors import BadOutput, CannotFix
from preflight.fixes.codec_targets import fold_weights, target_for
from preflight.fixes.convert import OVERSHOOT_MARGIN_DB
from preflight.fixes.window import pauses_of, trimmed
from preflight.fixes.write import CONTAINERS, is_folder, require_output, write_verified
from preflight.input.as_path import as_path
from preflight.input.source import Source, display_name
from preflight.input.types import PathLike, Recording
from preflight.media.probe import Probe
from preflight.profile import DEFAULT, Profile
from preflight.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from preflight.analysis.analyze import Progress
    from preflight.fixes.codec_targets import Target
    from preflight.fixes.options import Container
    from preflight.media.decoder import Block
    from preflight.report import Span

BREATH_S: Final = 0.6
"""Between the speech of two takes, of which as much as there is comes from the takes themselves."""
_HIGHEST_DBTP: Final = -1.0
_LOUDEST_ROOM_DBFS: Final = -60.0
_MOST_ATTEMPTS: Final = 4
_NOISE_SEED: Final = 1
"""Fixed, so that the same takes always become the same file."""
_MENDED: Final = frozenset(
    {"too-short", "too-large", "unsupported-format", "extension-mismatch", "too-many-channels", "header-mismatch"}
)
"""What is wrong with a take and is not with what is made of it."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A take as it stands in the result.

    Attributes:
        path: The take, fit to be shown.
        start_s: Where the part that is kept begins in the take.
        end_s: Where it ends there.
        at_s: Where it stands in the result.
        gain_db: By how much it was made louder, so that all are equally loud.
    """

    path: str
    start_s: float
    end_s: float
    at_s: float
    gain_db: float


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """What `join` did.

    Attributes:
        path: The file that was written.
        parts: The takes, in order.
        after: The report of the result.
    """

    path: str
    parts: tuple[Part, ...]
    after: Report


def join(
    recordings: Sequence[Recording],
    out: PathLike,
    *,
    force: bool = False,
    profile: Profile = DEFAULT,
    on_progress: Progress | None = None,
) -> Joined:
    """Join takes of one voice, in their order, to a recording that is ready to be sent.

    All are brought to one loudness, with one gain each, so that no true peak lies above -1 dBTP; silence at their ends
    is cut, and 0.6 s are left between two. That it is one voice is for the user to know.

    Args:
        recordings: The takes, two or more, each as `fix` takes it.
        out: The file to write, ending in .wav, .mp3 or .m4a.
        force: Replace `out` when it exists.
        profile: Severities and thresholds of the rules; those of the contract stand.
        on_progress: As in `fix`: the seconds begin again with each take, and when the result is checked.

    Raises:
        TypeError, ValueError: As `check` does.
        BadProfile: The profile overrules what the service itself asks for.
        CannotFix: A take cannot be used, or together they are too short or too long.
        BadOutput: `out` has another ending, is a folder, or one of the takes.
        OutputExists: `out` exists and `force` was not given.
        CannotWrite: The disk is full, a permission is missing, …; nothing stands under the name of `out`.
    """
    profile.require_contract()
    wanted = Path(os.fsdecode(out))
    if is_folder(wanted):
        raise BadOutput("the output is a folder", "name a file in it")
    with contextlib.ExitStack() as stack:
        paths = [stack.enter_context(as_path(recording)) for recording in recordings]
        return _joined(paths, wanted, force=force, profile=profile, on_progress=on_progress)


def _joined(
    paths: list[PathLike], wanted: Path, *, force: bool, profile: Profile, on_progress: Progress | None
) -> Joined:
    for path in paths:
        require_output(path, wanted, force=force)
    if len(paths) < 2:
        raise CannotFix("there is nothing to join", "name two takes or more")
    takes = [(path, _examined(path, profile, on_progress)) for path in paths]
    form = _form(takes)
    parts = _arranged(takes, _gains(takes, form))
    seconds = parts[-1].at_s + parts[-1].end_s - parts[-1].start_s
    container = CONTAINERS[wanted.suffix.lower()]
    _require_length(seconds, limits.MAX_DURATION_S if container == "wav" else limits.WRITE_BELOW_S)
    container, target = target_for(form, seconds, container, None, is_changed=True)
    verify = partial(check, profile=profile, on_progress=on_progress)
    produce = partial(_produce, takes, parts, container, target, verify)
    parts, after = write_verified(wanted, container, produce, force=force)
    return Joined(path=os.fspath(wanted), parts=parts, after=msgspec.structs.replace(after, path=display_name(wanted)))


def _require_length(seconds: float, longest: float) -> None:
    if seconds < limits.WRITE_ABOVE_S:
        raise CannotFix(
            f"together they last {clock(seconds)}; {clock(limits.WRITE_ABOVE_S)} are needed", "add another take"
        )
    if seconds > longest:
        raise CannotFix(f"together they last {clock(seconds)}; at most {clock(longest)} are possible", "leave one out")


def _examined(path: PathLike, profile: Profile, on_progress: Progress | None) -> Examination:
    examination = examine(path, profile=profile, on_progress=on_progress)
    name = display_name(path)
    wrong = [finding for finding in examination.report.errors if finding.rule not in _MENDED]
    if wrong:
        raise CannotFix(f"{name}: {wrong[0].message}", "leave it out, or record it again")
    return examination


def _arranged(takes: list[tuple[PathLike, Examination]], gains: list[float]) -> tuple[Part, ...]:
    """What is kept of each, and where it stands: between the speech of two there is a breath."""
    windows = [_window(examination) for _, examination in takes]
    gaps = [_gap(*pair) for pair in zip(takes[:-1], takes[1:], windows[:-1], windows[1:], strict=True)]
    lengths = [end - start for start, end in windows]
    places = [0.0, *accumulate(length + gap for length, gap in zip(lengths[:-1], gaps, strict=True))]
    return tuple(
        Part(path=display_name(path), start_s=start, end_s=end, at_s=place, gain_db=gain)
        for (path, _), (start, end), place, gain in zip(takes, windows, places, gains, strict=True)
    )


def _window(examination: Examination) -> Span:
    seconds = examination.subject.duration_s or 0.0
    return trimmed(pauses_of(examination), None, seconds, margin_s=BREATH_S / 2, shortest_s=0.0) or (0.0, seconds)


def _gap(before: tuple[PathLike, Examination], after: tuple[PathLike, Examination], left: Span, right: Span) -> float:
    """What silence the takes themselves lack."""
    spoken = [
        examination.subject.heard.speech if examination.subject.heard else () for _, examination in (before, after)
    ]
    behind = left[1] - spoken[0][-1][1] if spoken[0] else 0.0
    ahead = spoken[1][0][0] - right[0] if spoken[1] else 0.0
    return max(0.0, BREATH_S - behind - ahead)


def _gains(takes: list[tuple[PathLike, Examination]], form: Probe) -> list[float]:
    """To the loudness of the one in the middle, or as much less as keeps all peaks below the highest."""
    loud = [_loudness(path, examination, form) for path, examination in takes]
    reachable = [lufs + _HIGHEST_DBTP - peak for lufs, peak in loud]
    target = min(float(np.median([lufs for lufs, _ in loud])), *reachable)
    return [round(target - lufs, 2) for lufs, _ in loud]


def _loudness(path: PathLike, examination: Examination, form: Probe) -> tuple[float, float]:
    """Integrated loudness and true peak in the channels in which the take will be written."""
    from preflight.fixes.dsp import loudness_of

    window = _window(examination)
    with Source.open(path) as source:
        facts = examination.subject.probe or form
        found = loudness_of(_mixed(source, examination, window, form.channels), facts.sample_rate_hz)
    if found.lufs is None:
        name = display_name(path)
        raise CannotFix(f"{name}: it is too quiet or too short to have a loudness", "leave it out")
    return found.lufs, found.dbtp


def _form(takes: list[tuple[PathLike, Examination]]) -> Probe:
    """The highest rate and word length, and two channels only where all have two."""
    probes = [examination.subject.probe for _, examination in takes if examination.subject.probe]
    rate = min(48_000, max(probe.sample_rate_hz for probe in probes))
    channels = 2 if all(probe.channels == 2 for probe in probes) else 1
    bits = max((probe.bits or 16) for probe in probes)
    return Probe("wav", "pcm_s16le", rate, channels, bits=bits)


def _produce(
    takes: list[tuple[PathLike, Examination]],
    parts: tuple[Part, ...],
    container: Container,
    target: Target,
    verify: Callable[[Path], Report],
    file: IO[bytes],
    temporary: Path,
) -> tuple[tuple[Part, ...], Report]:
    """Write and verify; where an encoder overshoots full scale, write it again at a lower level."""
    from preflight.fixes.encode import encode

    for attempt in range(_MOST_ATTEMPTS):
        file.seek(0)
        file.truncate()
        encode(_sound(takes, parts, target), target.sample_rate_hz, file, container, target)
        file.flush()
        after = verify(temporary)
        if after.verdict != "ready":
            reasons = "; ".join(finding.message for finding in after.errors)
            raise CannotFix(f"the result would not be accepted: {reasons}", "use other takes")
        over_db = after.measurements["sample_peak_dbfs"]
        if over_db <= 0 or attempt == _MOST_ATTEMPTS - 1:
            break
        parts = tuple(
            msgspec.structs.replace(part, gain_db=round(part.gain_db - over_db - OVERSHOOT_MARGIN_DB, 2))
            for part in parts
        )
    return parts, after


def _sound(takes: list[tuple[PathLike, Examination]], parts: tuple[Part, ...], target: Target) -> Iterator[Block]:
    """All parts one after the other, at the target's rate and channels, each faded at its ends."""
    position, noise = 0, np.random.default_rng(_NOISE_SEED)
    room = 10 ** (min(_room_dbfs(examination, part) for (_, examination), part in zip(takes, parts, strict=True)) / 20)
    for (path, examination), part in zip(takes, parts, strict=True):
        lacking = round(part.at_s * target.sample_rate_hz) - position
        if lacking > 0:
            yield (noise.standard_normal((lacking, target.channels)) * room).astype(np.float32)
            position += lacking
        with Source.open(path) as source:
            for block in _part(source, examination, part, target):
                yield block
                position += len(block)


def _room_dbfs(examination: Examination, part: Part) -> float:
    """How loud its room is in the result: nothing at all would be heard as a hole."""
    floor = examination.report.measurements.get("noise_floor_dbfs", _LOUDEST_ROOM_DBFS)
    return min(_LOUDEST_ROOM_DBFS, floor + part.gain_db)


def _part(source: Source, examination: Examination, part: Part, target: Target) -> Iterator[Block]:
    from preflight.fixes.filters import filtered

    rate = examination.subject.probe.sample_rate_hz if examination.subject.probe else target.sample_rate_hz
    factor = np.float32(10 ** (part.gain_db / 20))
    mixed = _mixed(source, examination, (part.start_s, part.end_s), target.channels)
    louder = (np.asarray(block * factor, np.float32) for block in mixed)
    if rate == target.sample_rate_hz:
        return louder
    return filtered(louder, rate, [("aresample", str(target.sample_rate_hz))])


def _mixed(source: Source, examination: Examination, window: Span, channels: int) -> Iterator[Block]:
    """What is kept of a take, faded at its ends, in so many channels."""
    from preflight.fixes.cut import keep_window
    from preflight.media.decoder import Decoder

    facts, decoded = examination.subject.probe, examination.subject.decoded
    if facts is None or decoded is None or decoded.channels is None:
        raise CannotFix(f"{examination.report.path}: its sound is not known", "check it first")
    weights = np.eye(facts.channels, dtype=np.float32)
    if channels != facts.channels:
        weights = np.array([fold_weights(decoded.channels)], np.float32).T
    blocks = keep_window(Decoder(source, facts).blocks(), facts.sample_rate_hz, window, fades=(True, True))
    return (np.asarray(block @ weights, np.float32) for block in blocks)
