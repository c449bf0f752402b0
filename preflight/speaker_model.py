"""`SpeakerModel`: a speaker model of the user's own, an ONNX file with the limit that belongs to it.

Needs the extra `onnx`. Only worker processes read and run the file: see `preflight.analysis.speakers.onnx_encoder` for
what it may be.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from preflight.display.text import megabytes
from preflight.errors import BadSpeakerModel, CannotOpen, EngineMissing
from preflight.input.source import Source, display_name

MAX_BYTES: Final = 100_000_000
"""A model of this size just fits into the memory of a worker process."""


@dataclass(frozen=True)
class SpeakerModel:
    """A model that replaces the shipped one wherever voices are compared.

    Attributes:
        path: The ONNX file.
        limit: The lowest cosine of two embeddings that count as one voice, between -1 and 1 (exclusive). It differs
            from model to model, so it has no default: take it from the model's evaluation, or measure it with takes of
            known speakers.

    Raises:
        EngineMissing: The extra `onnx` is not installed.
        BadSpeakerModel: The file cannot be read or is too large, or the limit is not a cosine.
    """

    path: str
    limit: float

    def __post_init__(self) -> None:
        if find_spec("onnxruntime") is None:
            raise EngineMissing("a speaker model needs the extra `onnx`", "pip install 'onetake[onnx]'")
        if not -1 < self.limit < 1:
            raise BadSpeakerModel(
                f"the limit of the speaker model is {self.limit:g}, not between -1 and 1", "give a cosine, such as 0.5"
            )
        object.__setattr__(self, "path", os.path.abspath(self.path))  # noqa: PTH100 - links are followed when it is opened
        self.open().close()

    def open(self) -> Source:
        """Open the file; raises `BadSpeakerModel`."""
        shown = display_name(self.path)
        try:
            source = Source.open(self.path)
        except CannotOpen as error:
            raise BadSpeakerModel(f"the speaker model {shown!r}: {error.message}", "name an ONNX file") from error
        if source.size > MAX_BYTES:
            source.close()
            size, limit = megabytes(source.size), megabytes(MAX_BYTES)
            raise BadSpeakerModel(f"the speaker model {shown!r} is {size}, above {limit}", "choose a smaller model")
        return source
