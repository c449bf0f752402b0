"""ONNX models for tests, written as the protocol buffers that onnx.proto defines.

https://github.com/onnx/onnx/blob/main/onnx/onnx.proto has the field numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

_FLOAT, _INT64 = 1, 7  # TensorProto.DataType
_IR_VERSION, _OPSET = 8, 17
Shape = Sequence[int | str]


class Node(NamedTuple):
    """An operator with its inputs, outputs and attributes (integers, lists of integers or text)."""

    operator: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: dict[str, int | list[int] | str] = {}  # noqa: RUF012 - never changed


def onnx_model(
    inputs: Mapping[str, Shape],
    nodes: Iterable[Node],
    tensors: dict[str, Any] | None = None,
    output: str = "out",
    shape: Shape = ("N",),
) -> bytes:
    """Return a model; free dimensions have names."""
    graph = b"".join(
        [
            *(_field(1, _node(node)) for node in nodes),
            _field(2, b"graph"),
            *(_field(5, _tensor(name, np.asarray(value))) for name, value in (tensors or {}).items()),
            *(_field(11, _value(name, each)) for name, each in inputs.items()),
            _field(12, _value(output, shape)),
        ]
    )
    return _field(1, _IR_VERSION) + _field(7, graph) + _field(8, _field(1, b"") + _field(2, _OPSET))


def _field(number: int, value: int | bytes | float) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers have ten bytes
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _node(node: Node) -> bytes:
    parts = [_field(1, name.encode()) for name in node.inputs] + [_field(2, name.encode()) for name in node.outputs]
    attributes = [_field(5, _attribute(name, value)) for name, value in node.attributes.items()]
    return b"".join([*parts, _field(4, node.operator.encode()), *attributes])


def _attribute(name: str, value: int | list[int] | str) -> bytes:
    match value:
        case int():
            content, kind = _field(3, value), 2
        case str():
            content, kind = _field(4, value.encode()), 3
        case _:
            content, kind = b"".join(_field(8, each) for each in value), 7
    return _field(1, name.encode()) + content + _field(20, kind)


def _tensor(name: str, value: Any) -> bytes:
    kind, stored = (_INT64, "<i8") if value.dtype.kind == "i" else (_FLOAT, "<f4")
    dimensions = b"".join(_field(1, size) for size in value.shape)
    return dimensions + _field(2, kind) + _field(8, name.encode()) + _field(9, value.astype(stored).tobytes())


def _value(name: str, shape: Shape) -> bytes:
    dimensions = (_field(1, size) if isinstance(size, int) else _field(2, size.encode()) for size in shape)
    tensor = _field(1, _FLOAT) + _field(2, b"".join(_field(1, dimension) for dimension in dimensions))
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


SIZE = 8


def mel_model(shape: Shape = (1, "T", 80)) -> bytes:
    """Return a small model of features: their projections, standard deviations over time."""
    weights = np.random.default_rng(1).normal(size=(80, SIZE))
    nodes = [
        Node("MatMul", ["mel", "weights"], ["projected"]),
        Node("ReduceL2", ["projected"], ["out"], {"axes": [1], "keepdims": 0}),
    ]
    return onnx_model({"mel": shape}, nodes, {"weights": weights}, shape=(1, SIZE))


def waveform_model(shape: Shape = (1, "N")) -> bytes:
    """Return a small model of the waveform: the powers of eight filters of 400 samples, every 160 samples."""
    filters = np.random.default_rng(2).normal(size=(SIZE, 1, 400))
    nodes = [
        Node("Unsqueeze", ["wave", "axis"], ["channel"]),
        Node("Conv", ["channel", "filters"], ["filtered"], {"strides": [160]}),
        Node("ReduceL2", ["filtered"], ["out"], {"axes": [2], "keepdims": 0}),
    ]
    tensors = {"filters": filters, "axis": np.array([1])}
    return onnx_model({"wave": shape}, nodes, tensors, shape=(1, SIZE))


def ge2e_model() -> bytes:
    """Return the shipped GE2E encoder with its front end, from the waveform [1, N] to the embedding."""
    from preflight.analysis.speakers import encoder

    with np.load(encoder.WEIGHTS, allow_pickle=False) as stored:
        weights = {name: stored[name].astype(np.float32) for name in stored.files}
    angles = 2 * np.pi * np.outer(np.arange(201), np.arange(400)) / 400
    transform = np.stack((np.cos(angles), np.sin(angles)), axis=1).reshape(402, 1, 400) * encoder._hann()
    pairs = np.repeat(encoder._mel_bank(), 2, axis=0)
    tensors: dict[str, Any] = {"axis": np.array([1]), "transform": transform, "bank": pairs, "level": 1e-3}
    nodes = [
        Node("ReduceMean", ["wave_squared"], ["power"]),
        Node("Unsqueeze", ["wave", "axis"], ["channel"]),
        Node("Conv", ["channel", "transform"], ["spectrum"], {"strides": [160]}),
        Node("Mul", ["spectrum", "spectrum"], ["squares"]),
        Node("Transpose", ["squares"], ["by_frame"], {"perm": [2, 0, 1]}),
        Node("MatMul", ["by_frame", "bank"], ["powers"]),
        Node("Mul", ["powers", "level"], ["lowered"]),
        Node("Div", ["lowered", "power"], ["states_0"]),
    ]
    nodes.insert(0, Node("Mul", ["wave", "wave"], ["wave_squared"]))
    for layer in range(3):
        for kind in ("ih", "hh"):
            gates = weights[f"lstm.weight_{kind}_l{layer}"].reshape(4, 256, -1)[[0, 3, 1, 2]]  # ONNX: i, o, f, c
            tensors[f"{kind}_{layer}"] = gates.reshape(1, 1024, -1)
        biases = [weights[f"lstm.bias_{kind}_l{layer}"].reshape(4, 256)[[0, 3, 1, 2]].ravel() for kind in ("ih", "hh")]
        tensors[f"bias_{layer}"] = np.concatenate(biases)[np.newaxis]
        given = [f"states_{layer}", f"ih_{layer}", f"hh_{layer}", f"bias_{layer}"]
        last = f"last_{layer}"
        nodes += [
            Node("LSTM", given, [f"all_{layer}", last], {"hidden_size": 256}),
            Node("Squeeze", [f"all_{layer}", "axis"], [f"states_{layer + 1}"]),
        ]
    tensors |= {"linear": weights["linear.weight"].T, "offset": weights["linear.bias"]}
    nodes += [
        Node("MatMul", ["last_2", "linear"], ["mapped"]),
        Node("Add", ["mapped", "offset"], ["shifted"]),
        Node("Relu", ["shifted"], ["out"]),
    ]
    return onnx_model({"wave": (1, "N")}, nodes, tensors, shape=(1, 1, 256))
