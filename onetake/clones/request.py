"""What to clone and how (`CloneRequest`), its validation, and the result (`Cloned`)."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from onetake.errors import TakePoor, UsageError
from onetake.io.atomic_write import require_replaceable
from onetake.io.paths import exists, is_file, is_folder
from preflight.input.source import display_name
from preflight.profile import DEFAULT, Profile
from preflight.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from client import CloneOptions
    from onetake.clones.prepare import Prepared
    from preflight import SpeechModel
    from preflight.input.recording import PathLike


@dataclass(frozen=True)
class CloneRequest:
    """One recording to clone, with all options. The endpoint's request body is made from it.

    Attributes:
        take: Path of the recording.
        options: Options for the endpoint.
        prompt: Path of the prompt clip; its text is in `options`.
        demo: Path of the preview file.
        replace_demo: Overwrite an existing preview file.
        keep_upload: Leave the uploads in the storage.
        profile: Limits and severities of the checks.
        auto_prompt: Rank of the clip of the recording itself to use as prompt clip, 1 for the best; None for none.
        consent: Who agreed to the clone, and when.
        name: Name of the voice; by default that of the recording.
        again: Clone again although a voice exists or an earlier call may have been charged.
        speech_model: Transcribes the prompt clip to compare it with its text; None to skip that.
        accept_poor: Clone a recording of poor quality without a question.
    """

    take: PathLike
    options: CloneOptions
    prompt: PathLike | None = None
    demo: Path | None = None
    replace_demo: bool = False
    keep_upload: bool = False
    profile: Profile = DEFAULT
    auto_prompt: int | None = None
    consent: str | None = None
    name: str | None = None
    again: bool = False
    speech_model: SpeechModel | None = None
    accept_poor: bool = False

    @property
    def has_prompt(self) -> bool:
        """Whether a prompt clip is sent."""
        return self.prompt is not None or self.auto_prompt is not None


class UploadedFile(msgspec.Struct, frozen=True):
    """An object that was in the storage.

    Attributes:
        key: Key in the bucket.
        content_type: Media type it was served with.
        bytes: Size in bytes.
        deleted: Whether it was deleted afterwards.
    """

    key: str
    content_type: str
    bytes: int
    deleted: bool


class Cloned(msgspec.Struct, frozen=True, kw_only=True):
    """A voice.

    Attributes:
        voice_id: The service's identifier, for speech calls.
        name: Name in the ledger; None when the ledger could not store the voice.
        known: Whether an earlier call made and paid for it.
        expires_at: When the service deletes it unless a speech call uses it, UTC; None for a kept voice.
        demo: Path of the preview that was written, if one was requested.
        likeness: Estimate of how close the voice of the preview is to that of the recording: the cosine of their voice
            embeddings, at most 1. None without a preview, or if one of them has less than 1.6 s of speech.
        take: Report of the recording that was sent; None if nothing was sent.
        changes: Fixes applied to the recording before it was sent.
        uploads: Objects stored during the run.
        warnings: Problems that did not lose the voice.
        interrupted: Whether a signal asked to stop during the run.
        trace_id: Trace id for the service's support, if the answer had one.
    """

    voice_id: str
    name: str | None
    known: bool = False
    expires_at: datetime | None
    demo: str | None = None
    likeness: float | None = None
    take: Report | None = None
    changes: tuple[str, ...] = ()
    uploads: tuple[UploadedFile, ...] = ()
    warnings: tuple[str, ...] = ()
    interrupted: bool = False
    trace_id: str | None = None


def validate_request(request: CloneRequest) -> None:
    """Refuse options that contradict each other, before anything is read or sent.

    Raises:
        UsageError: A prompt clip without its text, a text without its clip, or an invalid preview path or name.
        preflight.BadProfile: The profile is looser than the service's own limits.
    """
    request.profile.require_contract()
    if request.name is not None:
        from onetake.ledger.voices import require_name

        require_name(request.name)
    if request.prompt is not None and request.auto_prompt is not None:
        raise UsageError("--prompt and --auto-prompt exclude each other", "give one of them")
    if request.has_prompt and request.options.prompt_text is None:
        raise UsageError("a prompt clip needs the text that is spoken in it", 'add --prompt-text "…"')
    if not request.has_prompt and request.options.prompt_text is not None:
        raise UsageError("--prompt-text needs the clip in which it is spoken", "add --prompt CLIP")
    _validate_demo(request)


def _validate_demo(request: CloneRequest) -> None:
    if request.demo is None and request.options.text is not None:
        raise UsageError("--text is charged, but its preview would not be saved", "add --demo OUT")
    if request.demo is None:
        return
    if request.options.text is None:
        raise UsageError("--demo needs a text to read", 'add --text "…"')
    shown = repr(display_name(request.demo))
    folder = request.demo.parent
    for is_wrong, reason, hint in (
        (not exists(folder), "its folder does not exist", "create the folder first"),
        (not is_folder(folder), "its folder is a file", "choose a folder"),
        (is_folder(request.demo), "it is a folder", "name a file in it"),
        (exists(request.demo) and not is_file(request.demo), "it is not a regular file", "choose another name"),
        (not os.access(folder, os.W_OK), "you may not write to its folder", "choose another folder"),
    ):
        if is_wrong:
            raise UsageError(f"--demo {shown} cannot be written: {reason}", hint)
    require_replaceable(request.demo)
    for recording in (request.take, request.prompt):
        with contextlib.suppress(OSError):  # samefile fails for a file that does not exist: nothing to protect
            if recording is not None and request.demo.samefile(os.fsdecode(recording)):
                raise UsageError(f"--demo {shown} is one of the recordings to send", "choose another name")


def require_free_demo(request: CloneRequest) -> None:
    """Refuse a preview that would overwrite a file, before it is paid for; raises `UsageError`."""
    if request.demo is not None and exists(request.demo) and not request.replace_demo:
        shown = repr(display_name(request.demo))
        raise UsageError(f"--demo {shown} exists", "choose another name, or replace it with --force")


def require_distinct(requests: Sequence[CloneRequest], places: Sequence[str]) -> None:
    """Refuse requests that share a voice name or a preview file; raises `UsageError` for the first of `conflicts`."""
    for index, conflict in conflicts(requests, places):
        raise UsageError(f"{places[index]}: {conflict.message}", conflict.hint)


def conflicts(requests: Sequence[CloneRequest], places: Sequence[str]) -> Iterator[tuple[int, UsageError]]:
    """Find requests that give their voice the same name as an earlier one, or write the same preview file.

    Args:
        requests: All requests of a run.
        places: A description of each for messages, such as its line in a manifest.

    Yields:
        The index of the later request, and the error.
    """
    names: dict[str, str] = {}
    demos: dict[str, str] = {}
    for index, (request, place) in enumerate(zip(requests, places, strict=True)):
        if request.name is not None and names.setdefault(request.name, place) is not place:
            message = f"the name {request.name!r} is used already by {names[request.name]}"
            yield index, UsageError(message, "give each voice its own name")
        if request.demo is None:
            continue
        demo = os.path.realpath(request.demo)
        if demos.setdefault(demo, place) is not place:
            message = f"the demo {display_name(request.demo)!r} is written already by {demos[demo]}"
            yield index, UsageError(message, "give each preview its own file")


def demo_in(folder: Path, take: PathLike) -> Path:
    """Return the preview's path for one of several recordings: in `folder`, with the recording's stem.

    Raises:
        UsageError: `folder` does not exist, or is not a folder.
    """
    shown = repr(display_name(folder))
    if not exists(folder):
        raise UsageError(f"the folder --demo {shown} does not exist", "create it first")
    if not is_folder(folder):
        raise UsageError(
            f"--demo {shown} is not a folder", "for several recordings, name the folder for their previews"
        )
    return folder / f"{Path(os.fsdecode(take)).stem}.mp3"


def require_quality(
    request: CloneRequest, prepared: Prepared, accepts: Callable[[str], bool] = lambda _problem: False
) -> None:
    """Refuse recordings of poor quality before they are paid for.

    Args:
        request: Its `accept_poor` skips the check.
        prepared: The files to send: what counts is their quality, not that of a longer original.
        accepts: Called with the problem; returns whether to clone the recording anyway.

    Raises:
        TakePoor: The quality of a file is poor, and that was not accepted.
    """
    from preflight.display.report_text import headline

    files = ((request.take, prepared.take), (request.prompt or request.take, prepared.prompt))
    for path, file in files:
        if file is None or file.report.quality != "poor" or request.accept_poor:
            continue
        problem = f"{display_name(path)}: {headline(file.report)}"
        if not accepts(problem):
            hint = "nothing was sent or charged: record it again, or clone it anyway with --accept-poor"
            raise TakePoor(problem, hint, file.report)
