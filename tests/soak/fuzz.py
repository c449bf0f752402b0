"""Check tens of thousands of broken recordings: `python -m tests.soak.fuzz --cases 20000`.

Nothing is saved: a case is made again from its seed, with `--seed N --cases 1`, as long as the corpus is the same.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import multiprocessing
import sys
import tempfile
import time
import traceback
from collections import Counter
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.fuzz.outcomes import MOST_BYTES, Outcome, outcome_of, peak_bytes
from tests.fuzz.recordings import broken, committed, corpus_of
from tests.soak.forms import made

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection

_OTHERS: Final = Path(__file__).resolve().parents[3] / "shared" / "audio"
_GIVEN_UP_S: Final = 120.0
"""A case that takes longer is ended together with the process that checks it."""
_LOOK_EVERY_S: Final = 5.0
_TOLD_EVERY: Final = 1000
_MOST_SHOWN: Final = 20
_SURVIVED: Final = {
    "crashed": "decoder crash",
    "came to no end": "no end",
    "wanted too much memory": "takes more memory",
    "stood still": "stands still",
}
"""What the decoder did where only the process apart saved the check, and by which words `unreadable` tells it."""


def corpus() -> dict[str, bytes]:
    """The committed recordings, the forms that are made, and real recordings where they lie beside the checkout."""
    return {**committed(), **made(), **corpus_of(_OTHERS)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, print a summary, and return 1 if a bound is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first case")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    files = corpus()
    digest = hashlib.sha256(b"".join(name.encode() + content for name, content in sorted(files.items()))).hexdigest()
    _say(f"{options.cases} cases from seed {options.seed}, of {len(files)} recordings (corpus {digest[:12]})")
    if options.cases == 1:
        _say(str(broken(options.seed, files)))
    seeds = range(options.seed, options.seed + options.cases)
    shares = [seeds[number :: options.workers] for number in range(options.workers)]
    summary = Summary()
    begin = time.monotonic()
    for seed, answer, peak in _answers([Worker(share) for share in shares if share]):
        for what in summary.add(seed, answer, peak):
            _say(f"FAILED: {broken(seed, files)}\n{what}\n  again: python -m tests.soak.fuzz --seed {seed} --cases 1")
        if summary.cases % _TOLD_EVERY == 0:
            _say(f"  {summary.cases} cases in {time.monotonic() - begin:.0f} s")
    for line in summary.lines():
        _say(line)
    return 1 if summary.failures else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def work(seeds: Sequence[int], answers: Connection) -> None:
    """Check the cases of these seeds, and send how each went with the peak memory of this process."""
    files = corpus()
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            _forget_peak()
            try:
                answers.send((outcome_of(broken(seed, files), Path(folder)), peak_bytes()))
            except Exception:  # noqa: BLE001 - which ones there are is what is looked for
                answers.send((traceback.format_exc(), peak_bytes()))
    answers.close()


def _forget_peak() -> None:
    """Let the largest memory be that of the next case alone; on Linux."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


class Worker:
    """A process that checks the cases of these seeds; where it ends too early, another one goes on behind that case."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._left = seeds
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.answers, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=work, args=(self._left, sender))
        self._process.start()
        sender.close()  # so that what it says ends when it ends
        self._since = time.monotonic()

    @property
    def is_done(self) -> bool:
        """Whether no case is left."""
        return not self._left

    def next(self) -> tuple[int, Outcome | str, int | None]:
        """A seed, how its case went or which exception it raised, and the memory that the checking process took."""
        seed, self._left = self._left[0], self._left[1:]
        try:
            answer, peak = self.answers.recv()
        except EOFError:
            self._process.join()
            answer, peak = f"the checking process itself ended with status {self._process.exitcode}", None
            if self._left:
                self._start()
        self._since = time.monotonic()
        if self.is_done:
            self._process.join()
        return seed, answer, peak

    def end_if_late(self) -> None:
        """End the process when its case has taken too long; that is then told as its death."""
        if time.monotonic() - self._since > _GIVEN_UP_S:
            self._process.kill()


def _answers(workers: Sequence[Worker]) -> Iterator[tuple[int, Outcome | str, int | None]]:
    while busy := {worker.answers: worker for worker in workers if not worker.is_done}:
        for ready in wait(list(busy), _LOOK_EVERY_S):
            yield next(worker for answers, worker in busy.items() if answers is ready).next()
        for worker in busy.values():
            worker.end_if_late()


class Summary:
    """What is worth telling of all cases."""

    def __init__(self) -> None:
        self.cases = self.failures = 0
        self._counts: Counter[str] = Counter()
        self._survived: dict[str, list[int]] = {how: [] for how in _SURVIVED}
        self._slowest = self._largest = self._largest_here = (0.0, 0)

    def add(self, seed: int, answer: Outcome | str, peak: int | None) -> list[str]:
        """A case is done; return what is wrong with it."""
        self.cases += 1
        self._largest_here = max(self._largest_here, ((peak or 0) / 1e6, seed))
        wrong = [f"the checking process took {peak / 1e6:.0f} MB"] if peak and peak > MOST_BYTES else []
        if isinstance(answer, str):
            self._counts["exception"] += 1
            wrong.append(answer)
        else:
            self._count(seed, answer)
            wrong += answer.exceeded_limits
        self.failures += len(wrong)
        return wrong

    def _count(self, seed: int, outcome: Outcome) -> None:
        self._counts[outcome.verdict] += 1
        self._counts["unreadable"] += bool(outcome.unreadable)
        self._slowest = max(self._slowest, (outcome.seconds, seed))
        self._largest = max(self._largest, ((outcome.peak_bytes or 0) / 1e6, seed))
        for how, words in _SURVIVED.items():
            if words in outcome.unreadable:
                self._survived[how].append(seed)

    def lines(self) -> Iterator[str]:
        """The summary."""
        verdicts = ", ".join(f"{self._counts[verdict]} {verdict}" for verdict in ("ready", "fixable", "rejected"))
        yield f"{self.cases} cases: {verdicts} (of these {self._counts['unreadable']} unreadable)"
        yield "slowest:        {:.2f} s (seed {})".format(*self._slowest)
        yield "largest memory: {:.0f} MB in the decoding process (seed {})".format(*self._largest)
        yield "                {:.0f} MB in the process that asks (seed {})".format(*self._largest_here)
        for how, seeds in self._survived.items():
            yield f"the decoder {how}, and the check went on: {len(seeds)} {_some(seeds)}".rstrip()
        yield f"exceptions: {self._counts['exception']}"
        yield f"bounds broken and exceptions: {self.failures}"


def _some(seeds: Sequence[int]) -> str:
    return f"(seeds {', '.join(map(str, seeds[:_MOST_SHOWN]))})" if seeds else ""


if __name__ == "__main__":
    sys.exit(main())
