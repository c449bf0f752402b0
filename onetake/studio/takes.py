"""The takes of a session: recorded, dropped, opened, joined, fixed and cut ones, each with its facts in a JSON file.

    SESSION/ID/recording.json + samples.f32    while it is recorded; complete to the last second after a crash
    SESSION/ID/take.json + NAME.wav            a take; both are on disk before the page shows it

`take.json` is written last: a folder without it is no take, and what can be recovered of it is recovered.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from onetake.errors import UsageError
from onetake.io.atomic_write import atomic_write
from onetake.studio.capture import BYTES_PER_SAMPLE, write_wav
from onetake.studio.session_folder import sync_folder
from preflight import limits
from preflight.input.source import display_name

if TYPE_CHECKING:
    from collections.abc import Callable

Span = tuple[float, float]
Origin = Literal["recorded", "recovered", "dropped", "opened", "joined", "fixed", "prompt", "trial", "speech"]
Purpose = Literal["take", "room", "consent"]

_FACTS: Final = "take.json"
_RECORDING: Final = "recording.json"
_SAMPLES: Final = "samples.f32"
_MOST_TAKES: Final = 200
_LONGEST_S: Final = limits.MAX_DURATION_S + 10.0
_LONGEST_NAME: Final = 60


class Recording(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the browser says about a recording when it starts.

    Attributes:
        sample_rate_hz: Sample rate of the audio context.
        channels: Channels of the microphone.
        purpose: ``take``; ``room`` for the room check, ``consent`` for a spoken statement of consent.
        language: Code of the script that is read; None without a script.
    """

    sample_rate_hz: int
    channels: int
    purpose: Purpose = "take"
    language: str | None = None

    def __post_init__(self) -> None:
        if not 8_000 <= self.sample_rate_hz <= 192_000:
            raise ValueError(f"the sample rate is {self.sample_rate_hz} Hz, and must be from 8000 to 192000 Hz")
        if not 1 <= self.channels <= 2:
            raise ValueError(f"there are {self.channels} channels, and must be 1 or 2")


class Take(msgspec.Struct, frozen=True, kw_only=True):
    """A take of the session.

    Attributes:
        id: Its identifier, also the name of its folder.
        name: What the page calls it.
        file: Path of its audio; outside the session's folder for a file that was named on the command line.
        origin: Where it comes from.
        created_at: When it was stored, UTC.
        purpose: What it was recorded for.
        language: Code of the script that was read.
        marked: Where the script's marked sentence was on the screen, in seconds.
        parent: The take from which it was made.
        text: Text that is spoken in it, for a prompt clip.
        changes: The edits that made it.
        bits: 16 where a recording has the microphone's own samples, else 24; None for other files.
        saved: Where a copy was saved that stays after the session.
    """

    id: str
    name: str
    file: str
    origin: Origin
    created_at: datetime
    purpose: Purpose = "take"
    language: str | None = None
    marked: Span | None = None
    parent: str | None = None
    text: str | None = None
    changes: tuple[str, ...] = ()
    bits: int | None = None
    saved: str | None = None


