"""What is to be cloned, who hears how far it has come, and what comes of it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from onetake.errors import UsageError
from preflight.input.source import display_name
from preflight.profile import DEFAULT, Profile
from preflight.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from client import CloneOptions
    from preflight import SpeechModel
    from preflight.input.types import PathLike


Stage = Literal["check", "fix", "upload", "clone", "demo"]
"""Of a step that can take long."""


@dataclass(frozen=True)
class Order:
    """What is to be cloned.

    Attributes:
        take: The recording.
        options: What is asked of the endpoint.
        prompt: The prompt clip, whose text stands in `options`.
        auto_prompt: Which clip of the recording itself is the prompt clip, 1 for the best; None for none.
        consent: Who agreed that the voice is cloned, and when.
        name: What the voice is to be called; by default like the recording.
        again: Clone it also where that was, or may have been, done and paid for before.
        speech_model: Hears the prompt clip, to compare its text; None where nobody asked for that.
        demo: Where the trial recording goes.
        replace_demo: Whether it may take the place of a file that is there.
        keep_upload: Leave the uploads in the storage.
        profile: How the rules judge the recordings.
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

    @property
    def has_prompt(self) -> bool:
        """Whether a prompt clip goes along."""
        return self.prompt is not None or self.auto_prompt is not None


class Observer(Protocol):
    """Whoever wants to know how far the work has come."""

    def step(self, name: str, detail: str) -> None:
        """A step is done: its name in one word, and what came of it."""

    def warn(self, message: str) -> None:
        """Something went wrong that does not lose the voice."""

    def progress(self, stage: Stage, done: float, total: float | None) -> None:
        """The step `stage` is under way: seconds heard or written of a recording, or bytes sent or fetched.

        They begin again where a recording is gone through once more, or sent once more. `total` is None where nobody
        knows it, and while an answer is awaited. It may be called by other threads, must not raise, and had better not
        take long.
        """


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
    """A voice.

    Attributes:
        voice_id: Its name for speech calls.
        name: What the ledger calls it; None if it could not be written down.
        known: Whether it was made and paid for by an earlier call.
        expires_at: When it is deleted unless a speech call uses it, UTC; None for one that stays.
        demo: The trial recording that was written, if one was asked for.
        take: The report of the recording that was sent; None if nothing was.
        changes: What was done to the recording before it was sent.
        uploads: What was stored on the way.
        warnings: What went wrong without losing the voice.
        interrupted: Whether somebody asked to stop meanwhile.
        trace_id: What the service's support asks for, if the answer had one.
    """

    voice_id: str
    name: str | None
    known: bool = False
    expires_at: datetime | None
    demo: str | None = None
    take: Report | None = None
    changes: tuple[str, ...] = ()
    uploads: tuple[Sent, ...] = ()
    warnings: tuple[str, ...] = ()
    interrupted: bool = False
    trace_id: str | None = None


def check_order(order: Order) -> None:
    """Refuse an order that contradicts itself, before anything is read or sent.

    Raises:
        UsageError: A prompt clip without its text, a text without its clip, or a demo or a name that cannot be.
        preflight.BadProfile: What the service itself asks for is overruled.
    """
    order.profile.require_contract()
    if order.name is not None:
        from onetake.ledger.voices import require_name

        require_name(order.name)
    if order.prompt is not None and order.auto_prompt is not None:
        raise UsageError("--prompt and --auto-prompt are two prompt clips", "give one of them")
    if order.has_prompt and order.options.prompt_text is None:
        raise UsageError("a prompt clip needs the text that is spoken in it", 'add --prompt-text "…"')
    if not order.has_prompt and order.options.prompt_text is not None:
        raise UsageError("--prompt-text needs the clip in which it is spoken", "add --prompt CLIP")
    _check_demo(order)


def _check_demo(order: Order) -> None:
    if order.demo is None and order.options.text is not None:
        raise UsageError("--text is charged, and its trial would be heard by nobody", "add --demo OUT")
    if order.demo is None:
        return
    if order.options.text is None:
        raise UsageError("--demo needs a text to be read", 'add --text "…" and --model')
    shown = repr(display_name(order.demo))
    folder = order.demo.parent
    is_writable = folder.is_dir() and os.access(folder, os.W_OK)
    if not is_writable or (order.demo.exists() and not order.demo.is_file()):
        raise UsageError(f"--demo {shown} cannot be written", "name a file in a folder that you may write to")
    for recording in (order.take, order.prompt):
        with contextlib.suppress(OSError):
            if recording is not None and order.demo.samefile(os.fsdecode(recording)):
                raise UsageError(f"--demo {shown} is a recording that is to be sent", "choose another name")


def require_free_demo(order: Order) -> None:
    """Refuse a trial recording that would take the place of a file, before it is paid for; raises `UsageError`."""
    if order.demo is not None and order.demo.exists() and not order.replace_demo:
        shown = repr(display_name(order.demo))
        raise UsageError(f"--demo {shown} exists", "choose another name, or replace it with --force")


def require_apart(orders: Sequence[Order], places: Sequence[str]) -> None:
    """Refuse orders that `conflicts` finds something wrong with; raises `UsageError`."""
    for index, conflict in conflicts(orders, places):
        raise UsageError(f"{places[index]}: {conflict.message}", conflict.hint)


def conflicts(orders: Sequence[Order], places: Sequence[str]) -> Iterator[tuple[int, UsageError]]:
    """Find orders that give their voice the same name as an earlier one, or write the same preview file.

    Args:
        orders: All orders of a run.
        places: A description of each for messages, such as its line in a manifest.

    Yields:
        The index of the later order, and the error.
    """
    names: dict[str, str] = {}
    demos: dict[str, str] = {}
    for index, (order, place) in enumerate(zip(orders, places, strict=True)):
        if order.name is not None and names.setdefault(order.name, place) is not place:
            message = f"the name {order.name!r} is used already by {names[order.name]}"
            yield index, UsageError(message, "give each voice its own name")
        if order.demo is None:
            continue
        demo = os.path.realpath(order.demo)
        if demos.setdefault(demo, place) is not place:
            message = f"the demo {display_name(order.demo)!r} is written already by {demos[demo]}"
            yield index, UsageError(message, "give each preview its own file")


def demo_in(folder: Path, take: PathLike) -> Path:
    """Where the trial recording of one of many goes: into `folder`, under the recording's own name.

    Raises:
        UsageError: It is no folder.
    """
    if not folder.is_dir():
        raise UsageError(f"--demo {display_name(folder)!r} is no folder", "name one: there are many recordings")
    return folder / f"{Path(os.fsdecode(take)).stem}.mp3"
