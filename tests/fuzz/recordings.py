"""Broken recordings, reproducible by their seeds."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.fuzz.headers import every_frame, header_fields, nested, sizes, tagged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Corpus = Mapping[str, bytes]
    Mutation = Callable[[random.Random, bytes, Corpus], bytes]

FIXTURES: Final = Path(__file__).parents[2] / "fixtures"
LARGEST_CASE: Final = 600_000
_LARGEST_START: Final = 400_000
"""Longer files are truncated to this, because their headers are at the beginning."""
_ENDINGS: Final = (".wav", ".mp3", ".m4a")


@dataclass(frozen=True)
class Case:
    """A broken recording: its source file, the mutations, and the ending of its name."""

    seed: int
    name: str
    steps: tuple[str, ...]
    ending: str
    data: bytes

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.name} as {self.ending}, {', '.join(self.steps)}, {len(self.data)} bytes"


def committed() -> Corpus:
    """The recordings in fixtures/."""
    return corpus_of(FIXTURES)


def corpus_of(folder: Path) -> Corpus:
    """The files in `folder`, by name; none if there is no such folder."""
    if not folder.is_dir():
        return {}
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if file.suffix not in (".py", ".md")}


def broken(seed: int, corpus: Corpus) -> Case:
    """The case of this seed; deterministic for a corpus."""
    chance = random.Random(seed)
    name = _choose_file(chance, corpus)
    data = corpus[name][:_LARGEST_START]
    steps = chance.choices(list(MUTATIONS), weights=[weight for _, weight in MUTATIONS.values()], k=_step_count(chance))
    for step in steps:
        data = MUTATIONS[step][0](chance, data, corpus)[:LARGEST_CASE]
    ending = chance.choice((*_ENDINGS, Path(name).suffix))
    return Case(seed, name, tuple(steps), ending, data)


def _choose_file(chance: random.Random, corpus: Corpus) -> str:
    """One of the files; tiny files are rare."""
    names = sorted(corpus)
    return chance.choices(names, weights=[1 if len(corpus[name]) < 1000 else 20 for name in names])[0]


def _step_count(chance: random.Random) -> int:
    return chance.choices((1, 2, 3, 6), weights=(6, 3, 2, 1))[0]


def span(chance: random.Random, data: bytes, longest: int = 1 << 16) -> tuple[int, int]:
    """A random range of `data`; short ranges and the first kilobytes are more likely."""
    most = max(1, min(longest, len(data)))
    length = min(most, int(2 ** chance.uniform(0, most.bit_length())))
    last = max(0, len(data) - length)
    start = chance.randint(0, min(last, 4096) if chance.random() < 0.4 else last)
    return start, start + length


def _flip_bits(chance: random.Random, data: bytes, _corpus: Corpus) -> bytes:
    changed = bytearray(data)
    for _ in range(int(2 ** chance.uniform(0, 9)) if data else 0):
        start, _ = span(chance, data, 1)
        changed[start] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _overwrite(chance: random.Random, data: bytes, _corpus: Corpus) -> bytes:
    changed = bytearray(data)
    for _ in range(int(2 ** chance.uniform(0, 5))):
        start, end = span(chance, data, 4096)
        new = chance.choice((b"\0", b"\xff", b"\x7f", b"\x80", None))
        changed[start:end] = new * (end - start) if new else chance.randbytes(end - start)
    return bytes(changed)


def _remove(chance: random.Random, data: bytes, _corpus: Corpus) -> bytes:
    start, end = span(chance, data)
    return data[:start] + data[end:]


def _repeat(chance: random.Random, data: bytes, _corpus: Corpus) -> bytes:
    start, end = span(chance, data)
    times = int(2 ** chance.uniform(1, 12))
    return data[:start] + data[start:end] * min(times, 1 + LARGEST_CASE // max(1, end - start)) + data[end:]


def _swap(chance: random.Random, data: bytes, _corpus: Corpus) -> bytes:
    first, second = sorted((span(chance, data), span(chance, data)))
    if first[1] > second[0]:
        return data[first[0] :] + data[: first[0]]
    parts = (data[: first[0]], data[slice(*second)], data[first[1] : second[0]], data[slice(*first)], data[second[1] :])
    return b"".join(parts)


def _truncate(chance: random.Random, data: bytes, _corpus: Corpus) -> bytes:
    return data[: span(chance, data, 1)[0]]


def _cut_start(chance: random.Random, data: bytes, _corpus: Corpus) -> bytes:
    return data[span(chance, data, 1)[0] :]


def _insert(chance: random.Random, data: bytes, _corpus: Corpus) -> bytes:
    start, end = span(chance, data, 4096)
    return data[:start] + chance.randbytes(end - start) + data[start:]


def _splice(chance: random.Random, data: bytes, corpus: Corpus) -> bytes:
    other = corpus[_choose_file(chance, corpus)][:_LARGEST_START]
    at, behind = span(chance, data, 1)[0], span(chance, other, 1)[0]
    return chance.choice((data[:at] + other[behind:], data + other, data[:at] + other + data[at:]))


MUTATIONS: Final[dict[str, tuple[Mutation, int]]] = {
    "bits flipped": (_flip_bits, 4),
    "overwritten": (_overwrite, 4),
    "a block removed": (_remove, 2),
    "a block repeated": (_repeat, 3),
    "blocks swapped": (_swap, 2),
    "truncated": (_truncate, 2),
    "start cut": (_cut_start, 1),
    "bytes inserted": (_insert, 2),
    "spliced": (_splice, 3),
    "header fields": (header_fields, 10),
    "sizes": (sizes, 4),
    "every frame": (every_frame, 1),
    "tagged": (tagged, 1),
    "nested": (nested, 1),
}
"""The mutations with their weights."""
