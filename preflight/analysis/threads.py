"""Run decoding and speech detection in threads beside the meters, so that one recording can use two cores.

The heavy parts of PyAV and numpy release the GIL. Items pass through small bounded queues in their order, so results
are the same bits for any timing. No thread outlives its `with` block, and what is raised in one reaches the caller.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from preflight.analysis.framing import Samples
    from preflight.analysis.vad.speech import SpeechDetector, SpeechHeard

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

    def heard(self) -> SpeechHeard:
        """The results, when all samples were added."""
        self._end()
        if self._error is not None:
            raise self._error
        return self._detector.heard()

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
