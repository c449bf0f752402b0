"""Save audio from the service without losing any: paid audio is stored somewhere, even if it is not recognized."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onetake.errors import OnetakeError, SettingError, UsageError
from onetake.exit_status import Status
from onetake.io.atomic_write import atomic_write, require_replaceable
from onetake.io.paths import exists, is_file, is_folder
from onetake.resource_errors import resource_hint
from preflight.display.shell_arguments import quoted
from preflight.file_system import sync_file
from preflight.input.source import display_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from client import CloneClient, ServiceError, Speech
    from onetake.ledger import VoiceRecord

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_COPIED_AT_ONCE: Final = 1 << 20
_UNVERIFIED: Final = {".pcm"}
"""Raw samples without a header: they cannot be verified."""


class UnrecognizedAudio(OnetakeError):
    """The audio from the service cannot be decoded.

    Attributes:
        saved: The path where it was saved.
    """

    kind = "unrecognized-audio"
    status = Status.SERVICE

    def __init__(self, message: str, hint: str = "", saved: str = "") -> None:
        super().__init__(message, hint)
        self.saved = saved

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message, self.hint, self.saved))


class SavedElsewhere(OnetakeError):
    """Audio could not be written to the requested file.

    Attributes:
        saved: The path where it was saved instead.
    """

    kind = "saved-elsewhere"

    def __init__(self, message: str, hint: str = "", saved: str = "") -> None:
        super().__init__(message, hint)
        self.saved = saved

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message, self.hint, self.saved))


def require_writable(out: Path, *, replace: bool) -> None:
    """Raise `UsageError` if an output file cannot be written. Call it before anything is paid or downloaded.

    Args:
        out: The output file.
        replace: Whether an existing file may be replaced.
    """
    shown = repr(display_name(out))
    if exists(out) and not (replace and is_file(out)):
        raise UsageError(f"{shown} exists", "choose another name, or replace it with --force")
    if not is_folder(out.parent):
        raise UsageError(f"{shown} cannot be written: there is no such folder", "create it, or name another one")
    require_replaceable(out)
    require_creatable(out)


def require_creatable(out: Path) -> None:
    """Create and remove a file beside `out`: permissions alone do not show whether that works.

    Raises:
        UsageError: The file cannot be written.
        OSError: There is too little room, or another limit of the system was reached.
    """
    with contextlib.suppress(_Abandoned), _named_if_unwritable(out), atomic_write(out):
        raise _Abandoned  # atomic_write then removes its temporary file


class _Abandoned(Exception):
    """Ends `require_creatable`."""


@contextlib.contextmanager
def _named_if_unwritable(out: Path) -> Iterator[None]:
    """Raise `UsageError` with the name of the output in place of an OSError with that of its temporary file."""
    try:
        yield
    except OSError as error:
        if resource_hint(error, "TMPDIR") is not None:
            raise
        what = f"{display_name(out)!r} cannot be written: {(error.strerror or str(error)).lower()}"
        raise UsageError(what, "name a file in a folder with write permission") from error


def save_audio(out: Path, write: Callable[[BinaryIO], object]) -> int:
    """Write audio to a file atomically, after verifying that it decodes; return its size in bytes.

    Args:
        out: The output file.
        write: Called with the open file; writes the audio.

    Raises:
        UnrecognizedAudio: The audio cannot be decoded; it is saved beside `out` under another name.
        UsageError: The file cannot be written.
        OSError: There is too little room, or another limit of the system was reached.
    """
    with _named_if_unwritable(out), atomic_write(out) as (file, temporary):
        write(file)
        file.flush()
        size = file.tell()
        if out.suffix.lower() not in _UNVERIFIED and not _is_recording(temporary):
            with temporary.open("rb") as content:
                saved = save_unrecognized(out, iter(lambda: content.read(_COPIED_AT_ONCE), b""))
            what = f"the service sent {size} bytes that are not audio; they are saved as {display_name(saved)!r}"
            raise UnrecognizedAudio(what, "inspect that file", display_name(saved))
    return size


def save_unrecognized(out: Path, content: bytes | Iterable[bytes]) -> Path:
    """Save an answer that is not audio beside `out`, under a distinct name.

    Args:
        out: The requested output file.
        content: Bytes, or an iterable of bytes.

    Returns:
        ``OUT.answer``, or ``OUT.2.answer`` and so on if that exists.

    Raises:
        OSError: The file cannot be written.
    """
    for number in count(1):
        path = out.with_name(f"{out.name}.answer" if number == 1 else f"{out.name}.{number}.answer")
        with contextlib.suppress(FileExistsError):
            return _write_new(path, content)
    raise AssertionError("unreachable: names do not run out")


def save_elsewhere(out: Path, content: bytes | Iterable[bytes]) -> Path | None:
    """Save content in the folder of the ledger, else in the temporary folder.

    Returns:
        The path; None if neither folder is writable.
    """
    from onetake.config.ledger_location import home_path

    for place in (home_path, tempfile.gettempdir):
        # gettempdir raises OSError if no temporary folder is writable, home_path SettingError for a relative one
        with contextlib.suppress(OSError, SettingError):
            folder = Path(place())
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return _write_new(folder / f"speech-{secrets.token_hex(4)}{out.suffix}", content)
    return None


def save_given(out: Path, audio: bytes) -> int:
    """Save audio that an answer contained, in `out` or, if that cannot be written, elsewhere; return its size.

    Raises:
        UnrecognizedAudio: The audio cannot be decoded; it is saved as ``OUT.answer``.
        SavedElsewhere: `out` cannot be written; the message contains the path instead.
    """
    try:
        return save_audio(out, lambda file: file.write(audio))
    except (OSError, UsageError) as error:
        raise _saved_elsewhere(audio, out, _reason(error)) from error


def save_speech(client: CloneClient, voice: VoiceRecord, speech: Speech, out: Path) -> int:
    """Save the audio of a speech call, from its answer or from its link. Each error says where the audio is.

    Raises:
        UnrecognizedAudio: The audio cannot be decoded; it is saved as ``OUT.answer``.
        SavedElsewhere: `out` cannot be written; the audio is saved elsewhere, or its link is in the ledger.
        client.DownloadFailed: The download failed; the link is in the ledger.
    """
    from client import DownloadFailed

    if speech.audio is not None:
        return save_given(out, speech.audio)
    link = speech.audio_url or ""
    try:
        return save_audio(out, lambda file: client.download(link, file))
    except DownloadFailed as error:
        error.hint = f"the speech is paid for, and its link is in the ledger: {_fetch_later(voice)}"
        raise
    except (OSError, UsageError) as error:
        what = f"{display_name(out)!r} cannot be written: {_reason(error)}"
        saved = f"{what}; the speech is paid for, and its link is in the ledger"
        raise SavedElsewhere(saved, _fetch_later(voice)) from error


def _reason(error: OSError | UsageError) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return (getattr(cause, "strerror", None) or str(cause)).lower()


def _fetch_later(voice: VoiceRecord) -> str:
    return f"fetch it with: onetake voices speech {quoted(voice.name)} -o OUT"


def _saved_elsewhere(audio: bytes, out: Path, reason: str) -> SavedElsewhere:
    what = f"{display_name(out)!r} cannot be written: {reason}; the audio is paid for, and"
    saved = save_elsewhere(out, audio)
    if saved is None:
        return SavedElsewhere(f"{what} could not be saved anywhere", "free disk space")
    return SavedElsewhere(f"{what} saved as {str(saved)!r}", "move it to the place you want", str(saved))


def save_answer(error: ServiceError, out: Path) -> None:
    """Save an answer that may contain paid audio, and add the path to the error's message."""
    content = bytes(error.answer_body)
    try:
        saved: Path | None = save_unrecognized(out, content)
    except OSError:
        saved = save_elsewhere(out.with_name(f"{out.name}.answer"), content)
    error.message += (
        "; the answer could not be saved" if saved is None else f"; the answer is saved as {display_name(saved)!r}"
    )


def _write_new(path: Path, content: bytes | Iterable[bytes]) -> Path:
    pieces = (content,) if isinstance(content, bytes) else content
    with os.fdopen(os.open(path, _NEW, 0o600), "wb") as file:
        try:
            for piece in pieces:
                file.write(piece)
            sync_file(file)
        except BaseException:
            file.close()
            path.unlink(missing_ok=True)
            raise
    return path


def _is_recording(path: Path) -> bool:
    import preflight

    return bool(preflight.check(path).file.duration_s)
