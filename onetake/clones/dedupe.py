"""Whether two orders would give the same voice: the same recording with all that shapes the voice.

What is only listened to (the text of the trial and its model) does not shape it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from onetake.ledger.attempts import Subject
from preflight.input.source import Source, display_name
from preflight.input.types import Stored, stem_of

if TYPE_CHECKING:
    from onetake.clones.request import Order
    from preflight.input.types import PathLike

_SHAPING = ("accuracy", "need_noise_reduction", "need_volume_normalization", "prompt_text")


def subject_of(order: Order, base_url: str, size: int, sha256: str, prompt_sha256: str | None) -> Subject:
    """What the ledger knows an order by.

    Args:
        order: What is to be cloned.
        base_url: The service.
        size: Of the recording as it lies on disk, in bytes.
        sha256: Of the same.
        prompt_sha256: Of the prompt clip as it lies on disk, if it is a file of its own.
    """
    shape: dict[str, Any] = {name: getattr(order.options, name) for name in _SHAPING}
    shape["base_url"] = base_url
    shape["prompt"] = order.auto_prompt if order.prompt is None else prompt_sha256
    request = hashlib.sha256(msgspec.json.encode(shape, order="deterministic")).hexdigest()
    # what has no file keeps the name that reports give it: the path at which it is stored now says nothing later
    path = order.take if isinstance(order.take, Stored) else as_path(order.take).absolute()
    return Subject(sha256=sha256, request=request, bytes=size, path=display_name(path))


def usual_name(take: PathLike) -> str | None:
    """What the voice of a recording is called for which there is no file name; None where there is one."""
    return stem_of(take) if isinstance(take, Stored) and take.name.startswith("<") else None


def digest(path: PathLike) -> str:
    """SHA-256 of a recording, in hex.

    Raises:
        preflight.CannotOpen: It is not a regular file, too large, or cannot be read.
    """
    with Source.open(path) as source:
        return source.sha256()


def as_path(path: PathLike) -> Path:
    """Any name, also one that is no UTF-8."""
    return Path(os.fsdecode(path))
