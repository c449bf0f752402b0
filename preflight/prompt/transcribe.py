"""Hear speech as text, with a model in a local folder, and hold a prompt clip's text against it.

Needs the extra `transcribe`: the engine is Moonshine (https://github.com/moonshine-ai/moonshine), which is given a
process of its own. Its English models are under the MIT licence. By its 0.1.5, those of other languages that are not
streaming are under the Moonshine Community License, which is for non-commercial use; by 0.0.69, all other languages.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from preflight.analysis.downmix import Downmix
from preflight.analysis.framing import ChunkCutter, Grid
from preflight.analysis.vad.speech import SAMPLES_PER_FRAME
from preflight.errors import BadSpeechModel, CannotOpen, EngineMissing
from preflight.input.as_path import as_path
from preflight.input.source import Source, display_name
from preflight.input.types import PathLike, Recording
from preflight.profile import DEFAULT, Profile
from preflight.prompt.text_match import Comparison, agreement
from preflight.worker.hardening import clean_environment
from preflight.worker.process import module_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from preflight.analysis.framing import Samples
    from preflight.media.decoder import Block
    from preflight.report import Finding, Span

ENGINE: Final = "moonshine_voice"
_NAME: Final = re.compile(r"(tiny|base|small|medium)(-streaming)?-([a-z]{2,3})")
_SIZES: Final = {"tiny", "base", "tiny-streaming", "base-streaming", "small-streaming", "medium-streaming"}
_FILES: Final = ("encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin")
_STREAMING_FILES: Final = (
    *("adapter.ort", "cross_kv.ort", "decoder_kv.ort", "encoder.ort"),
    *("streaming_config.json", "tokenizer.bin"),
)
_FRONTENDS: Final = (("frontend.ort",), ("frontend.model.ort", "frontend.weights.ort"))
"""Of streaming models: one file for the engine up to 0.0.69, two in what 0.1 fetches."""
_FORM_OF_DOWNLOADS: Final = re.compile(r"quantized(_[0-9_]+)?")
"""The hub's name for a folder inside of that with the model's name; since the engine's 0.1 with a date."""
_LONGEST_S: Final = 60.0
"""Of a sound; what is said in a minute is no prompt clip."""
_PATIENCE_S: Final = 60.0
_START: Final = (
    "import sys; sys.path[:] = sys.argv[3:]; from preflight.worker.transcriber import main; main(*sys.argv[1:3])"
)


class SpeechModel:
    """A model that hears speech as text. It can be pickled, and used by several threads.

    Args:
        folder: Holds the model's files, and is called as Moonshine calls the model, e.g. ``tiny-en``, ``base-zh`` or
            ``small-streaming-en``.

    Attributes:
        folder: The same, absolute.
        name: Of the model.
        size: ``tiny``, ``base``, ``small-streaming``, …
        language: The code of the language that it knows, e.g. ``en``.

    Raises:
        EngineMissing: The extra `transcribe` is not installed.
        BadSpeechModel: There is no such folder, its name says nothing, or files are missing.
    """

    def __init__(self, folder: PathLike) -> None:
        require_engine()
        self.folder = Path(os.path.abspath(os.fsdecode(folder)))  # noqa: PTH100 - a link keeps its own name
        shown = display_name(self.folder)
        if not self.folder.is_dir():
            raise BadSpeechModel(f"there is no folder {shown!r} with a speech model", _expected())
        found = model_named(self.folder.name)
        if found is None and _FORM_OF_DOWNLOADS.fullmatch(self.folder.name):
            found = model_named(self.folder.parent.name)
        if found is None:
            raise BadSpeechModel(f"the folder {shown!r} is not called like a speech model", _expected())
        self.size, self.language = found
        self.name = f"{self.size}-{self.language}"
        files = self._files()
        missing = [name for name in files if not (self.folder / name).is_file()]
        if missing:
            raise BadSpeechModel(f"the speech model in {shown!r} lacks {missing[0]}", f"it has {', '.join(files)}")

    def _files(self) -> tuple[str, ...]:
        """What it consists of; a streaming model has one form or the other of its front end."""
        if not self.size.endswith("streaming"):
            return _FILES
        begun = (form for form in _FRONTENDS if (self.folder / form[0]).is_file())
        return (*_STREAMING_FILES, *next(begun, _FRONTENDS[-1]))

    def transcribe(self, sounds: Sequence[Samples]) -> tuple[str, ...]:
        """What is said in each of `sounds`.

        Args:
            sounds: One-dimensional arrays of float32, mono, 16 kHz, full scale at ±1.

        Returns:
            A text of one line for each; empty where nothing was understood.

        Raises:
            BadSpeechModel: The engine cannot use the model.
            EngineMissing: The engine cannot be started.
        """
        if not sounds:
            return ()
        waves = [np.ascontiguousarray(sound, "<f4") for sound in sounds]
        asked = json.dumps([len(wave) for wave in waves]).encode() + b"\n" + b"".join(map(bytes, waves))
        answer = self._answer(asked, _PATIENCE_S + sum(map(len, waves)) / (100 * SAMPLES_PER_FRAME))
        if "engine" in answer:
            raise EngineMissing(f"the speech engine cannot be started: {answer['engine']}", _INSTALL)
        texts = answer.get("texts")
        if not isinstance(texts, list) or len(texts) != len(waves):
            raise self._broken("the engine cannot use it")
        return tuple(str(text) for text in texts)

    def _answer(self, asked: bytes, patience_s: float) -> dict[str, Any]:
        architecture = self.size.replace("-", "_").upper()
        command = [sys.executable, "-P", "-s", "-S", "-c", _START, str(self.folder), architecture, *module_path()]
        try:
            done = subprocess.run(
                command,
                input=asked,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=clean_environment(),
                timeout=patience_s,
                check=False,
                process_group=0,  # Ctrl-C is for the caller, who then ends it
            )
        except subprocess.TimeoutExpired:
            raise self._broken("the engine comes to no end with it") from None
        if done.returncode < 0:
            raise self._broken(f"it makes the engine crash ({signal.Signals(-done.returncode).name})")
        try:
            answer: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            raise self._broken("it makes the engine crash") from None
        return answer

    def _broken(self, what: str) -> BadSpeechModel:
        shown = display_name(self.folder)
        return BadSpeechModel(f"the speech model in {shown!r} is broken: {what}", _AGAIN)


