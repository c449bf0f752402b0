"""Check tens of thousands of broken recordings: `python -m tests.soak.fuzz --cases 20000`.

Nothing is saved: `--seed N --cases 1` makes a case again, as long as the corpus is the same. The run fails if too few
cases were broken, or too few were still readable.
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
from tests.soak.formats import made

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection

_SHARED_AUDIO: Final = Path(__file__).resolve().parents[3] / "shared" / "audio"
_TIMEOUT_S: Final = 120.0
"""After this time the process that checks a case is killed."""
_POLL_S: Final = 5.0
_PROGRESS_EVERY: Final = 1000
_MOST_SHOWN: Final = 20
_TARGETS_FROM: Final = 1000
_TARGETS: Final = {"ready": 0.002, "fixable": 0.01, "rejected": 0.1, "unreadable": 0.05}
"""Smallest share of the cases with each verdict, and of those that cannot be read: the mutations must break recordings,
but not all of them beyond recognition. One in 20 of the fixtures and generated formats is ready when it is whole."""
_SURVIVED: Final = {
    "crashed": "decoder crash",
    "timed out": "timed out",
    "exceeded the memory limit": "takes more memory",
    "stopped responding": "no data from the decoder",
}
"""Failures of the decoder that only the worker process contains, and the words of the rule `unreadable` for them."""


def corpus() -> dict[str, bytes]:
    """Return the fixtures, the generated formats, and real recordings if there are any beside the checkout."""
    return {**committed(), **made(), **corpus_of(_SHARED_AUDIO)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Check all cases, print a summary, and return 1 if a limit was exceeded or too few cases hit their target."""
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
        if summary.cases % _PROGRESS_EVERY == 0:
            _say(f"  {summary.cases} cases in {time.monotonic() - begin:.0f} s")
    for line in summary.lines():
        _say(line)
    for miss in summary.missed_targets():
        _say(f"FAILED: {miss}: this run proves nothing")
    return 1 if summary.failures or summary.missed_targets() else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def work(seeds: Sequence[int], answers: Connection) -> None:
    """Check the cases of these seeds, and send the outcome of each with the peak memory of this process."""
    files = corpus()
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            _forget_peak()
            try:
                answers.send((outcome_of(broken(seed, files), Path(folder)), peak_bytes()))
            except Exception:  # noqa: BLE001 - the purpose of this run is to find any
                answers.send((traceback.format_exc(), peak_bytes()))
    answers.close()


def _forget_peak() -> None:
    """Reset the peak memory of this process, so that it is that of the next case; on Linux."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


class Worker:
    """A process that checks the cases of these seeds; if it dies, another one continues after that case."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._left = seeds
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.answers, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=work, args=(self._left, sender))
        self._process.start()
        sender.close()  # so that the pipe reports the end of the process
        self._since = time.monotonic()

    @property
    def is_done(self) -> bool:
        """Whether all cases are done."""
        return not self._left

    def next(self) -> tuple[int, Outcome | str, int | None]:
        """Return a seed, its outcome or exception, and the peak memory of the checking process."""
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
        """Kill the process if its case takes too long; `next` reports that as its death."""
        if time.monotonic() - self._since > _TIMEOUT_S:
            self._process.kill()


def _answers(workers: Sequence[Worker]) -> Iterator[tuple[int, Outcome | str, int | None]]:
    while busy := {worker.answers: worker for worker in workers if not worker.is_done}:
        for ready in wait(list(busy), _POLL_S):
            yield next(worker for answers, worker in busy.items() if answers is ready).next()
        for worker in busy.values():
            worker.end_if_late()


class Summary:
    """Counts and extremes of all cases."""

    def __init__(self) -> None:
        self.cases = self.failures = 0
        self._counts: Counter[str] = Counter()
        self._survived: dict[str, list[int]] = {how: [] for how in _SURVIVED}
        self._slowest = self._largest = self._largest_here = (0.0, 0)

    def add(self, seed: int, answer: Outcome | str, peak: int | None) -> list[str]:
        """Add a case, and return what is wrong with it."""
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

    def missed_targets(self) -> list[str]:
        """Return which targets a run of 1,000 cases or more did not hit."""
        if self.cases < _TARGETS_FROM:
            return []
        found = {name: self._counts[name] / self.cases for name in _TARGETS}
        return [f"only {found[name]:.1%} of the cases are {name}" for name in _TARGETS if found[name] < _TARGETS[name]]

    def lines(self) -> Iterator[str]:
        """Yield the lines of the summary."""
        verdicts = ", ".join(f"{self._counts[verdict]} {verdict}" for verdict in ("ready", "fixable", "rejected"))
        yield f"{self.cases} cases: {verdicts} (of these {self._counts['unreadable']} unreadable)"
        yield "slowest:        {:.2f} s of CPU time (seed {})".format(*self._slowest)
        yield "largest memory: {:.0f} MB in the decoding process (seed {})".format(*self._largest)
        yield "                {:.0f} MB in the process that asks (seed {})".format(*self._largest_here)
        for how, seeds in self._survived.items():
            yield f"the decoder {how}, and the check continued: {len(seeds)} {_some(seeds)}".rstrip()
        yield f"exceptions: {self._counts['exception']}"
        yield f"exceeded limits and exceptions: {self.failures}"


def _some(seeds: Sequence[int]) -> str:
    return f"(seeds {', '.join(map(str, seeds[:_MOST_SHOWN]))})" if seeds else ""


if __name__ == "__main__":
    sys.exit(main())
