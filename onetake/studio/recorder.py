"""A recording in progress: its samples are appended to a file, which is complete to the last second after a crash."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import msgspec

from onetake.errors import UsageError
from onetake.io.atomic_write import atomic_write
from onetake.studio.capture import BYTES_PER_SAMPLE, write_wav
from onetake.studio.take import Origin, Purpose, Span, Take, file_stem, now, write_json
from preflight import limits
from preflight.file_system import sync_file, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

FACTS: Final = "recording.json"
_SAMPLES: Final = "samples.f32"
_LONGEST_S: Final = limits.MAX_DURATION_S + 10.0
"""A little more than can be cloned: `fix` cuts silence at the ends."""


class Recording(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the browser says about a recording when it starts.

    Attributes:
        sample_rate_hz: Sample rate of the audio context.
        channels: Channels of the microphone.
        purpose: ``take``, or ``room`` for the room check.
        language: Code of the script that is read; None without a script.
    """

    sample_rate_hz: int
    channels: int
    purpose: Purpose = "take"
    language: str | None = None

    def __post_init__(self) -> None:
        if not 8_000 <= self.sample_rate_hz <= 192_000:
            raise ValueError(f"the sample rate is {self.sample_rate_hz} Hz, but must be from 8000 to 192000 Hz")
        if not 1 <= self.channels <= 2:
            raise ValueError(f"the recording has {self.channels} channels, but must have 1 or 2")


class Recorder:
    """A recording in progress.

    Args:
        folder: Its folder, which becomes that of the take; what a crashed session stored there is taken over.
        recording: What the browser said when it started.
    """

    def __init__(self, folder: Path, recording: Recording) -> None:
        self._folder, self._recording = folder, recording
        self._samples = folder / _SAMPLES
        self._frame_bytes = BYTES_PER_SAMPLE * recording.channels
        self._lock = threading.Lock()
        if not (folder / FACTS).exists():
            self._samples.touch(mode=0o600)
            write_json(folder / FACTS, recording)
        self._stored = self._samples.stat().st_size

    def append(self, first: int, content: bytes) -> int:
        """Append samples, see `Takes.append`."""
        with self._lock:
            if first > self._stored:
                raise UsageError(f"{first - self._stored} bytes of the recording are missing", "send them first")
            new = content[self._stored - first :]
            if self._stored + len(new) > _LONGEST_S * self._recording.sample_rate_hz * self._frame_bytes:
                raise UsageError(
                    f"longer than {_LONGEST_S:.0f} s, which cannot be cloned", "stop, and start another take"
                )
            with self._samples.open("r+b") as file:
                file.seek(self._stored)
                file.write(new)
                sync_file(file)
            self._stored += len(new)
            return self._stored

    def take(self, name: str, origin: Origin, marked: Span | None) -> Take:
        """Write the WAV file; raises `UsageError` if there is nothing to write."""
        facts = self._recording
        if self._stored < self._frame_bytes:
            raise UsageError("nothing was recorded", "check the microphone, and start again")
        path = self._folder / f"{file_stem(name)}.wav"
        with self._lock, atomic_write(path) as (file, _):
            captured = write_wav(self._samples, file, facts.sample_rate_hz, facts.channels)
        sync_folder(self._folder)
        return Take(
            id=self._folder.name,
            name=name,
            file=str(path),
            origin=origin,
            created_at=now(),
            purpose=facts.purpose,
            language=facts.language,
            marked=marked,
            bits=captured.bits,
        )

    def discard_samples(self) -> None:
        """Remove the samples, once the take is stored with its facts."""
        self._samples.unlink(missing_ok=True)
