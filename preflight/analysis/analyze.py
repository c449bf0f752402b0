"""Decode a recording once and measure it, with decoding and speech detection in threads beside the meters.

The heavy parts of PyAV and numpy release the GIL, so one recording can use two cores. Items pass through small bounded
queues in their order, so results are the same bits for any timing. No thread outlives its `with` block, and what is
raised in one reaches the caller.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec
import numpy as np

from preflight.analysis.analysis import Analysis
from preflight.analysis.meter_chain import MAX_CHANNELS, MeterChain
from preflight.analysis.vad.speech import SpeechMeter
from preflight.media.decoder import Decoder, scale_of
from preflight.media.probe import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from preflight.analysis.framing import Samples
    from preflight.analysis.vad.speech import SpeechDetector, SpeechResult
    from preflight.input.source import Source
    from preflight.media.decoder import Stored
    from preflight.media.probe import Probe
    from preflight.report import Span

    Progress = Callable[[float, float | None], None]
    """Called with the seconds done, and the seconds of the whole recording as far as they are known."""


_KEPT_BYTES: Final = 8 << 20


def keep_memory() -> None:
    """Let glibc keep the memory of arrays for the next ones: giving it back with each takes a quarter of the time.

    It learns from what is freed: beyond the largest array that a program freed, and twice that much at the end of its
    memory, it gives back (mallopt(3), M_MMAP_THRESHOLD). This one is freed at once, and never touched.
    """
    np.empty(_KEPT_BYTES, np.uint8)


def one_thread() -> AbstractContextManager[object]:
    """Keep linear algebra from spreading over all cores: on small matrices waiting takes longer than working."""
    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":
        return contextlib.nullcontext()
    from threadpoolctl import threadpool_limits

    limited: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limited


T = TypeVar("T")

_QUEUED: Final = 4
"""Items that one thread may be ahead of the other: blocks of 0.5 MB, or 0.8 s for the speech detector."""


class _End(Generic[T]):
    """The last item of a queue.

    Attributes:
        error: What was raised instead of it.
    """

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


@contextlib.contextmanager
def read_ahead(items: Iterable[T]) -> Iterator[Iterator[T]]:
    """Iterate over `items` in a thread of its own.

    Yields:
        The same items; the iterator raises what `items` raises.
    """
    ready: queue.Queue[T | _End[T]] = queue.Queue(_QUEUED)
    is_left = threading.Event()

    def produce() -> None:
        end = _End[T]()
        try:
            for item in items:
                ready.put(item)
                if is_left.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised in the consuming thread
            end = _End(error)
        ready.put(end)

    def consume() -> Iterator[T]:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    thread = threading.Thread(target=produce, name="preflight-decode", daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        is_left.set()
        # the thread puts at most two more items, for which an empty queue has space, and ends
        with contextlib.suppress(queue.Empty):
            while True:
                ready.get_nowait()
        thread.join()


class SpeechThread:
    """A speech detector in a thread of its own; a context manager that ends the thread.

    Args:
        detector: The detector.
    """

    def __init__(self, detector: SpeechDetector) -> None:
        self._detector = detector
        self._waiting: queue.Queue[Samples | None] = queue.Queue(_QUEUED)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="preflight-speech", daemon=True)

    def add(self, samples: Samples) -> None:
        """Pass the next samples of the downmix on; see `SpeechMeter.add`."""
        self._waiting.put(samples)

    def result(self) -> SpeechResult:
        """The results, when all samples were added."""
        self._end()
        if self._error is not None:
            raise self._error
        return self._detector.result()

    def _run(self) -> None:
        while (samples := self._waiting.get()) is not None:
            if self._error is not None:
                continue  # the queue is emptied, so that `add` never waits for a thread that failed
            try:
                self._detector.add(samples)
            except BaseException as error:  # noqa: BLE001 - raised in the thread that asks for the results
                self._error = error

    def _end(self) -> None:
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def __enter__(self) -> SpeechThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()


def analyze_source(
    source: Source,
    *,
    measure_s: float | None = None,
    part: Span | None = None,
    pictures: bool = False,
    threads: bool = False,
    speakers: bool = False,
    on_progress: Progress | None = None,
) -> Analysis:
    """Read the headers of a recording, decode it and measure it, in this process.

    Args:
        source: The open recording.
        measure_s: Seconds after which only levels, channel layout and damage are followed; None for all.
        part: The only part to measure, as (start, end) in seconds; all times in the result then count from its start.
        pictures: Keep what can be drawn, too.
        threads: Decode and detect speech in threads of their own.
        speakers: Embed the voices, too: see `preflight.analysis.speakers`.
        on_progress: Called after each block.

    Returns:
        What the headers say and what was decoded and measured; the headers alone where they describe no sound.

    Raises:
        NotARecording: It is not recognized as audio, or cannot be decoded.
        CannotOpen: Reading failed.
    """
    facts = probe(source)
    if not facts.has_sound:
        return Analysis(probe=facts)
    decoder = Decoder(source, facts)
    blocks = decoder.stored_blocks()
    found = measure(
        facts,
        blocks if part is None else _within(blocks, *(round(at * facts.sample_rate_hz) for at in part)),
        measure_s=measure_s,
        pictures=pictures,
        threads=threads,
        speakers=speakers,
        on_progress=on_progress,
    )
    return msgspec.structs.replace(
        found,
        decoded_s=decoder.duration_s,
        padded_s=decoder.padded_s,
        damage=decoder.all_damage,
        changes=tuple(decoder.changes),
        stopped=decoder.stopped,
        float_scale=decoder.float_scale or 1.0,
    )


def _within(blocks: Iterable[Stored], start: int, end: int) -> Iterator[Stored]:
    """Yield the samples from `start` to `end` (exclusive)."""
    at = 0
    for block in blocks:
        if at >= end:
            return
        wanted = block[max(0, start - at) : end - at]
        at += len(block)
        if len(wanted):
            yield wanted


def measure(
    facts: Probe,
    blocks: Iterable[Stored],
    *,
    measure_s: float | None = None,
    pictures: bool = False,
    threads: bool = False,
    speakers: bool = False,
    on_progress: Progress | None = None,
) -> Analysis:
    """Measure blocks of sound.

    Args:
        facts: The sample rate, the channels and the codec of the blocks.
        blocks: Of shape (frames, channels), see `Decoder.stored_blocks`.
        measure_s: As in `analyze_source`.
        pictures: As in `analyze_source`.
        threads: As in `analyze_source`.
        speakers: As in `analyze_source`.
        on_progress: As in `analyze_source`.
    """
    keep_memory()
    with one_thread(), contextlib.ExitStack() as stack:
        detector: SpeechDetector | None = None
        if facts.channels <= MAX_CHANNELS:
            detector = SpeechMeter(facts.sample_rate_hz, speakers=speakers)
        if threads:
            blocks = stack.enter_context(read_ahead(blocks))
            detector = stack.enter_context(SpeechThread(detector)) if detector else None
        meters = MeterChain(facts, detector, measure_s=measure_s, pictures=pictures)
        for block in blocks:
            meters.add(block, scale_of(block))
            if on_progress is not None:
                on_progress(meters.seconds, facts.estimated_duration_s)
        return msgspec.structs.replace(meters.analysis(), probe=facts)
