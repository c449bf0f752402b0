"""How long the studio takes from the stop of a recording to its verdict."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from benchmarks import recordings
from benchmarks.table import Promise, Row, Table
from benchmarks.timer import in_turn
from tests.support.studio import Page, studio

if TYPE_CHECKING:
    from pathlib import Path

_SECONDS: Final = 60
_PIECE_BYTES: Final = recordings.RATE * 4
"""The page sends the samples of each second, 4 bytes each."""
_NOTE: Final = (
    f"A take of {_SECONDS} s, 48 kHz, mono, in a studio that has checked one before. The page has sent the samples; "
    "measured are the requests to finish the take and for its report with pictures."
)


def tables(folder: Path) -> list[Table]:
    """Measure a studio whose folder is `folder`."""
    samples = recordings.stereo(_SECONDS)[:, 0].tobytes()
    with studio(folder) as page:
        (milliseconds,) = in_turn(lambda: None, measure=lambda _: _stop_to_verdict_ms(page, samples))
    promise = Promise("at most 1000 ms", 1000, "ours")
    return [Table("The studio", "ms", [Row("stop to verdict", milliseconds, promises=[promise])], _NOTE)]


def _stop_to_verdict_ms(page: Page, samples: bytes) -> float:
    recording = page.post("/api/recordings", {"sample_rate_hz": recordings.RATE, "channels": 1})["id"]
    for first in range(0, len(samples), _PIECE_BYTES):
        page.put(f"/api/recordings/{recording}?first={first}", samples[first : first + _PIECE_BYTES])
    started = time.perf_counter()
    take = page.post(f"/api/recordings/{recording}/finish", {"name": "Take 1"})["id"]
    report = page.get(f"/api/takes/{take}/check")
    taken_ms = (time.perf_counter() - started) * 1e3
    if report["verdict"] != "ready":
        raise RuntimeError(f"the take is {report['verdict']}")
    page.ask("DELETE", f"/api/takes/{take}")
    return taken_ms