_AGAIN: Final = "download it again, and leave the folder the name of its model"
_INSTALL: Final = "pip install 'onetake[transcribe]'"


def require_engine() -> None:
    """Make sure that the extra is installed; nothing of it is imported.

    Raises:
        EngineMissing: It is not.
    """
    for module in (ENGINE, "rapidfuzz"):
        if find_spec(module) is None:
            raise EngineMissing("to hear what is said, onetake needs its extra `transcribe`", _INSTALL)


def model_named(name: str) -> tuple[str, str] | None:
    """Size and language of a model by its name, e.g. ``("tiny", "en")``; None where it is none."""
    found = _NAME.fullmatch(name)
    if found is None or f"{found[1]}{found[2] or ''}" not in _SIZES:
        return None
    return f"{found[1]}{found[2] or ''}", found[3]


def _expected() -> str:
    return f"name one called SIZE-LANGUAGE, as tiny-en or base-zh; SIZE is {', '.join(sorted(_SIZES))}"


def hear(recording: Recording, spans: Sequence[Span], model: SpeechModel) -> tuple[str, ...]:
    """What is said in each of `spans` of a recording that `prompt_clips` found good.

    Args:
        recording: As in `fix`.
        spans: Each (start, end) in seconds.
        model: Hears them.

    Raises:
        TypeError, ValueError: As `check` does.
        BadSpeechModel, EngineMissing: As `SpeechModel.transcribe` does.
        CannotOpen, NotARecording: The recording cannot be read any more.
    """
    from preflight.media.probe import probe
    from preflight.prompt.clips import cut_out

    with as_path(recording) as path, Source.open(path) as source:
        facts = probe(source)
        rate = facts.sample_rate_hz
        wanted = sorted({_inside(span) for span in spans})
        sounds = {span: mixed(sound, rate) for span, sound in cut_out(source, facts, wanted)}
    if set(sounds) != set(wanted):
        raise CannotOpen("it became shorter while it was read", "wait until it is no longer written to")
    heard = dict(zip(sounds, model.transcribe(list(sounds.values())), strict=True))
    return tuple(heard[_inside(span)] for span in spans)


def _inside(span: Span) -> Span:
    """A span without its last millisecond: rounded to one, its end can lie behind the last sample."""
    return span[0], span[1] - 0.001


def mixed(sound: Block, sample_rate_hz: int) -> Samples:
    """A sound of shape (frames, channels) as one channel of 16 kHz, by the same way as the speech detector's."""
    if sound.shape[1] > 2:
        sound = sound.mean(axis=1, keepdims=True)
    grid = Grid.at(sample_rate_hz, sound.shape[1])
    rows, downmix = ChunkCutter(grid), Downmix(grid, SAMPLES_PER_FRAME)
    parts = [downmix.add(chunk) for chunk in rows.add(sound)]
    parts += [downmix.add(chunk) for chunk in rows.end()]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def compare_text(recording: Recording, text: str, model: SpeechModel) -> Comparison:
    """Hold the text of a prompt clip against what is heard in it.

    Args:
        recording: The clip, as `fix` takes it; of a longer recording the first minute is heard.
        text: What is said to be spoken in it.
        model: Hears it.

    Raises:
        TypeError, ValueError: As `check` does.
        BadSpeechModel, EngineMissing: As `SpeechModel.transcribe` does.
        CannotOpen, NotARecording: The clip cannot be read.
    """
    from preflight.checks import examine

    heard = ""
    with as_path(recording) as path:
        subject = examine(path, role="prompt", prompt_text=text).subject
        if subject.problem is not None:
            raise subject.problem
        if subject.has_sound and subject.duration_s:
            (heard,) = hear(path, [(0.0, min(subject.duration_s, _LONGEST_S))], model)
    return Comparison(heard=heard, agreement=agreement(text, heard), language=model.language)


def text_findings(
    comparison: Comparison, profile: Profile = DEFAULT, *, limit: float | None = None
) -> tuple[Finding, ...]:
    """What the rule ``prompt-text-differs`` says: one finding, or none where text and sound agree.

    Args:
        comparison: Of `compare_text`.
        profile: Severity and threshold of the rule.
        limit: Goes before the threshold: the `accuracy` that is asked of the endpoint, 0 to 1.
    """
    from dataclasses import replace

    from preflight.rules import Subject

    rule = "prompt-text-differs"
    if limit is not None:
        profile = replace(profile, thresholds={**profile.thresholds, rule: {"min_agreement": limit}})
    subject = Subject("", 0, "prompt", "…", comparison=comparison)
    return tuple(finding for finding in profile.findings(subject) if finding.rule == rule)
