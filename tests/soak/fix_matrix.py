"""Fix hundreds of recordings, each format with each defect: `python -m tests.soak.fix_matrix`.

Every fixable recording must become ready, keep the audio that did not need a change, and decode to the same length with
every decoder. The run fails if it did not exercise every kind of fix.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
import traceback
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import av
import numpy as np
import soundfile

import preflight
from preflight import FixOptions
from preflight.input.source import Source
from preflight.media.decoder import Decoder
from preflight.media.probe import probe
from tests.fuzz.recordings import broken, committed
from tests.soak.formats import made, makers
from tests.support import make_audio as making

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

SECONDS: Final = 26.0
_LEAST_CORRELATION: Final = 0.999
_LEAST_CORRELATION_LOSSY: Final = 0.98
"""After re-encoding with a lossy codec."""
_LONGEST_FRAME: Final = 2048
_ENDINGS: Final = {"caf": ".caf", "mp3": ".mp3", "wav": ".wav", "ipod": ".m4a"}

OPTIONS: Final = (
    FixOptions(),
    FixOptions(unsafe=True),
    FixOptions(start_s=1.0, end_s=12.0),
    FixOptions(to="mp3"),
    FixOptions(loudness_lufs=-20.0, limit=True),
    FixOptions(edits=frozenset({"mono", "shorten-pauses", "high-pass", "trim-silence"})),
)
ACTIONS: Final = ("keep", "rename", "rewrap", "convert", "not fixable")
"""What a full run must meet at least once: `keep` is the action for broken recordings that are ready."""
_TOLERANT: Final = preflight.PROFILES["default"].changed(ignore=["no-speech"])


class Case(NamedTuple):
    """A recording to fix, and the function that makes it, so that a sample of the cases is fast."""

    name: str
    make: Callable[[], bytes]
    ending: str


def _truncated(data: bytes) -> bytes:
    return data[: int(len(data) * 0.7)]


def _bit_errors(data: bytes) -> bytes:
    return making.rotten(data, 0.85, 300)


def _with_trailing_bytes(data: bytes) -> bytes:
    return data + bytes(range(256)) * 20


DEFECTS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "unchanged": bytes,
    "truncated": _truncated,
    "with bit errors": _bit_errors,
    "with trailing bytes": _with_trailing_bytes,
}


def cases() -> Iterator[Case]:
    """Yield each format with each defect, and recordings that are too long, multichannel, or have a wrong extension."""
    for name, make in makers(SECONDS).items():
        ending = "." + name.rpartition(".")[2]
        for defect, spoiled in DEFECTS.items():
            yield Case(f"{name}, {defect}", partial(_spoilt, make, spoiled), _ENDINGS.get(ending[1:], ending))
        yield Case(f"{name}, wrong extension", make, ".mp3" if ending != ".mp3" else ".wav")
    long = making.at_rate(making.talk(330), 8000)
    for seconds in (301, 330):
        sound = long[: seconds * 8000]
        coded = partial(making.mp3, sound, 8000, bit_rate=24_000)
        yield Case(f"{seconds} s of MP3", coded, ".mp3")
        yield Case(f"{seconds} s of MP3, VBR", partial(making.mp3, sound, 8000, vbr=True), ".mp3")
        yield Case(f"{seconds} s of MP3 without a header", partial(coded, xing=False), ".mp3")
        yield Case(f"{seconds} s of M4A", partial(making.m4a, sound, 8000, bit_rate=24_000), ".m4a")
        yield Case(f"{seconds} s of WAV", partial(making.wav, sound, 8000), ".wav")
        yield Case(f"{seconds} s of FLAC", partial(making.wav, sound, 8000, form="FLAC"), ".flac")
    for channels in (6, 8):
        spread = np.stack([making.talk(14)] * 2 + [making.talk(14) * 0] * (channels - 2), axis=1)
        yield Case(f"{channels} channels of WAV", partial(making.wav, spread), ".wav")
        aac = partial(making.coded, spread, "ipod", "aac", bit_rate=256_000)
        yield Case(f"{channels} channels of AAC", aac, ".m4a")


def _spoilt(make: Callable[[], bytes], spoiled: Callable[[bytes], bytes]) -> bytes:
    return spoiled(make())


def fix_case(case: Case, folder: Path) -> str:
    """Fix a recording, and return the action; empty if it is not fixable.

    Raises:
        AssertionError: The result is wrong.
    """
    path = folder / f"take{case.ending}"
    path.write_bytes(case.make())
    if preflight.check(path).verdict != "fixable":
        return ""
    out = folder / "out"
    out.mkdir(exist_ok=True)
    fixed = preflight.fix(path, out, force=True)
    assert fixed.path is not None
    require_kept(path, Path(fixed.path), fixed)
    twice = preflight.fix(fixed.path, folder / f"twice{Path(fixed.path).suffix}", force=True)
    assert twice.action == "keep", twice.edits
    return fixed.action


def require_kept(path: Path, copy: Path, fixed: preflight.Fixed) -> None:
    """Check that `copy` is ready, has one length for every decoder, and otherwise the audio of `path`."""
    assert preflight.check(copy).verdict == "ready"
    sound, rate = decoded(copy)
    lengths = {"ours": len(sound), "PyAV": _length_by_pyav(copy)}
    if copy.suffix != ".m4a":
        lengths["libsndfile"] = soundfile.info(copy).frames
    assert max(lengths.values()) - min(lengths.values()) <= _LONGEST_FRAME, lengths
    if fixed.action in ("rename", "rewrap"):
        kept = making.packets(copy)
        before = [packet for packet in making.packets(path) if packet]
        assert _is_contiguous(kept, before), "the packets are not those of the recording"
    before_sound, before_rate = decoded(path)
    if rate == before_rate:
        least = _LEAST_CORRELATION if copy.suffix == ".wav" or fixed.lossless else _LEAST_CORRELATION_LOSSY
        correlation = best_correlation(before_sound, sound)
        assert correlation >= least, f"correlation {correlation:.5f}"


def decoded(path: Path) -> tuple[NDArray[np.float32], int]:
    """Return the whole recording, downmixed to mono, and its sample rate."""
    with Source.open(path) as source:
        facts = probe(source)
        blocks = [block.mean(axis=1) for block in Decoder(source, facts).blocks()]
    return np.concatenate(blocks), facts.sample_rate_hz


def _length_by_pyav(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(frame.samples for frame in container.decode(audio=0))


def _is_contiguous(kept: list[bytes], before: list[bytes]) -> bool:
    """Whether `kept` is a contiguous part of `before`; raw AAC has an ADTS header before each packet."""
    bare = [packet[7:] if packet[:2] in (b"\xff\xf1", b"\xff\xf9") else packet for packet in before]
    for packets in (before, bare):
        starts = [number for number, packet in enumerate(packets) if packet == kept[0]]
        if any(packets[start : start + len(kept)] == kept for start in starts):
            return True
    return False


def best_correlation(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """Return the correlation of `after` with the part of `before` that matches best, without the fades at both ends."""
    edge = min(len(after) // 8, 4000)
    long, inner = (np.clip(sound, -1, 1).astype(np.float64) for sound in (before, after[edge:-edge]))
    size = 1 << (len(long) + len(inner)).bit_length()
    spectrum: Any = np.fft.rfft(long, size) * np.conj(np.fft.rfft(inner, size))
    lag = int(np.argmax(np.abs(np.fft.irfft(spectrum, size)[: max(1, len(long) - len(inner) + 1)])))
    there = long[lag : lag + len(inner)]
    inner = inner[: len(there)]
    energy = float(np.sqrt(np.dot(there, there) * np.dot(inner, inner)))
    return abs(float(np.dot(there, inner))) / max(1e-12, energy)


def fix_broken(seed: int, files: Mapping[str, bytes], folder: Path) -> str:
    """Fix a broken recording with some options, and search it for prompt clips; return the action or the error.

    Raises:
        Exception: Anything but a `preflight.PreflightError` with a message.
    """
    case = broken(seed, files)
    path, out = folder / f"broken{case.ending}", folder / "out"
    path.write_bytes(case.data)
    out.mkdir(exist_ok=True)
    with contextlib.suppress(preflight.PreflightError):
        preflight.prompt_clips(path)
    try:
        fixed = preflight.fix(path, out, options=OPTIONS[seed % len(OPTIONS)], force=True, profile=_TOLERANT)
    except preflight.PreflightError as error:
        if not error.message or "\n" in error.message:
            raise AssertionError(repr(error.message)) from error
        return type(error).__name__
    assert fixed.after is not None
    assert fixed.after.verdict == "ready"
    return fixed.action


def main() -> int:
    """Fix all cases, print a summary, and return 1 if a fix was wrong or a kind of fix did not occur."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak.fix_matrix", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    parser.add_argument("--broken", type=int, default=2000, help="number of broken recordings")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        whole = ((case.name, partial(fix_case, case, place)) for case in cases() if options.only in case.name)
        files = {**committed(), **made(13)}
        damaged = ((f"seed {seed}", partial(fix_broken, seed, files, place)) for seed in range(options.broken))
        for name, work in (*whole, *damaged):
            try:
                counts[work() or "not fixable"] += 1
            except Exception:  # noqa: BLE001 - the purpose of this run is to find any
                counts["FAILED"] += 1
                sys.stdout.write(f"FAILED: {name}\n{traceback.format_exc()}\n")
    summary = ", ".join(f"{count} {what}" for what, count in counts.items())
    sys.stdout.write(f"{counts.total()} cases in {time.monotonic() - begin:.0f} s: {summary}\n")
    missing = [] if options.only else [action for action in ACTIONS if not counts[action]]
    if missing:
        sys.stdout.write(f"FAILED: no case led to {', '.join(missing)}: this run proves nothing about them\n")
    return 1 if counts["FAILED"] or missing else 0


if __name__ == "__main__":
    sys.exit(main())
