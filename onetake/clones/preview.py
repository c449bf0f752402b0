"""The preview of a new voice: from the answer itself, or from its link. It is paid for, and the voice comes first."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from onetake.errors import failure_of
from onetake.io.received_audio import save_audio, save_given
from onetake.io.signals import finishing

if TYPE_CHECKING:
    from pathlib import Path

    from client import CloneClient, ClonedVoice
    from onetake.clones.observer import Observer


def save_preview(client: CloneClient, voice: ClonedVoice, out: Path, observer: Observer, later: str) -> str | None:
    """Save the preview of a voice.

    Args:
        client: The client that made the voice.
        voice: The voice.
        out: The file to write.
        observer: Receives warnings and progress.
        later: How to fetch the preview later, as the end of a sentence; empty if that is impossible.

    Returns:
        Why it could not be saved, and what to do; None if it was saved.
    """
    try:
        if voice.demo_audio is not None:  # exists nowhere else: an interruption must not lose it
            with finishing(lambda: observer.warn("the preview is being saved (Ctrl-C again stops)")):
                save_given(out, voice.demo_audio)
        elif voice.demo_audio_url is not None:
            download = partial(client.download, voice.demo_audio_url)
            save_audio(out, partial(download, progress=partial(observer.progress, "demo")))
        else:
            return "the service sent no preview that can be fetched"
    except Exception as error:  # noqa: BLE001 - the voice is paid for and must not be lost
        failure = failure_of(error)
        # a link that must not be followed, such as one to a private address, must not be followed later either
        ending = later if later and failure.kind != "invalid-argument" else f": {failure.hint}" if failure.hint else ""
        return f"the preview could not be saved: {failure.message}{ending}"
    return None
