"""A studio that runs in this process, and a browser's side of its protocol."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import requests
import soundfile
from numpy.typing import NDArray

from onetake.studio.server import running
from tests.support.services import FIXTURES

CHROMIUM_POSITIVE = np.float32(32767)


@dataclass
class Page:
    """What the page's scripts do: requests with the cookie, our Origin and our header.

    Attributes:
        address: The printed address, with the token.
        origin: Its origin.
        session: Has the cookie.
        warnings: What the server printed.
    """

    address: str
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.origin = self.address.partition("/?")[0]
        self.session = requests.Session()
        self.session.trust_env = False
        assert self.session.get(self.address).status_code == 200  # the cookie comes with the redirection

    def ask(self, method: str, path: str, *, json: Any = None, data: bytes | None = None) -> requests.Response:
        headers = {"Origin": self.origin, "X-Onetake-Studio": "1"}
        return self.session.request(method, self.origin + path, json=json, data=data, headers=headers, timeout=300)

    def get(self, path: str) -> Any:
        return self._content(self.ask("GET", path))

    def post(self, path: str, form: Any = None) -> Any:
        return self._content(self.ask("POST", path, json={} if form is None else form))

    def put(self, path: str, content: bytes) -> Any:
        return self._content(self.ask("PUT", path, data=content))

    def _content(self, answer: requests.Response) -> Any:
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def drop(self, name: str) -> dict[str, Any]:
        """Drop a fixture on the page."""
        taken: dict[str, Any] = self.put(f"/api/takes?name={name}", (FIXTURES / name).read_bytes())
        return taken

    def record(self, samples: NDArray[np.int16], rate: int = 16_000, pieces: int = 3, **facts: Any) -> dict[str, Any]:
        """Record samples of shape (frames,) or (frames, channels) as Chromium delivers them."""
        channels = 1 if samples.ndim == 1 else samples.shape[1]
        recording = self.post("/api/recordings", {"sample_rate_hz": rate, "channels": channels, **facts})["id"]
        first = 0
        for piece in np.array_split(as_chromium(samples), pieces):
            content = piece.tobytes()
            self.put(f"/api/recordings/{recording}?first={first}", content)
            first += len(content)
        taken: dict[str, Any] = self.post(f"/api/recordings/{recording}/finish", {"name": "Take 1"})
        return taken

    def clone(self, form: dict[str, Any]) -> dict[str, Any]:
        """Start a clone, and return its last state."""
        run = self.post("/api/clones", form)
        events = self.session.get(f"{self.origin}/api/clones/{run['id']}/events", timeout=300).text
        views: list[dict[str, Any]] = [json.loads(line[6:]) for line in events.split("\n\n") if line]
        return views[-1]


def as_chromium(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return 16-bit samples as floats, scaled as in media/base/audio_sample_types.h."""
    scale = np.where(samples < 0, np.float32(32768), CHROMIUM_POSITIVE)
    return np.asarray(samples.astype(np.float32) / scale, "<f4")


def speech(seconds: float | None = None) -> NDArray[np.int16]:
    """Return speech at 16 kHz."""
    sound: NDArray[np.int16] = soundfile.read(FIXTURES / "good.wav", dtype="int16")[0]
    return sound if seconds is None else sound[: round(16_000 * seconds)]


def reading() -> tuple[NDArray[np.int16], tuple[float, float]]:
    """Return speech, a pause, one sentence, a pause and speech at 16 kHz; and where the sentence is, in seconds."""
    room = np.random.default_rng(3).normal(0, 16, 16_000).astype(np.int16)
    sentence: NDArray[np.int16] = soundfile.read(FIXTURES / "prompt.wav", dtype="int16")[0]
    before = speech()
    start_s = (len(before) + len(room)) / 16_000
    sound = np.concatenate((before, room, sentence, room, speech(4.0)))
    return sound, (start_s, start_s + len(sentence) / 16_000)


@contextlib.contextmanager
def studio(
    home: Path, takes: Sequence[Path] = (), *, sandbox_only: bool = True, delay_s: float = 0.0
) -> Iterator[Page]:
    """Run a studio during the block."""
    warnings: list[str] = []
    options = {"sandbox_only": sandbox_only, "answer_delay_s": delay_s}
    with running(takes, home, warnings.append, **options) as address:  # type: ignore[arg-type]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", address)
        yield Page(address, warnings)
