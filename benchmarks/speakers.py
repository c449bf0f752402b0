"""Voice embeddings: the equal error rate over pairs of voices, second speakers found, and the CPU time for a take."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.defects import REAL
from benchmarks.table import Promise, Row, Table
from preflight.analysis.analyze import one_thread
from preflight.analysis.frames_and_spectra import ChunkCutter, Grid
from preflight.analysis.resample import Downmix
from preflight.analysis.speakers.encoder import WEIGHTS, WINDOW, embed
from preflight.analysis.speakers.voices import SAME_VOICE_COSINE
from preflight.analysis.speakers.windows import VoiceMeter
from preflight.analysis.vad.silero import WINDOW as FRAME
from preflight.analysis.vad.silero import SileroVad
from preflight.input.source import Source
from preflight.media.decoder import Decoder, scale_of
from preflight.media.probe import probe
from preflight.rules.speakers import SEVERAL_SPEAKERS
from tools.ge2e_weights import CHECKPOINT, downloaded, network, packed

if TYPE_CHECKING:
    from preflight.analysis.frames_and_spectra import Samples

RATE_HZ: Final = 16_000
SHORTEST_S: Final = 4.5
"""Recordings with less speech are left out."""
NOT_ONE_VOICE: Final = ("multilingual", "stereo_diarization", "pydub")
TEXT: Final = Path(__file__).parents[1] / "README.md"
SYNTHETIC: Final = {
    **{
        f"flite {name}": ["flite", "-voice", name, "-f", "TEXT", "-o", "OUT"] for name in ("awb", "rms", "slt", "kal16")
    },
    **{
        f"espeak {name}": ["espeak-ng", "-v", f"en+{name}", "-f", "TEXT", "-w", "OUT"]
        for name in ("m3", "f4", "croak", "klatt4", "Annie")
    },
}
SYNTHETIC_S: Final = 60
MIXES: Final = 60
SEED: Final = 7


def tables(folder: Path) -> list[Table]:
    """Return the table of the voices; `folder` holds synthetic voices and the weights in float32."""
    with one_thread():
        voices = dict(_voices(folder))
        rows = [*_error_rows(voices, folder), *_cpu_rows(voices)]
        found = _found(voices)
    return [Table("Speakers", "% or ms", rows, _note(voices, found))]


def _voices(folder: Path) -> Iterator[tuple[str, Samples]]:
    """Yield the speech of each speaker by name, at 16 kHz and without pauses."""
    text = folder / "text.txt"
    text.write_text(" ".join(TEXT.read_text(encoding="utf-8").split()[:260]), encoding="utf-8")
    files = {path.name.replace("__", " "): path for path in sorted(REAL.glob("*.*")) if path.suffix != ".md"}
    for name, command in SYNTHETIC.items():
        if shutil.which(command[0]):
            files[name] = folder / f"{name}.wav"
            filled = [{"TEXT": str(text), "OUT": str(files[name])}.get(word, word) for word in command]
            subprocess.run(filled, check=True, capture_output=True)
    for name, path in files.items():
        if not any(part in name for part in NOT_ONE_VOICE):
            speech = _speech(path)[: SYNTHETIC_S * RATE_HZ]
            if len(speech) >= SHORTEST_S * RATE_HZ:
                yield name, speech


def _speech(path: Path) -> Samples:
    with Source.open(path) as source:
        facts = probe(source)
        grid = Grid.at(facts.sample_rate_hz, facts.channels)
        cutter, mix = ChunkCutter(grid), Downmix(grid, 160)
        blocks = (
            chunk for block in Decoder(source, facts).stored_blocks() for chunk in cutter.add(block, scale_of(block))
        )
        sound = np.concatenate([mix.add(chunk) for chunk in itertools.chain(blocks, cutter.end())])
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    return np.asarray(
        frames[SileroVad().probabilities(frames) >= 0.5].reshape(-1) if len(frames) else sound, np.float32
    )


def _error_rows(voices: dict[str, Samples], folder: Path) -> Iterator[Row]:
    """Yield the equal error rates of single windows, with the shipped weights and with those of the wheel."""
    with zipfile.ZipFile(downloaded(folder)) as archive:
        single = folder / "float32.npz"
        single.write_bytes(packed(network(archive.read(CHECKPOINT)), np.float32))
    for group in (1, 3):
        ours, theirs = (equal_error_rate(voices, weights, group) for weights in (WEIGHTS, single))
        what = f"equal error rate, {group} {'window' if group == 1 else 'windows'} of 1.6 s each"
        promises = [Promise("within 0.1 % of float32", 0.1, "difference")]
        yield Row(what, 100 * ours, "float32", 100 * theirs, promises)


def equal_error_rate(voices: dict[str, Samples], weights: Path, group: int) -> float:
    """Return the rate at which as many pairs of one voice are below a limit as pairs of two voices are above."""
    means, names = [], []
    for name, speech in voices.items():
        starts = range(0, len(speech) - WINDOW + 1, WINDOW)
        windows = np.stack([speech[start : start + WINDOW] for start in starts])
        for piece in np.array_split(embed(windows, weights), max(1, len(windows) // group)):
            mean = piece.mean(axis=0)
            means.append(mean / np.linalg.norm(mean))
            names.append(name)
    cosines = np.stack(means) @ np.stack(means).T
    is_pair = np.triu(np.ones_like(cosines, bool), 1)
    people = np.array([_person(name) for name in names])
    is_same, is_one_person = (each[:, np.newaxis] == each for each in (np.array(names), people))
    same, other = np.sort(cosines[is_pair & is_same]), np.sort(cosines[is_pair & ~is_one_person])
    missed = np.searchsorted(same, same) / len(same)
    alarms = 1 - np.searchsorted(other, same) / len(other)
    at = np.argmin(np.abs(missed - alarms))
    return float((missed[at] + alarms[at]) / 2)


def _person(name: str) -> str:
    """Return whose voice it is: those of eSpeak are one synthesizer with other settings, neither one nor two people."""
    return "espeak" if name.startswith("espeak") else name


def _found(voices: dict[str, Samples]) -> dict[str, list[tuple[float, float]]]:
    """Return the cosine of the two most likely voices, and the percentage with a second pitch, by condition."""
    random = np.random.default_rng(SEED)

    def cut(name: str, seconds: float) -> Samples:
        speech, length = voices[name], round(seconds * RATE_HZ)
        speech = np.tile(speech, -(-length // len(speech)))
        start = random.integers(0, len(speech) - length + 1)
        return speech[start : start + length] * np.float32(0.05 / np.sqrt(np.mean(speech**2)))

    def turns(one: str, other: str, seconds: int) -> Samples:
        return np.concatenate([cut((one, other)[turn % 2], 5) for turn in range(seconds // 5)])

    def single_turn(one: str, other: str, seconds: int) -> Samples:
        first = random.uniform(0, 0.8) * seconds
        return np.concatenate([cut(one, first), cut(other, 0.2 * seconds), cut(one, 0.8 * seconds - first)])

    def overlapped(one: str, other: str, seconds: int) -> Samples:
        return cut(one, seconds) + cut(other, seconds)

    mixed: dict[str, Callable[[str, str, int], Samples]] = {
        "turns of 5 s": turns,
        "a single turn of 20 %": single_turn,
        "both at the same time": overlapped,
    }
    pairs = [pair for pair in itertools.permutations(voices, 2) if len({_person(name) for name in pair}) == 2]
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in ("one speaker", *mixed)}
    for name, speech in voices.items():
        for seconds in (10, 20, 40):
            if len(speech) >= seconds * RATE_HZ:
                sound = cut(name, seconds)
                quieter = np.where(np.arange(len(sound)) < len(sound) // 2, 1, 0.25)
                found["one speaker"] += [_measured(sound), _measured((sound * quieter).astype(np.float32))]
    for kind, mix in mixed.items():
        for _ in range(MIXES):
            one, other = pairs[random.integers(len(pairs))]
            found[kind].append(_measured(mix(one, other, int(random.choice([20, 30, 60])))))
    return found


def _measured(speech: Samples) -> tuple[float, float]:
    voices = _meter(speech).voices()
    split = voices.split()
    return (1.0 if split is None else split.cosine), voices.second_pitch_percent


def _meter(speech: Samples) -> VoiceMeter:
    meter = VoiceMeter(FRAME / RATE_HZ)
    frames = speech[: len(speech) // FRAME * FRAME].reshape(-1, FRAME)
    meter.add(frames, np.ones(len(frames), np.float32))
    return meter


def _cpu_rows(voices: dict[str, Samples]) -> Iterator[Row]:
    longest = max(voices.values(), key=len)
    for seconds in (10, 60, 600):
        speech = np.resize(longest, seconds * RATE_HZ)
        spent = []
        for _ in range(3):
            started = time.process_time()
            _meter(speech).voices()
            spent.append(1000 * (time.process_time() - started))
        promises = [Promise("at most 250 ms", 250, "ours")]
        yield Row(f"CPU time for {seconds} s of speech, ms", min(spent), promises=promises)


def _note(voices: dict[str, Samples], found: dict[str, list[tuple[float, float]]]) -> str:
    alone = found["one speaker"]
    lowest = min(cosine for cosine, _ in alone)
    highest = SEVERAL_SPEAKERS["max_second_pitch_percent"]
    lines: list[Any] = [
        f"GE2E embeddings of {len(voices)} speakers ({', '.join(voices)}), without pauses. The cosine is that of the "
        f"two most likely voices of a take; `several-speakers` reports takes below {SAME_VOICE_COSINE:g}, and those "
        f"of whose voiced sound more than {highest:g} % has a second pitch. Half of the takes with one speaker drop by "
        "12 dB in the middle.",
        "",
        f"| takes | number | below {SAME_VOICE_COSINE:g} | below {lowest:.3f}, the lowest with one speaker | median | "
        "second pitch |",
        "|---|---|---|---|---|---|",
    ]
    for kind, measured in found.items():
        cosines = [cosine for cosine, _ in measured]
        second = sum(percent > highest for _, percent in measured)
        reported, separate = (sum(cosine < limit for cosine in cosines) for limit in (SAME_VOICE_COSINE, lowest))
        lines.append(f"| {kind} | {len(cosines)} | {reported} | {separate} | {np.median(cosines):.2f} | {second} |")
    return "\n".join(lines)
