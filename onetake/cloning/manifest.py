"""Manifests: a CSV or JSON Lines file with a row for each recording, checked whole before anything is sent."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from onetake.cloning.order import check_order, require_apart
from onetake.errors import OnetakeError, UsageError
from preflight.errors import CannotOpen
from preflight.small_text import read_small_text
from preflight.source import display_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onetake.cloning.order import Order

ENDINGS: Final = (".csv", ".jsonl")
_LARGEST_BYTES: Final = 50_000_000
_OPTIONS: Final = {
    **{name: name for name in ("text", "model", "accuracy", "prompt_text")},
    **{name: f"need_{name}" for name in ("noise_reduction", "volume_normalization")},
}
"""Columns, and what the clone request calls them."""


class Row(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a row may say; what it leaves out is as the command line says.

    Attributes:
        take: The recording; a relative path starts at the manifest's folder.
        name: What the voice is to be called.
        prompt: The prompt clip.
        auto_prompt: Which clip of the recording itself is the prompt clip.
        prompt_text: What is said in it.
        text: Trial listening.
        model: The model that reads it.
        demo: Where the trial recording goes.
        accuracy: Threshold of the text verification.
        noise_reduction: Have the service reduce noise.
        volume_normalization: Have the service normalise loudness.
        consent: Who agreed, and when.
    """

    take: str
    name: str | None = None
    prompt: str | None = None
    auto_prompt: int | None = None
    prompt_text: str | None = None
    text: str | None = None
    model: str | None = None
    demo: str | None = None
    accuracy: float | None = None
    noise_reduction: bool | None = None
    volume_normalization: bool | None = None
    consent: str | None = None


def is_manifest(path: str) -> bool:
    """Whether a name is that of a manifest."""
    return path.lower().endswith(ENDINGS)


def orders_in(manifest: str, usual: Order) -> list[Order]:
    """The orders of a manifest, in its order.

    Args:
        manifest: The file: CSV with a header, or an object a line.
        usual: What holds where a row says nothing.

    Raises:
        UsageError: It cannot be read, or a row is wrong; the message names the line.
    """
    shown = display_name(manifest)
    try:
        text = read_small_text(manifest, _LARGEST_BYTES)
    except CannotOpen as error:
        raise UsageError(f"{shown} cannot be read: {error.message}", error.hint) from error
    rows = _csv_rows(text) if manifest.lower().endswith(".csv") else _json_rows(text)
    orders, places = [], []
    try:
        for number, fields in rows:
            try:
                orders.append(_order(fields, usual, Path(manifest).parent))
                places.append(f"line {number}")
            except (msgspec.ValidationError, OnetakeError, ValueError) as error:
                message = str(getattr(error, "message", error))
                hint = getattr(error, "hint", "") or f"the columns are {', '.join(Row.__struct_fields__)}"
                raise UsageError(f"{shown}, line {number}: {message}", hint) from error
    except (csv.Error, msgspec.DecodeError) as error:
        hint = "write a CSV with a header, or a JSON object a line"
        raise UsageError(f"{shown} is no manifest: {error}", hint) from error
    if not orders:
        raise UsageError(f"{shown} names no recording", "write a row for each, with the column take")
    try:
        require_apart(orders, places)
    except UsageError as error:
        raise UsageError(f"{shown}: {error.message}", error.hint) from error
    return orders


def _csv_rows(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    columns = [name.strip() for name in reader.fieldnames or ()]
    if twice := _first_repeated(columns):
        raise csv.Error(f"it has the column {twice!r} twice")
    for fields in reader:
        if None in fields or None in fields.values():
            raise csv.Error(f"line {reader.line_num} has not as many fields as the header")
        yield reader.line_num, {name.strip(): value for name, value in fields.items() if value.strip()}


def _json_rows(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                fields = msgspec.json.decode(line)
                # once more, for msgspec says nothing of a name that comes twice
                json.loads(line, object_pairs_hook=_require_once, parse_int=str, parse_float=str)
            except msgspec.DecodeError as error:
                raise msgspec.DecodeError(f"line {number}: {error}") from None
            except RecursionError:
                raise msgspec.DecodeError(f"line {number}: it is nested too deeply") from None
            yield number, fields


def _require_once(pairs: list[tuple[str, Any]]) -> None:
    if twice := _first_repeated([name for name, _ in pairs]):
        raise msgspec.DecodeError(f"it has {twice!r} twice")


def _first_repeated(names: list[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _order(fields: object, usual: Order, folder: Path) -> Order:
    for name in fields if isinstance(fields, dict) else ():
        if name not in Row.__struct_fields__:
            raise UsageError(f"there is no column {name!r}")
    row = msgspec.convert(fields, Row, strict=False)
    said = {name: value for name, value in msgspec.structs.asdict(row).items() if value is not None}
    options = {option: said[name] for name, option in _OPTIONS.items() if name in said}
    changes: dict[str, Any] = {name: said[name] for name in ("name", "consent") if name in said}
    changes |= {"options": type(usual.options)(**{**msgspec.structs.asdict(usual.options), **options})}
    if "prompt" in said or "auto_prompt" in said:
        changes |= {"prompt": _path(folder, row.prompt), "auto_prompt": row.auto_prompt}
    if row.demo is not None:
        changes["demo"] = folder / row.demo
    order = replace(usual, take=str(folder / row.take), **changes)
    for what, path in (("recording", order.take), ("prompt clip", order.prompt)):
        if path is not None and not Path(os.fsdecode(path)).is_file():
            raise UsageError(f"there is no {what} {display_name(path)}", "paths start at the manifest's folder")
    check_order(order)
    return order


def _path(folder: Path, name: str | None) -> str | None:
    return None if name is None else str(folder / name)
