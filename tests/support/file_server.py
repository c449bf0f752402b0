"""Generated recordings, and a small HTTP server for them."""

from __future__ import annotations

import io
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import ClassVar

import av
import numpy as np
import soundfile
from numpy.typing import NDArray


def voice_like(seconds: float, rate: int = 16000, channels: int = 1) -> NDArray[np.float32]:
    """Generate a tone with harmonics and 4 Hz amplitude modulation, which codecs compress like speech."""
    time = np.arange(int(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 8))
    tone = (0.2 * buzz * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))).astype(np.float32)
    return np.repeat(tone[:, None], channels, axis=1)


def sound_file(kind: str, seconds: float, channels: int = 1, subtype: str | None = None, rate: int = 16000) -> bytes:
    """Encode a recording with libsndfile: kind is WAV, MP3, FLAC or OGG."""
    target = io.BytesIO()
    soundfile.write(target, voice_like(seconds, rate, channels), rate, format=kind, subtype=subtype)
    return target.getvalue()


def m4a(seconds: float, codec: str = "aac") -> bytes:
    """Encode a recording as M4A with FFmpeg: codec is aac or alac."""
    target = io.BytesIO()
    with av.open(target, "w", format="ipod") as container:
        stream = container.add_stream(codec, rate=16000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        samples = (voice_like(seconds)[:, 0] * 30000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = 16000
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=16000)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return target.getvalue()


class FileServer:
    """Serves the given bytes under the given paths on 127.0.0.1, and records the requests."""

    def __init__(self, files: dict[str, tuple[bytes, str]]) -> None:
        self.asked: list[str] = []
        handler = type("_Handler", (_Handler,), {"files": files, "asked": self.asked})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FileServer:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    files: ClassVar[dict[str, tuple[bytes, str]]]
    asked: ClassVar[list[str]]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        content, kind = self.files.get(self.path.partition("?")[0], (b"", ""))
        self.send_response(200 if kind else 404)
        self.send_header("Content-Type", kind or "text/plain")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        return