class Takes:
    """The takes of one session; threads may use it at the same time.

    Args:
        folder: The session's private folder. Takes in it, from a session that crashed, are recovered.
        saved_to: Folder for takes that stay; created when the first one is saved.
    """

    def __init__(self, folder: Path, saved_to: Path) -> None:
        self._folder = folder
        self._saved_to = saved_to
        self._lock = threading.RLock()
        self._takes: dict[str, Take] = {}
        self._recordings: dict[str, _Recorder] = {}
        for entry in sorted(folder.iterdir()):
            if entry.is_dir():
                self._recover(entry)

    def all(self) -> list[Take]:
        """Return all takes, oldest first."""
        with self._lock:
            return sorted(self._takes.values(), key=lambda take: take.created_at)

    def find(self, wanted: str) -> Take:
        """Return a take; raises `UsageError` if there is none."""
        with self._lock:
            if (take := self._takes.get(wanted)) is None:
                raise UsageError("there is no such take", "reload the page")
            return take

    def open(self, path: Path, *, origin: Origin = "opened", name: str | None = None, **facts: object) -> Take:
        """Add a file that stays where it is."""
        known = {
            "id": _new_id(),
            "name": name or display_name(path.name),
            "file": str(path.absolute()),
            "created_at": _now(),
        }
        return self._add(msgspec.convert({**known, "origin": origin, **facts}, Take))

    def new(self, *, origin: Origin, name: str, write: Callable[[Path], Path], **facts: object) -> Take:
        """Add a take whose file `write` makes.

        Args:
            origin: Where the take comes from.
            name: What the page calls it.
            write: Called with the folder to write to, and returns the file; if it raises, nothing stays.
            facts: Further attributes of the take.
        """
        with self._lock:
            self._require_room()
            folder = self._made_folder()
        try:
            path = write(folder)
            with path.open("r+b") as file:
                os.fsync(file.fileno())
            sync_folder(folder)
            known = {"id": folder.name, "name": _clean_name(name), "file": str(path), "created_at": _now()}
            return self._add(msgspec.convert({**known, "origin": origin, **facts}, Take))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def scratch(self, name: str) -> Path:
        """Return the path of a temporary file in the session's folder."""
        return self._folder / name

    def begin(self, recording: Recording) -> str:
        """Start a recording, and return the identifier of its take."""
        with self._lock:
            self._require_room()
            folder = self._made_folder()
            self._recordings[folder.name] = _Recorder(folder, recording)
            return folder.name

    def append(self, wanted: str, first: int, content: bytes) -> int:
        """Append samples to a recording; they are on disk when this returns.

        Args:
            wanted: The recording.
            first: Number of bytes that were sent before; samples that are sent a second time are not stored again.
            content: Little-endian 32-bit floats, interleaved.

        Returns:
            The number of bytes stored until now.

        Raises:
            UsageError: There is no such recording, samples are missing, or it is longer than can be cloned.
        """
        return self._recorder(wanted).append(first, content)

    def finish(self, wanted: str, name: str, marked: Span | None) -> Take:
        """Make a take of a recording; its file is on disk when this returns.

        Args:
            wanted: The recording.
            name: What the page calls it.
            marked: Where the marked sentence was on the screen, in seconds.

        Raises:
            UsageError: There is no such recording, or nothing was recorded.
        """
        with self._lock:
            if wanted in self._takes:  # the answer to an earlier request was lost
                return self._takes[wanted]
            recorder = self._recorder(wanted)
            take = self._add(recorder.take(_clean_name(name), "recorded", marked))
            del self._recordings[wanted]
            recorder.discard_samples()
            return take

    def annotate(self, take: Take, **facts: object) -> Take:
        """Change attributes of a take."""
        return self._add(msgspec.structs.replace(take, **facts))

    def save(self, wanted: str) -> Take:
        """Copy a take to the folder that stays; the copy is on disk when this returns."""
        take = self.find(wanted)
        if take.saved is not None and Path(take.saved).is_file():
            return take
        source = Path(take.file)
        self._saved_to.mkdir(parents=True, exist_ok=True, mode=0o700)
        target = _free_path(self._saved_to, file_stem(take.name), source.suffix)
        _copy(source, target)
        sync_folder(self._saved_to)
        with self._lock:
            return self._add(msgspec.structs.replace(take, saved=str(target)))

    def remove(self, wanted: str) -> None:
        """Remove a take from the session; a file outside its folder, and a saved copy, stay."""
        with self._lock:
            self.find(wanted)
            del self._takes[wanted]
            shutil.rmtree(self._folder / wanted, ignore_errors=True)

    @property
    def unsaved(self) -> int:
        """The number of recorded takes without a saved copy."""
        return sum(take.origin in {"recorded", "recovered"} and take.saved is None for take in self.all())

    def _recorder(self, wanted: str) -> _Recorder:
        with self._lock:
            if (recorder := self._recordings.get(wanted)) is None:
                raise UsageError("there is no such recording", "start it again")
            return recorder

    def _add(self, take: Take) -> Take:
        """Store the facts of a take, and show it."""
        with self._lock:
            if take.id not in self._takes:
                self._require_room()
            folder = self._folder / take.id
            folder.mkdir(exist_ok=True, mode=0o700)
            _write_json(folder / _FACTS, take)
            sync_folder(self._folder)
            self._takes[take.id] = take
            return take

    def _require_room(self) -> None:
        if len(self._takes) + len(self._recordings) >= _MOST_TAKES:
            raise UsageError(f"there are {_MOST_TAKES} takes", "remove some")

    def _made_folder(self) -> Path:
        folder = self._folder / _new_id()
        folder.mkdir(mode=0o700)
        return folder

    def _recover(self, folder: Path) -> None:
        """Take over a folder of a session that crashed: its take, or what was recorded."""
        try:
            take = msgspec.json.decode((folder / _FACTS).read_bytes(), type=Take)
            if not Path(take.file).is_file():  # the session's folder had another name
                moved = folder / Path(take.file).name
                take = msgspec.structs.replace(take, file=str(moved))
            if Path(take.file).is_file():
                self._add(take)
                return
        except (FileNotFoundError, msgspec.DecodeError):
            pass
        try:
            recording = msgspec.json.decode((folder / _RECORDING).read_bytes(), type=Recording)
            self._add(_Recorder(folder, recording).take("Recovered take", "recovered", None))
        except (FileNotFoundError, msgspec.DecodeError, UsageError):
            shutil.rmtree(folder, ignore_errors=True)  # nothing was stored yet


class _Recorder:
    """A recording in progress: its samples are appended to a file, and synced with each request."""

    def __init__(self, folder: Path, recording: Recording) -> None:
        self._folder, self._recording = folder, recording
        self._samples = folder / _SAMPLES
        self._frame_bytes = BYTES_PER_SAMPLE * recording.channels
        self._lock = threading.Lock()
        if not (folder / _RECORDING).exists():
            self._samples.touch(mode=0o600)
            _write_json(folder / _RECORDING, recording)
        self._stored = self._samples.stat().st_size

    def append(self, first: int, content: bytes) -> int:
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
                file.flush()
                os.fsync(file.fileno())
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
            created_at=_now(),
            purpose=facts.purpose,
            language=facts.language,
            marked=marked,
            bits=captured.bits,
        )

    def discard_samples(self) -> None:
        """Remove the samples, once the take is stored with its facts."""
        self._samples.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as content, atomic_write(target) as (file, _):
        shutil.copyfileobj(content, file, 1 << 20)


def _write_json(path: Path, content: object) -> None:
    with atomic_write(path) as (file, _):
        file.write(msgspec.json.encode(content))


def _free_path(folder: Path, stem: str, suffix: str) -> Path:
    names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, 10_000))
    return next(path for name in names if not (path := folder / f"{name}{suffix}").exists())


def _clean_name(name: str) -> str:
    return "".join(letter for letter in name if letter.isprintable()).strip()[:_LONGEST_NAME] or "Take"


def file_stem(name: str) -> str:
    """A file name of letters, digits, hyphens and underscores of any script, from the name of a take."""
    return re.sub(r"[^\w-]+", "-", Path(name).stem).strip("-")[:_LONGEST_NAME] or "take"


def _new_id() -> str:
    return secrets.token_hex(8)


def _now() -> datetime:
    return datetime.now(UTC)
