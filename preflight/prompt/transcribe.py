"""Transcribe speech with a model in a local folder, and compare a prompt clip's text with the transcript.

Needs the extra `transcribe`. The engine is Moonshine (https://github.com/moonshine-ai/moonshine) and runs in a process
of its own. Its English models have the MIT licence. In version 0.1.5, non-streaming models of other languages have the
Moonshine Community License, which allows non-commercial use only; in 0.0.69, all models of other languages have it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from preflight.analysis.analysis import Comparison
from preflight.analysis.vad.speech import SAMPLES_PER_FRAME
from preflight.errors import BadSpeechModel, CannotOpen, EngineMissing
from preflight.input.recording import PathLike, Recording
from preflight.input.source import Source, display_name
from preflight.input.spool import as_path
from preflight.profile import DEFAULT, Profile
from preflight.prompt.excerpts import excerpts, to_mono_16k
from preflight.prompt.text_match import agreement
from preflight.worker.child import clean_environment, interpreter, module_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from preflight.analysis.frames_and_spectra import Samples
    from preflight.media.probe import Probe
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
"""Files of streaming models: one for the engine up to 0.0.69, two in the models that 0.1 downloads."""
_DOWNLOAD_FOLDER: Final = re.compile(r"quantized(_[0-9_]+)?")
"""The hub's subfolder of a model, since version 0.1 with a date."""
_MAX_S: Final = 60.0
"""A prompt clip is much shorter."""
_TIMEOUT_S: Final = 60.0
"""For loading the model; the duration of the audio is added."""
_START: Final = (
    "import sys; sys.path[:] = sys.argv[3:]; from preflight.worker.transcriber import main; main(*sys.argv[1:3])"
)


class SpeechModel:
    """A speech-to-text model. It can be pickled, and used by several threads.

    Args:
        folder: The folder with the model's files, named like the model, e.g. ``tiny-en``, ``base-zh`` or
            ``small-streaming-en``.

    Attributes:
        folder: The absolute path of the folder.
        name: The name of the model.
        size: ``tiny``, ``base``, ``small-streaming``, …
        language: The language of the model as a code, e.g. ``en``.

    Raises:
        EngineMissing: The extra `transcribe` is not installed.
        BadSpeechModel: The folder does not exist, its name is not that of a model, or files are missing.
    """

    def __init__(self, folder: PathLike) -> None:
        require_engine()
        self.folder = Path(os.path.abspath(os.fsdecode(folder)))  # noqa: PTH100 - resolve() would follow links, whose own name counts
        shown = display_name(self.folder)
        if not self.folder.is_dir():
            raise BadSpeechModel(f"the speech model folder {shown!r} does not exist", _expected())
        found = model_named(self.folder.name)
        if found is None and _DOWNLOAD_FOLDER.fullmatch(self.folder.name):
            found = model_named(self.folder.parent.name)
        if found is None:
            raise BadSpeechModel(f"{shown!r} is not the name of a speech model", _expected())
        self.size, self.language = found
        self.name = f"{self.size}-{self.language}"
        files = self._files()
        missing = [name for name in files if not (self.folder / name).is_file()]
        if missing:
            raise BadSpeechModel(f"the speech model in {shown!r} lacks {missing[0]}", f"it needs {', '.join(files)}")

    def _files(self) -> tuple[str, ...]:
        """Return the names of the model's files; a streaming model has either form of the front end."""
        if not self.size.endswith("streaming"):
            return _FILES
        present = (form for form in _FRONTENDS if (self.folder / form[0]).is_file())
        return (*_STREAMING_FILES, *next(present, _FRONTENDS[-1]))

    def transcribe(self, sounds: Sequence[Samples]) -> tuple[str, ...]:
        """Return a transcript of each of `sounds`.

        Args:
            sounds: Float32 arrays of shape (frames,), mono, 16 kHz, full scale at ±1.

        Returns:
            One line of text each; empty if no speech was recognized.

        Raises:
            BadSpeechModel: The engine cannot use the model.
            EngineMissing: The engine cannot be started.
        """
        if not sounds:
            return ()
        arrays = [np.ascontiguousarray(sound, "<f4") for sound in sounds]
        request = json.dumps([len(array) for array in arrays]).encode() + b"\n" + b"".join(map(bytes, arrays))
        # plus the duration of the audio
        answer = self._run_engine(request, _TIMEOUT_S + sum(map(len, arrays)) / (100 * SAMPLES_PER_FRAME))
        if "engine" in answer:
            raise EngineMissing(f"the speech engine cannot be started: {answer['engine']}", _INSTALL)
        texts = answer.get("texts")
        if not isinstance(texts, list) or len(texts) != len(arrays):
            raise self._broken("the engine cannot use it")
        return tuple(str(text) for text in texts)

    def _run_engine(self, request: bytes, timeout_s: float) -> dict[str, Any]:
        architecture = self.size.replace("-", "_").upper()
        # -P -s -S: nothing is imported from the current folder or from site customizations
        command = [interpreter(), "-P", "-s", "-S", "-c", _START, str(self.folder), architecture, *module_path()]
        try:
            done = subprocess.run(
                command,
                input=request,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=clean_environment(),
                timeout=timeout_s,
                check=False,
                process_group=0,  # Ctrl-C goes only to the caller, which then kills this process
            )
        except subprocess.TimeoutExpired:
            raise self._broken(f"the engine timed out after {timeout_s:.0f} s") from None
        # a native engine: a broken model can crash it
        if done.returncode < 0:
            raise self._broken(f"it makes the engine crash ({signal.Signals(-done.returncode).name})")
        try:
            answer: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            raise self._broken("it makes the engine crash") from None
        return answer

    def _broken(self, reason: str) -> BadSpeechModel:
        shown = display_name(self.folder)
        return BadSpeechModel(f"the speech model in {shown!r} is broken: {reason}", _DOWNLOAD_AGAIN)


