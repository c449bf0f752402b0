"""Decide what a take needs, and no more. Nothing is read or written here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from preflight import limits
from preflight.errors import CannotFix
from preflight.repair.pauses import find_pauses, first_cut_after, last_cut_before
from preflight.wording import clock, megabytes

if TYPE_CHECKING:
    from preflight.checking import Examination
    from preflight.meters.levels import LevelMeter
    from preflight.probe import Probe
    from preflight.report import Report, Span

Container = Literal["wav", "mp3", "m4a"]
Action = Literal["keep", "rename", "rewrap", "convert"]

_WAV_HEADER_BYTES = 1024
_CONTAINER_SHARE = 0.97
"""Of the bytes that fit, this part is left for the coded sound; the rest is for the container."""
_HIGHEST_BPS = {"m4a": {1: 192_000, 2: 384_000}, "mp3": {1: 192_000, 2: 320_000}}
_RATES_HZ = {
    "m4a": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
    "mp3": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
}
_CHANNEL_RANGE_DB = 40.0
"""A channel this far below the loudest carries no voice of its own, only crosstalk or noise."""


@dataclass(frozen=True)
class Target:
    """What is written when the sound has to be coded anew.

    Attributes:
        sample_rate_hz: Samples a second and channel.
        channels: 1 or 2.
        bits: Bits of a sample, for WAV.
        bit_rate_bps: Bits a second, for M4A and MP3.
        dither: Whether word length falls, so that the error must be made noise.
        fold: The weight of each source channel in the mono result; None when channels stay.
    """

    sample_rate_hz: int
    channels: int
    bits: int = 16
    bit_rate_bps: int = 0
    dither: bool = False
    fold: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Plan:
    """What will be done to a take.

    Attributes:
        action: ``keep`` the bytes, ``rename`` (the bytes under another ending), ``rewrap`` (the coded sound in
            a new container, nothing lost) or ``convert`` (decode and code once).
        container: Of the result.
        window: What is kept, as (start, end) in seconds of the decoded sound; None for all.
        target: How the result is coded; None unless `action` is ``convert``.
        steps: Each change, in words.
    """

    action: Action
    container: Container
    window: Span | None = None
    target: Target | None = None
    steps: tuple[str, ...] = ()


def plan(examination: Examination, to: Container | None = None) -> Plan:
    """The smallest change that makes a take ready.

    Args:
        examination: What is known of it.
        to: The container to write where something has to be written; by default WAV if it fits into 20 MB,
            else M4A.

    Raises:
        CannotFix: It cannot be made ready, or not in the container asked for.
    """
    report, facts = examination.report, examination.subject.probe
    problem = examination.subject.problem
    if problem is not None:
        raise CannotFix(problem.message, problem.hint or "open it in a player; if that fails too, export it again")
    _refuse_what_cannot_be(report)
    levels = examination.levels
    if facts is None or levels is None:
        raise CannotFix("only its headers were read", "check it without --quick first")
    rules = {finding.rule for finding in report.errors}
    if rules <= {"extension-mismatch"}:
        return _as_it_is(facts, renamed=bool(rules))
    rewrapped = _rewrap(examination, rules, to)
    return rewrapped or convert_plan(examination, to)


def _refuse_what_cannot_be(report: Report) -> None:
    hopeless = [finding for finding in report.errors if not finding.fix]
    if hopeless:
        raise CannotFix("; ".join(finding.message for finding in hopeless), "make or export another recording")


def _as_it_is(facts: Probe, *, renamed: bool) -> Plan:
    container = _accepted(facts.container)
    if not renamed:
        return Plan("keep", container)
    return Plan("rename", container, steps=(f"give it the ending {limits.ACCEPTED[container]}; the bytes stay",))


def _accepted(name: str) -> Container:
    if name not in limits.ACCEPTED:
        raise CannotFix(f"{name} is not accepted", "convert it")
    return cast("Container", name)


def _rewrap(examination: Examination, rules: set[str], to: Container | None) -> Plan | None:
    """Copy the coded sound into a new container where that mends everything."""
    facts, decoded = examination.subject.probe, examination.subject.decoded
    mendable = {"unsupported-format", "extension-mismatch", "header-mismatch", "truncated"}
    home: dict[str, Container] = {"aac": "m4a", "mp3": "mp3"}
    if facts is None or decoded is None or decoded.changes or facts.codec not in home:
        return None
    container = home[facts.codec]
    if not rules <= mendable or (to or container) != container:
        return None
    return Plan(
        "rewrap",
        container,
        steps=(f"copy the {facts.codec.upper()} sound as it is into a new {container.upper()}",),
    )


def convert_plan(examination: Examination, to: Container | None = None) -> Plan:
    """Decode once, cut and fold where needed, code once.

    Raises:
        CannotFix: Nothing long enough is left, or it does not fit in the container asked for.
    """
    facts, levels = examination.subject.probe, examination.levels
    seconds = examination.subject.duration_s
    if facts is None or levels is None or seconds is None:
        raise CannotFix("its sound is not known", "check it first")
    window = _window(examination, levels, seconds, limits.MAX_DURATION_S)
    container, target = _target(facts, levels, window[1] - window[0] if window else seconds, to)
    if container != "wav" and window is None:
        # what a lossy coding adds at the ends must not carry it over the limit
        window = _window(examination, levels, seconds, limits.MAX_DURATION_S - limits.LOSSY_MARGIN_S)
    steps = []
    if window:
        steps.append(f"keep {clock(window[0])} to {clock(window[1])} of {clock(seconds)}, cut at a pause")
    if target.fold:
        steps.append(f"fold {facts.channels} channels down to one")
    if target.sample_rate_hz != facts.sample_rate_hz:
        steps.append(f"resample {facts.sample_rate_hz} Hz to {target.sample_rate_hz} Hz")
    coding = f"{target.bits}-bit PCM" if container == "wav" else f"{target.bit_rate_bps // 1000} kbit/s, coded once"
    steps.append(f"write {container.upper()} ({coding})")
    return Plan("convert", container, window, target, tuple(steps))


def _window(examination: Examination, levels: LevelMeter, seconds: float, longest: float) -> Span | None:
    """What to keep of the decoded sound: the most that lies between two pauses, is whole, and not over `longest`."""
    decoded = examination.subject.decoded
    has_error = any(finding.rule == "damaged" for finding in examination.report.errors)
    stretches = decoded.whole_stretches if decoded and has_error else ((0.0, seconds),)
    if stretches == ((0.0, seconds),) and seconds <= longest:
        return None
    pauses = find_pauses(levels.frame_levels_dbfs(), levels.frame_s)
    runs = [run for stretch in stretches if (run := _between_pauses(stretch, pauses, seconds))]
    if not runs:
        raise CannotFix("there is no pause at which it could be cut", "cut it yourself, at a quiet place")
    begin, stop = max(runs, key=lambda run: run[1] - run[0])
    if stop - begin < limits.WRITE_ABOVE_S:
        raise CannotFix(
            f"only {clock(max(0.0, stop - begin))} between two pauses is whole and short enough; "
            f"{clock(limits.MIN_DURATION_S)} are needed",
            "make or export another recording",
        )
    return begin, stop


def _between_pauses(stretch: Span, pauses: list[Span], seconds: float) -> Span | None:
    """The most of `stretch` that begins and ends at a pause, or at an end of the take itself."""
    start, end = stretch
    begin = 0.0 if start == 0.0 else first_cut_after(pauses, start)
    if begin is None:
        return None
    last = min(end, begin + limits.WRITE_BELOW_S)
    stop = seconds if last == seconds else last_cut_before(pauses, last)
    return None if stop is None else (begin, stop)


def _target(facts: Probe, levels: LevelMeter, seconds: float, to: Container | None) -> tuple[Container, Target]:
    fold = _fold(levels) if facts.channels > limits.MAX_CHANNELS else None
    channels = 1 if fold else facts.channels
    source_bits = facts.bits or 32  # a lossy decoder answers in floating point
    for bits in (24, 16) if facts.bits and facts.bits > 16 else (16,):
        size = _WAV_HEADER_BYTES + seconds * facts.sample_rate_hz * channels * bits / 8
        if to in (None, "wav") and size <= limits.SAFE_BYTES:
            return "wav", Target(facts.sample_rate_hz, channels, bits, dither=bits < source_bits, fold=fold)
    if to == "wav":
        raise CannotFix(
            f"as WAV it would have {megabytes(int(size))}; at most 20 MB are accepted", "write .m4a or .mp3"
        )
    container: Container = to or "m4a"
    rates = [rate for rate in _RATES_HZ[container] if rate >= facts.sample_rate_hz]
    fitting = int(limits.SAFE_BYTES * _CONTAINER_SHARE * 8 / seconds)
    bit_rate = min(_HIGHEST_BPS[container][channels], fitting)
    return container, Target(rates[0] if rates else 48_000, channels, bit_rate_bps=bit_rate // 1000 * 1000, fold=fold)


def _fold(levels: LevelMeter) -> tuple[float, ...]:
    """Equal weights for the channels that carry sound: silent ones must not make the voice weaker."""
    power = levels.channel_levels_dbfs()
    active = power >= power.max() - _CHANNEL_RANGE_DB
    return tuple((active / active.sum()).tolist())
