"""The takes of a session: recorded, dropped, opened, joined, fixed and cut ones, each with its facts in a JSON file.

    SESSION/ID/recording.json + samples.f32    while it is recorded; complete to the last second after a crash
    SESSION/ID/take.json + NAME.wav            a take; both are on disk before the page shows it

`take.json` is written last: a folder without it is not a take yet: what was recorded is recovered.
"""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from onetake.errors import UsageError
from onetake.io.atomic_write import atomic_write
from onetake.studio.recorder import FACTS as RECORDING_FACTS
from onetake.studio.recorder import Recorder, Recording
from onetake.studio.take import Origin, Span, Take, clean_name, file_stem, new_id, now, write_json
from preflight.file_system import sync_file, sync_folder
from preflight.input.source import display_name

if TYPE_CHECKING:
    from collections.abc import Callable

_FACTS: Final = "take.json"
_MOST_TAKES: Final = 200


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
        self._recordings: dict[str, Recorder] = {}
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
            "id": new_id(),
            "name": name or display_name(path.name),
            "file": str(path.absolute()),
            "created_at": now(),
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
                sync_file(file)
            sync_folder(folder)
            known = {"id": folder.name, "name": clean_name(name), "file": str(path), "created_at": now()}
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
            self._recordings[folder.name] = Recorder(folder, recording)
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
            take = self._add(recorder.take(clean_name(name), "recorded", marked))
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

    def _recorder(self, wanted: str) -> Recorder:
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
            write_json(folder / _FACTS, take)
            sync_folder(self._folder)
            self._takes[take.id] = take
            return take

    def _require_room(self) -> None:
        if len(self._takes) + len(self._recordings) >= _MOST_TAKES:
            raise UsageError(f"there are {_MOST_TAKES} takes", "remove some")

    def _made_folder(self) -> Path:
        folder = self._folder / new_id()
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
            recording = msgspec.json.decode((folder / RECORDING_FACTS).read_bytes(), type=Recording)
            self._add(Recorder(folder, recording).take("Recovered take", "recovered", None))
        except (FileNotFoundError, msgspec.DecodeError, UsageError):
            shutil.rmtree(folder, ignore_errors=True)  # nothing was stored yet


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as content, atomic_write(target) as (file, _):
        shutil.copyfileobj(content, file, 1 << 20)


def _free_path(folder: Path, stem: str, suffix: str) -> Path:
    names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, 10_000))
    return next(path for name in names if not (path := folder / f"{name}{suffix}").exists())
