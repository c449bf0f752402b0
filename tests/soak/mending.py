"""Mend hundreds of recordings, each form with each defect: `python -m tests.soak.mending`.

Every recording that a check calls fixable has to become ready, keep what was not touched, and decode to the same length
everywhere.
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
from tests.soak.forms import made, makers
from tests.support import make_audio as making

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

SECONDS: Final = 26.0
_LEAST_CORRELATION: Final = 0.999
_LEAST_CORRELATION_CODED: Final = 0.98
"""Of what was coded anew, by a lossy coding."""
_LONGEST_FRAME: Final = 2048
_ENDINGS: Final = {"caf": ".caf", "mp3": ".mp3", "wav": ".wav", "ipod": ".m4a"}


WISHES: Final = (
    FixOptions(),
    FixOptions(unsafe=True),
    FixOptions(start_s=1.0, end_s=12.0),
    FixOptions(to="mp3"),
    FixOptions(loudness_lufs=-20.0, limit=True),
    FixOptions(edits=frozenset({"mono", "shorten-pauses", "high-pass", "trim-silence"})),
)
_TOLERANT: Final = preflight.PROFILES["default"].changed(ignore=["no-speech"])


class Case(NamedTuple):
    """A recording to be mended, and what makes it: who takes a sample of the cases does not wait for the others."""

    name: str
    make: Callable[[], bytes]
    ending: str


def _truncated(data: bytes) -> bytes:
    return data[: int(len(data) * 0.7)]


def _rotten(data: bytes) -> bytes:
    return making.rotten(data, 0.85, 300)


def _with_a_tail(data: bytes) -> bytes:
    return data + bytes(range(256)) * 20


DEFECTS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "as it is": bytes,
    "cut off": _truncated,
    "rotten": _rotten,
    "with something behind it": _with_a_tail,
}


def cases() -> Iterator[Case]:
    """Each form with each defect, and those that are too long, in channels too many, or named wrongly."""
    for name, make in makers(SECONDS).items():
        ending = "." + name.rpartition(".")[2]
        for defect, spoiled in DEFECTS.items():
            yield Case(f"{name}, {defect}", partial(_spoilt, make, spoiled), _ENDINGS.get(ending[1:], ending))
        yield Case(f"{name}, named wrongly", make, ".mp3" if ending != ".mp3" else ".wav")
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


def mend(case: Case, folder: Path) -> str:
    """Mend it, and return what was done; empty where there is nothing to mend, or nothing that could be.

    Raises:
        AssertionError: The result is not what it has to be.
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


def require_kept(path: Path, mended: Path, fixed: preflight.Fixed) -> None:
    """Make sure that `mended` is ready, of one length for every decoder, and in what it keeps like `path`."""
    assert preflight.check(mended).verdict == "ready"
    sound, rate = decoded(mended)
    lengths = {"ours": len(sound), "PyAV": _length_by_pyav(mended)}
    if mended.suffix != ".m4a":
        lengths["libsndfile"] = soundfile.info(mended).frames
    assert max(lengths.values()) - min(lengths.values()) <= _LONGEST_FRAME, lengths
    if fixed.action in ("rename", "rewrap"):
        kept = making.packets(mended)
        before = [packet for packet in making.packets(path) if packet]
        assert _follow_each_other(kept, before), "the packets are not those of the recording"
    before_sound, before_rate = decoded(path)
    if rate == before_rate:
        least = _LEAST_CORRELATION if mended.suffix == ".wav" or fixed.lossless else _LEAST_CORRELATION_CODED
        correlation = best_correlation(before_sound, sound)
        assert correlation >= least, f"correlation {correlation:.5f}"


def decoded(path: Path) -> tuple[NDArray[np.float32], int]:
    """All of it, folded down to one channel."""
    with Source.open(path) as source:
        facts = probe(source)
        blocks = [block.mean(axis=1) for block in Decoder(source, facts).blocks()]
    return np.concatenate(blocks), facts.sample_rate_hz


def _length_by_pyav(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(frame.samples for frame in container.decode(audio=0))


def _follow_each_other(kept: list[bytes], before: list[bytes]) -> bool:
    """Whether `kept` is a stretch of `before`; raw AAC has a header before each packet, which a container has not."""
    bare = [packet[7:] if packet[:2] in (b"\xff\xf1", b"\xff\xf9") else packet for packet in before]
    for packets in (before, bare):
        starts = [number for number, packet in enumerate(packets) if packet == kept[0]]
        if any(packets[start : start + len(kept)] == kept for start in starts):
            return True
    return False


def best_correlation(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """Of `after` with the stretch of `before` that is most like it; fades at its ends do not count."""
    edge = min(len(after) // 8, 4000)
    long, inner = (np.clip(sound, -1, 1).astype(np.float64) for sound in (before, after[edge:-edge]))
    size = 1 << (len(long) + len(inner)).bit_length()
    spectrum: Any = np.fft.rfft(long, size) * np.conj(np.fft.rfft(inner, size))
    lag = int(np.argmax(np.abs(np.fft.irfft(spectrum, size)[: max(1, len(long) - len(inner) + 1)])))
    there = long[lag : lag + len(inner)]
    inner = inner[: len(there)]
    energy = float(np.sqrt(np.dot(there, there) * np.dot(inner, inner)))
    return abs(float(np.dot(there, inner))) / max(1e-12, energy)


def mend_broken(seed: int, files: Mapping[str, bytes], folder: Path) -> str:
    """Mend a broken recording in one way or another, and look for prompt clips in it; return what came of it.

    Raises:
        Exception: Anything but the errors that tell a user what to do.
    """
    case = broken(seed, files)
    path, out = folder / f"broken{case.ending}", folder / "out"
    path.write_bytes(case.data)
    out.mkdir(exist_ok=True)
    with contextlib.suppress(preflight.PreflightError):
        preflight.prompt_clips(path)
    try:
        fixed = preflight.fix(path, out, options=WISHES[seed % len(WISHES)], force=True, profile=_TOLERANT)
    except preflight.PreflightError as error:
        if not error.message or "\n" in error.message:
            raise AssertionError(repr(error.message)) from error
        return type(error).__name__
    assert fixed.after is not None
    assert fixed.after.verdict == "ready"
    return fixed.action


def main() -> int:
    """Mend all, print a summary, and return 1 if one was not mended as it has to be."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.mending", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--broken", type=int, default=2000, help="broken recordings after that")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        whole = ((case.name, partial(mend, case, place)) for case in cases() if options.only in case.name)
        files = {**committed(), **made(13)}
        hurt = ((f"seed {seed}", partial(mend_broken, seed, files, place)) for seed in range(options.broken))
        for name, work in (*whole, *hurt):
            try:
                counts[work() or "nothing to mend"] += 1
            except Exception:  # noqa: BLE001 - which ones there are is what is looked for
                counts["FAILED"] += 1
                sys.stdout.write(f"FAILED: {name}\n{traceback.format_exc()}\n")
    summary = ", ".join(f"{count} {what}" for what, count in counts.items())
    sys.stdout.write(f"{counts.total()} cases in {time.monotonic() - begin:.0f} s: {summary}\n")
    return 1 if counts["FAILED"] else 0


if __name__ == "__main__":
    sys.exit(main())
