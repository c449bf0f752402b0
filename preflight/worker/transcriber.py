"""The transcription process: load one model, transcribe a few clips, and exit.

It reads a line of JSON and the clips from standard input, and answers with a line of JSON on what was its standard
output. The engine is native code that executes the model, so a faulty model can crash only this process. It is hardened
before it loads the model: it can read the folder of the model, and has no network.
"""

from __future__ import annotations

import json
import os
import sys
from array import array
from typing import Any, Final

from preflight.worker.hardening import harden, limit_memory

RATE_HZ: Final = 16000
MEMORY_BYTES: Final = 4 << 30
"""The largest model needs a quarter of it; a broken one that asks for more is refused."""
_SILENCE: Final = array("f", bytes(4 * RATE_HZ * 3 // 10))
"""0.3 s before and after a sound: without it the engine mishears the first words."""
_OPTIONS: Final = {"vad_threshold": "0"}
"""The engine must process all of the sound; its own speech detector cuts sentences in pieces."""


def main(folder: str, architecture: str) -> None:
    """Transcribe what comes on standard input.

    Args:
        folder: Of the model.
        architecture: As the engine names it, e.g. ``TINY``.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints must not get between the answers
    limit_memory(MEMORY_BYTES)
    sounds = _sounds()
    try:
        from moonshine_voice import ModelArch, Transcriber
    except Exception as error:  # noqa: BLE001 - reported to the other process
        return _say(answers, engine=str(error))
    harden(readable=[folder])
    try:
        os.chdir(os.fsencode(folder))  # the engine takes a name only in UTF-8; a folder's can be any bytes
        model = Transcriber(".", ModelArch[architecture], options=_OPTIONS)
        texts = [_text(model, sound) for sound in sounds]
    except Exception as error:  # noqa: BLE001
        return _say(answers, model=str(error))
    return _say(answers, texts=texts)


def _sounds() -> list[array[float]]:
    lengths = json.loads(sys.stdin.buffer.readline())
    return [array("f", sys.stdin.buffer.read(4 * length)) for length in lengths]


def _text(model: Any, sound: array[float]) -> str:
    transcript = model.transcribe_without_streaming(_SILENCE + sound + _SILENCE, RATE_HZ)
    return " ".join(" ".join(line.text for line in transcript.lines).split())


def _say(answers: Any, **content: object) -> None:
    json.dump(content, answers)
    answers.close()
    os._exit(0)  # what the engine does at its end is no longer of interest