_DOWNLOAD_AGAIN: Final = "download it again, and do not rename its folder"
_INSTALL: Final = "pip install 'onetake[transcribe]'"


def require_engine() -> None:
    """Make sure that the extra `transcribe` is installed, without importing it.

    Raises:
        EngineMissing: It is not installed.
    """
    # find_spec does not run the module
    for module in (ENGINE, "rapidfuzz"):
        if find_spec(module) is None:
            raise EngineMissing("transcribing needs the extra `transcribe`", _INSTALL)


def model_named(name: str) -> tuple[str, str] | None:
    """Return size and language of a model by its name, e.g. ``("tiny", "en")``; None for other names."""
    found = _NAME.fullmatch(name)
    if found is None or f"{found[1]}{found[2] or ''}" not in _SIZES:
        return None
    return f"{found[1]}{found[2] or ''}", found[3]


def _expected() -> str:
    return f"its folder must be named SIZE-LANGUAGE, such as tiny-en or base-zh; SIZE is {', '.join(sorted(_SIZES))}"


def transcribe(recording: Recording, spans: Sequence[Span], model: SpeechModel) -> tuple[str, ...]:
    """Transcribe parts of a recording.

    Args:
        recording: As in `fix`.
        spans: The parts as (start, end) in seconds, for example of the clips of `prompt_clips`.
        model: The speech model.

    Returns:
        The transcript of each part; empty if no speech was recognized.

    Raises:
        TypeError, ValueError: As in `check`.
        BadSpeechModel, EngineMissing: As in `SpeechModel.transcribe`.
        CannotOpen, NotARecording: The recording cannot be read.
    """
    from preflight.media.probe import probe

    with as_path(recording) as path, Source.open(path) as source:
        return _transcribe(source, probe(source), spans, model)


def _transcribe(source: Source, facts: Probe, spans: Sequence[Span], model: SpeechModel) -> tuple[str, ...]:
    # without the last millisecond: an end that was rounded to milliseconds may lie after the last sample
    shortened = [(start, end - 0.001) for start, end in spans]
    unique = sorted(set(shortened))
    sounds = {span: to_mono_16k(block, facts.sample_rate_hz) for span, block in excerpts(source, facts, unique)}
    if set(sounds) != set(unique):
        raise CannotOpen("the recording became shorter while it was read", "wait until it is no longer written to")
    texts = dict(zip(sounds, model.transcribe(list(sounds.values())), strict=True))
    return tuple(texts[span] for span in shortened)


def compare_text(recording: Recording, text: str, model: SpeechModel) -> Comparison:
    """Compare the text of a prompt clip with a transcript of it.

    Args:
        recording: The clip, as in `fix`; only the first minute of a longer recording is transcribed.
        text: The text that should be spoken in it.
        model: The speech model.

    Raises:
        TypeError, ValueError: As in `check`.
        BadSpeechModel, EngineMissing: As in `SpeechModel.transcribe`.
        CannotOpen, NotARecording: The clip cannot be read.
    """
    from preflight.checks import analyze

    recognized = ""
    with as_path(recording) as path:
        analysis = analyze(path, role="prompt", prompt_text=text)
        if analysis.problem is not None:
            raise analysis.problem
        if analysis.probe is not None and analysis.has_sound and analysis.duration_s:
            with Source.open(path) as source:
                whole = (0.0, min(analysis.duration_s, _MAX_S))
                (recognized,) = _transcribe(source, analysis.probe, [whole], model)
    return Comparison(transcript=recognized, agreement=agreement(text, recognized), language=model.language)


def text_findings(
    comparison: Comparison, profile: Profile = DEFAULT, *, limit: float | None = None
) -> tuple[Finding, ...]:
    """Return the finding of the rule ``prompt-text-differs``, if text and transcript differ.

    Args:
        comparison: The result of `compare_text`.
        profile: Severity and threshold of the rule.
        limit: Replaces the threshold: the `accuracy` in the request to the endpoint, 0 to 1.
    """
    from dataclasses import replace

    from preflight.analysis.analysis import Analysis

    rule = "prompt-text-differs"
    if limit is not None:
        profile = replace(profile, thresholds={**profile.thresholds, rule: {"min_agreement": limit}})
    analysis = Analysis(role="prompt", prompt_text="…", comparison=comparison)
    return tuple(finding for finding in profile.findings(analysis) if finding.rule == rule)
