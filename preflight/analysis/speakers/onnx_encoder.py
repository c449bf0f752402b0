"""A speaker model of the user's own, in place of the GE2E encoder: an ONNX file, run by onnxruntime in one thread.

The model maps one window of speech at 16 kHz to one vector. Its input is float32, of one of two shapes:

- ``[1, N]``: the waveform, full scale at ±1. N is free, or fixed from 0.5 s to 10 s.
- ``[1, T, F]``: T frames of F mel bands as Kaldi computes them (`preflight.analysis.speakers.fbank`).

Its first output is the embedding, of 2 to 4096 values. Vectors are scaled to norm 1 here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from preflight.analysis.speakers.encoder import RATE_HZ, WINDOW
from preflight.analysis.speakers.fbank import FRAME, HOP, log_mel
from preflight.errors import BadSpeakerModel, EngineMissing

if TYPE_CHECKING:
    from collections.abc import Callable

    from preflight.analysis.frames_and_spectra import Samples

ACCEPTED: Final = (
    "it must take one float32 input: the waveform [1, N] at 16 kHz (N free, or fixed from 8,000 to 160,000), or "
    "Kaldi's log-mel features [1, T, F] (T free, or fixed from 48 to 998; F fixed from 20 to 128)"
)
"""The hint for a model that takes something else."""
_WINDOWS: Final = (RATE_HZ // 2, 10 * RATE_HZ)
_BANDS: Final = range(20, 129)
_SIZES: Final = range(2, 4097)
_ONNX_INSTALL: Final = "pip install 'onetake[onnx]'"


class OnnxEncoder:
    """A loaded model.

    Args:
        content: The bytes of the file. Weights must be in it: nothing else is opened.
        before_window: Called before each window is embedded; a large model takes seconds.

    Attributes:
        window: Samples that the model is given at once.

    Raises:
        BadSpeakerModel: The bytes are not an ONNX model, or its input is not one of those above.
        EngineMissing: onnxruntime cannot be imported.
    """

    def __init__(self, content: bytes, before_window: Callable[[], object] = lambda: None) -> None:
        self._session = _load(content)
        self._before_window = before_window
        inputs = self._session.get_inputs()
        (one, *others) = inputs or [None]
        shape = list(one.shape) if one is not None else []
        if one is None or others or one.type != "tensor(float)" or not _is_free_or(shape[:1], 1):
            raise _unfit(inputs)
        self._name, self._bands = one.name, 0
        match shape[1:]:
            case [samples]:
                self.window = samples if isinstance(samples, int) else WINDOW
            case [frames, int(bands)] if bands in _BANDS:
                self._bands = bands
                self.window = (frames - 1) * HOP + FRAME if isinstance(frames, int) else WINDOW
            case _:
                raise _unfit(inputs)
        if not _WINDOWS[0] <= self.window <= _WINDOWS[1]:
            raise _unfit(inputs)

    def embed(self, windows: Samples) -> Samples:
        """Return the embedding of each window.

        Args:
            windows: Shape (windows, `window`), at 16 kHz, full scale at ±1.

        Returns:
            Shape (windows, values), float32, each row of norm 1.

        Raises:
            BadSpeakerModel: The model cannot be run, or its output is not an embedding.
        """
        if not len(windows):
            return np.empty((0, 0), np.float32)
        return np.stack([self._vector(window) for window in windows])

    def _vector(self, window: Samples) -> Samples:
        self._before_window()
        given = log_mel(window, self._bands) if self._bands else np.asarray(window, np.float32)
        try:
            output = np.asarray(self._session.run(None, {self._name: given[np.newaxis]})[0])
        except Exception as error:
            raise BadSpeakerModel(f"the speaker model cannot be run: {_first_line(error)}", ACCEPTED) from error
        vector = output.reshape(-1)
        if vector.dtype != np.float32 or len(vector) not in _SIZES:
            message = (
                f"the speaker model's first output is {output.dtype} of shape {list(output.shape)}, not an embedding"
            )
            raise BadSpeakerModel(message, "it must be one vector of 2 to 4096 float32 values")
        norm = float(np.linalg.norm(vector.astype(np.float64)))
        if not 0 < norm < np.inf:
            raise BadSpeakerModel("the speaker model's output is not a finite vector", "choose another model")
        return np.asarray(vector / norm, np.float32)


def _load(content: bytes) -> Any:
    try:
        runtime = importlib.import_module("onnxruntime")
    except Exception as error:  # a library that is missing or broken raises more than ImportError
        raise EngineMissing(f"onnxruntime cannot be imported: {_first_line(error)}", _ONNX_INSTALL) from error
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal; errors are raised
    # the arena asks for memory in powers of two, up to twice what a model needs
    options.enable_cpu_mem_arena = False
    try:
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise BadSpeakerModel(
            f"the speaker model cannot be loaded: {_first_line(error)}", "name an ONNX file that holds its weights"
        ) from error


def _is_free_or(dimensions: list[Any], value: int) -> bool:
    """Whether there is a dimension, and it is `value` or not fixed."""
    return bool(dimensions) and (dimensions[0] == value or not isinstance(dimensions[0], int))


def _unfit(inputs: list[Any]) -> BadSpeakerModel:
    taken = ", ".join(f"{one.type} {[_shown(each) for each in one.shape]}".replace("'", "") for one in inputs)
    return BadSpeakerModel(f"the speaker model takes {taken or 'no input'}", ACCEPTED)


def _shown(dimension: object) -> str:
    return str(dimension)[:20] if dimension is not None else "?"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].strip()[:200]
