"""Find earlier clones: those with the same recording, the same options that shape the voice, and the same service.

The preview's text and model do not shape the voice, so they are not compared.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from onetake.clones.request import Cloned
from onetake.errors import NotSettled
from onetake.ledger import CloneKey, Unsettled
from preflight.display.shell_arguments import quoted
from preflight.errors import CannotOpen
from preflight.input.recording import SpooledFile, stem_of
from preflight.input.source import Source, display_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onetake.clones.request import CloneRequest
    from onetake.ledger import Attempt, Ledger, VoiceRecord
    from preflight.input.recording import PathLike

_SHAPING_OPTIONS: Final = ("accuracy", "need_noise_reduction", "need_volume_normalization", "prompt_text")


def clone_key(request: CloneRequest, base_url: str, size: int, sha256: str, prompt_sha256: str | None) -> CloneKey:
    """Return the key under which the ledger finds the request again.

    Args:
        request: The request.
        base_url: The service.
        size: Size of the recording as it is on disk, in bytes.
        sha256: Its digest, hexadecimal.
        prompt_sha256: Digest of the prompt clip as it is on disk, if it is a separate file.
    """
    shape: dict[str, Any] = {name: getattr(request.options, name) for name in _SHAPING_OPTIONS}
    shape["base_url"] = base_url
    shape["prompt"] = request.auto_prompt if request.prompt is None else prompt_sha256
    digest = hashlib.sha256(msgspec.json.encode(shape, order="deterministic")).hexdigest()
    # audio from memory is in a temporary file, whose path means nothing later: the ledger stores its display name
    path = request.take if isinstance(request.take, SpooledFile) else as_path(request.take).absolute()
    return CloneKey(sha256=sha256, request=digest, bytes=size, path=display_name(path))


def find_known(request: CloneRequest, ledger: Ledger, base_url: str, *, read_only: bool = False) -> Cloned | None:
    """Return the voice of an earlier clone of the same recording, or None.

    The recording is read only if the ledger has one of the same size.

    Args:
        request: The request.
        ledger: Where earlier clones are stored.
        base_url: The service.
        read_only: Do not store the request's consent with a voice that has none.

    Raises:
        NotSettled: The outcome of an earlier paid call is unknown.
        LedgerFailed: The ledger cannot be read.
    """
    if request.again:
        return None
    with contextlib.suppress(OSError, CannotOpen):  # the check reports files that cannot be read
        path = as_path(request.take)
        if path.is_file() and ledger.attempts.knows_size(size := path.stat().st_size):
            prompt = digest(request.prompt) if request.prompt is not None else None
            found = ledger.attempts.find(clone_key(request, base_url, size, digest(request.take), prompt))
            if isinstance(found, Unsettled):
                raise not_settled(found.attempt)
            return None if found is None else known_voice(found.voice, request, ledger, read_only=read_only)
    return None


def repeated(requests: Sequence[CloneRequest], base_url: str) -> dict[int, int]:
    """Find the requests that get the voice of an earlier request of the same run.

    Only recordings of equal size are read.

    Args:
        requests: All requests of the run.
        base_url: The service.

    Returns:
        For the index of each such request, that of the first one with its voice.
    """
    sizes: dict[int, list[int]] = {}
    for index, request in enumerate(requests):
        with contextlib.suppress(OSError):  # the check reports files that cannot be read
            if (path := as_path(request.take)).is_file():
                sizes.setdefault(path.stat().st_size, []).append(index)
    found: dict[int, int] = {}
    for size, indexes in sizes.items():
        first: dict[tuple[str, str], int] = {}
        for index in indexes if len(indexes) > 1 else ():
            with contextlib.suppress(OSError, CannotOpen):
                request = requests[index]
                prompt = digest(request.prompt) if request.prompt is not None else None
                key = clone_key(request, base_url, size, digest(request.take), prompt)
                if (earlier := first.setdefault((key.sha256, key.request), index)) != index:
                    found[index] = earlier
    return found


def paid_once(requests: Sequence[CloneRequest], base_url: str) -> list[CloneRequest]:
    """Return the requests, with ``again`` only in the first of those that get the same voice.

    Send the others after it: sent before it, they would pay for a voice, and the first one for another.
    """
    if not any(request.again for request in requests):
        return list(requests)
    repeats = repeated(requests, base_url)
    return [replace(request, again=request.again and index not in repeats) for index, request in enumerate(requests)]


def known_voice(voice: VoiceRecord, request: CloneRequest, ledger: Ledger, *, read_only: bool = False) -> Cloned:
    """Return the result for a recording that has a voice already: nothing is sent and nothing is paid.

    Args:
        voice: The voice.
        request: Options that cannot be applied to an existing voice become warnings.
        ledger: Stores the request's consent, if the voice has none.
        read_only: Do not store it.
    """
    if request.consent and voice.consent is None and not read_only:
        ledger.voices.add_consent(voice, request.consent)
    warnings = []
    if request.name is not None and request.name != voice.name:
        names = f"{quoted(voice.name)} {quoted(request.name)}"
        warnings.append(f"its voice is called {voice.name} already: onetake voices rename {names}")
    if request.options.text is not None:
        warnings.append(
            f'a known voice gets no preview; let it speak instead: onetake say {quoted(voice.name)} "…" -o OUT'
        )
    return Cloned(
        voice_id=voice.voice_id,
        name=voice.name,
        known=True,
        expires_at=None if voice.kept_at else voice.expires_at,
        changes=voice.changes,
        warnings=tuple(warnings),
    )


def not_settled(attempt: Attempt) -> NotSettled:
    """Return the error for a recording that may have been paid for already."""
    return NotSettled(
        f"{attempt.take}: the outcome of an earlier paid call is unknown (attempt {attempt.id})",
        "look it up in your account with the service, then: "
        f"onetake voices settle {attempt.id} --voice VOICE_ID (or --failed); --again pays for another voice",
    )


def default_name(take: PathLike) -> str | None:
    """Return the voice's name for a recording without a file name, such as ``samples``; None if it has one."""
    return stem_of(take) if isinstance(take, SpooledFile) and take.name.startswith("<") else None


def digest(path: PathLike) -> str:
    """Return the SHA-256 of a recording, hexadecimal.

    Raises:
        preflight.CannotOpen: It is not a regular file, too large, or cannot be read.
    """
    with Source.open(path) as source:
        return source.sha256()


def as_path(path: PathLike) -> Path:
    """Return a path for any file name, including names that are not UTF-8."""
    return Path(os.fsdecode(path))
