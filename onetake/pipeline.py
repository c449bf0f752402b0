"""From a recording on disk to a voice: check, mend if needed, upload, verify, clone, clean up."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import msgspec

from onetake.errors import TakeRefused, UsageError, failure_of
from onetake.interrupts import finishing
from preflight.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from client import CloneClient, ClonedVoice, CloneOptions
    from onetake.journal import Journal
    from preflight.report import Role
    from preflight.source import PathLike
    from uploader import Storage, Upload

CONTENT_TYPES = {"mp3": "audio/mpeg", "m4a": "audio/mp4", "wav": "audio/wav"}


class Observer(Protocol):
    """Whoever wants to know how far the work has come."""

    def step(self, name: str, detail: str) -> None:
        """A step is done: its name in one word, and what came of it."""

    def warn(self, message: str) -> None:
        """Something went wrong that does not lose the voice."""


@dataclass(frozen=True)
class Sendable:
    """A recording that the endpoint will take.

    Attributes:
        report: Of the file that is sent.
        path: Of the file that is sent: the original, or a mended copy.
        changes: What was done to it, in words; empty for the original.
    """

    report: Report
    path: PathLike
    changes: tuple[str, ...] = ()


class Sent(msgspec.Struct, frozen=True):
    """An object as it stood in the storage.

    Attributes:
        key: Its name in the bucket.
        content_type: As served.
        bytes: Its size.
        deleted: Whether it is gone again.
    """

    key: str
    content_type: str
    bytes: int
    deleted: bool


class Cloned(msgspec.Struct, frozen=True, kw_only=True):
    """A new voice.

    Attributes:
        voice_id: Its name for speech calls.
        expires_at: When it is deleted unless a speech call uses it, UTC.
        demo: The trial recording that was written, if one was asked for.
        take: The report of the recording that was sent.
        changes: What was done to the recording before it was sent.
        uploads: What was stored on the way.
        warnings: What went wrong without losing the voice.
        interrupted: Whether somebody asked to stop meanwhile.
    """

    voice_id: str
    expires_at: datetime
    demo: str | None
    take: Report
    changes: tuple[str, ...]
    uploads: tuple[Sent, ...]
    warnings: tuple[str, ...]
    interrupted: bool = False


@dataclass(frozen=True)
class Order:
    """What is to be cloned.

    Attributes:
        take: The recording.
        options: What is asked of the endpoint.
        prompt: The prompt clip, whose text stands in `options`.
        demo: Where the trial recording goes.
        keep_upload: Leave the uploads in the storage.
    """

    take: PathLike
    options: CloneOptions
    prompt: PathLike | None = None
    demo: Path | None = None
    keep_upload: bool = False


@dataclass
class Pipeline:
    """The parts that clone a voice.

    Attributes:
        storage: Where recordings go.
        client: Of the clone service.
        journal: Where paid calls are written down.
        observer: Is told how far the work has come.
    """

    storage: Storage
    client: CloneClient
    journal: Journal
    observer: Observer
    _warnings: list[str] = field(default_factory=list)
    _uploads: list[Upload] = field(default_factory=list)

    def clone(self, order: Order) -> Cloned:
        """Clone one voice. The only step that costs money comes last, when all before it was verified.

        Raises:
            UsageError: The order contradicts itself.
            TakeRefused: A recording cannot be sent.
            uploader.StorageError: The storage failed; nothing was paid.
            client.ServiceError: The service refused or failed; with `client.OutcomeUnknown` it may have charged.
            JournalFailed: The call could not be written down beforehand; nothing was paid.
        """
        check_order(order)
        self.storage.require_public()
        with tempfile.TemporaryDirectory(prefix="onetake-", ignore_cleanup_errors=True) as folder:
            take, prompt = prepare_order(order, Path(folder), self.observer)
            stored: list[Sent] = []
            try:
                audio_url = self._upload(take)
                prompt_url = self._upload(prompt) if prompt else None
                voice, interrupted = self._call(order, take, audio_url, prompt_url)
                demo = None if interrupted else self._fetch_demo(order, voice)
            finally:
                stored.extend(self._clean_up(keep=order.keep_upload))
        return Cloned(
            voice_id=voice.voice_id,
            expires_at=voice.expires_at,
            demo=demo,
            take=take.report,
            changes=take.changes,
            uploads=tuple(stored),
            warnings=tuple(self._warnings),
            interrupted=interrupted,
        )

    def _upload(self, sendable: Sendable) -> str:
        upload, link_url, expires_at = upload_take(self.storage, sendable, self._uploads.append)
        self.observer.step("upload", f"{upload.bytes / 1e6:.1f} MB stored and verified as {upload.content_type}")
        self.observer.step("verify", f"a stranger can fetch it until {expires_at.astimezone():%H:%M}")
        return link_url

    def _call(self, order: Order, take: Sendable, audio_url: str, prompt_url: str | None) -> tuple[ClonedVoice, bool]:
        from client import OutcomeUnknown

        attempt = self.journal.attempt(
            take=take.report.path,
            sha256=take.report.file.sha256,
            options=msgspec.to_builtins(order.options),
            base_url=self.client.base_url,
        )
        note = "the call is under way and may be charged: waiting for its answer (Ctrl-C again gives it up)"
        with finishing(lambda: self._warn(note)) as patience:
            try:
                voice = self.client.clone(audio_url, order.options, prompt_url)
            except KeyboardInterrupt:
                lost = OutcomeUnknown(
                    "interrupted before the answer came: whether the voice was made is not known",
                    hint=f"look into your account with the service before you try again (attempt {attempt})",
                )
                self._note_end(attempt, "unknown", kind="interrupted")
                raise lost from None
            except Exception as error:
                failure = failure_of(error)
                self._note_end(
                    attempt, "unknown" if isinstance(error, OutcomeUnknown) else "refused", kind=failure.kind
                )
                raise
            self._note_end(attempt, "voice", voice_id=voice.voice_id, expires_at=voice.expires_at)
        self.observer.step("clone", voice.voice_id)
        return voice, patience.asked_to_stop

    def _note_end(self, attempt: str, event: str, **facts: Any) -> None:
        """A failing journal must not hide the answer that it was to hold."""
        try:
            self.journal.outcome(attempt, event, **facts)
        except Exception as error:  # noqa: BLE001 - whatever it is, the voice goes first
            self._warn(f"WRITE THIS DOWN: {event} {facts.get('voice_id', '')}: {failure_of(error).message}")

    def _fetch_demo(self, order: Order, voice: ClonedVoice) -> str | None:
        if order.demo is None:
            return None
        if voice.demo_audio_url is None:
            self._warn("the service sent no trial recording")
            return None
        try:
            with replacing(order.demo) as (file, temporary):
                self.client.download(voice.demo_audio_url, file)
                file.flush()
                _require_sound(temporary)
        except Exception as error:  # noqa: BLE001 - the voice is paid for: nothing here may lose it
            self._warn(f"the trial recording could not be fetched: {failure_of(error).message}")
            return None
        self.observer.step("demo", str(order.demo))
        return os.fspath(order.demo)

    def _clean_up(self, *, keep: bool) -> Iterator[Sent]:
        for upload in self._uploads:
            deleted = False
            if not keep:
                try:
                    self.storage.delete(upload)
                    deleted = True
                except Exception as error:  # noqa: BLE001 - the voice is paid for: nothing here may lose it
                    self._warn(f"{upload.key} could not be deleted: {failure_of(error).message}")
            yield Sent(upload.key, upload.content_type, upload.bytes, deleted)
        if self._uploads:
            self.observer.step("clean up", "uploads kept" if keep else "uploads deleted")

    def _warn(self, message: str) -> None:
        self._warnings.append(message)
        self.observer.warn(message)


def check_order(order: Order) -> None:
    """Refuse an order that contradicts itself, before anything is read or sent.

    Raises:
        UsageError: A prompt clip without its text, a text without its clip, or a demo that cannot be.
    """
    if order.prompt is not None and order.options.prompt_text is None:
        raise UsageError("--prompt needs the text that is spoken in it", 'add --prompt-text "…"')
    if order.prompt is None and order.options.prompt_text is not None:
        raise UsageError("--prompt-text needs the clip in which it is spoken", "add --prompt CLIP")
    if order.demo is None:
        return
    if order.options.text is None:
        raise UsageError("--demo needs a text to be read", 'add --text "…" and --model')
    if order.demo.is_dir() or not os.access(order.demo.parent, os.W_OK):
        raise UsageError(
            f"--demo {str(order.demo)!r} cannot be written", "name a file in a folder that you may write to"
        )


def plan_order(order: Order, folder: Path, observer: Observer) -> dict[str, Any]:
    """What `Pipeline.clone` would send, with placeholders for the URLs. Nothing is sent.

    Raises:
        TakeRefused: A recording cannot be sent.
    """
    from client import CloneClient

    take, prompt = prepare_order(order, folder, observer)
    place = "https://presigned.example/{}.{}"
    audio_url = place.format("recording", take.report.file.container)
    prompt_url = place.format("prompt", prompt.report.file.container) if prompt else None
    return {
        "request": CloneClient("dry-run").clone_body(audio_url, order.options, prompt_url),
        "take": take.report,
        "changes": take.changes,
    }


def prepare_order(order: Order, folder: Path, observer: Observer) -> tuple[Sendable, Sendable | None]:
    """The recording and the prompt clip, checked and mended; see `prepare`."""
    take = prepare(order.take, folder, observer)
    if order.prompt is None:
        return take, None
    return take, prepare(order.prompt, folder, observer, role="prompt", prompt_text=order.options.prompt_text)


def prepare(
    path: PathLike, folder: Path, observer: Observer, *, role: Role = "recording", prompt_text: str | None = None
) -> Sendable:
    """Check a recording, and put a mended copy into `folder` if it needs one.

    Raises:
        TakeRefused: It is not fit and cannot be made so.
    """
    import preflight

    report = preflight.check(path, role=role, prompt_text=prompt_text)
    observer.step("check", f"{report.path}: {report.verdict}")
    errors = {finding.rule for finding in report.errors}
    if errors <= {"extension-mismatch"}:
        return Sendable(report, path)  # an upload gets the right ending anyway
    if report.verdict == "rejected":
        raise _refused(report)
    target = Path(folder) / role
    target.mkdir()
    try:
        fixed = preflight.fix(path, target, role=role, prompt_text=prompt_text)
    except preflight.CannotFix as error:
        raise TakeRefused(f"{report.path}: {error.message}", error.hint, report) from error
    observer.step("fix", "; ".join(fixed.steps))
    if fixed.after is None or fixed.path is None:
        raise _refused(report)
    return Sendable(fixed.after, fixed.path, fixed.steps)


def _refused(report: Report) -> TakeRefused:
    reasons = "; ".join(finding.message for finding in report.errors if not finding.fix)
    return TakeRefused(f"{report.path}: {reasons}", "record or export it again, then check it", report)


def upload_take(
    storage: Storage, sendable: Sendable, on_stored: Callable[[Upload], None]
) -> tuple[Upload, str, datetime]:
    """Upload, presign, and fetch as a stranger would.

    Args:
        storage: Where it goes.
        sendable: What was checked; a file that changed since is not sent.
        on_stored: Called as soon as there is something to delete again.

    Returns:
        The upload, its URL, and when the URL expires.

    Raises:
        uploader.StorageError: The storage failed.
    """
    from preflight.limits import ACCEPTED

    container = sendable.report.file.container
    upload = storage.upload(
        sendable.path,
        content_type=CONTENT_TYPES[container],
        suffix=ACCEPTED[container],
        sha256=sendable.report.file.sha256,
    )
    on_stored(upload)
    link = storage.presign(upload)
    storage.verify_link(link, upload)
    return upload, link.url, link.expires_at


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """A temporary file, open and by name, that takes the name `path` if the block ends well and is gone if not."""
    handle, name = tempfile.mkstemp(prefix=".onetake-", dir=path.parent)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file, Path(name)
        shutil.copymode(path, name) if path.exists() else Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def _require_sound(path: Path) -> None:
    import preflight
    from client import NonsenseAnswer

    report = preflight.check(path)
    if not report.file.duration_s:
        raise NonsenseAnswer("what came is not a recording", hint="ask for the demo again")
