"""Manifests: a CSV or JSON Lines file with one row per recording, validated as a whole before anything is sent."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from onetake.clones.request import conflicts, validate_request
from onetake.errors import InvalidManifest, OnetakeError, UsageError
from onetake.io.paths import is_file
from preflight.errors import CannotOpen
from preflight.input.small_text import read_small_text
from preflight.input.source import display_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onetake.clones.request import CloneRequest

ENDINGS: Final = (".csv", ".tsv", ".jsonl")
_LARGEST_BYTES: Final = 50_000_000
_DELIMITERS: Final = ",;\t"
"""Excel writes the list separator of the system's region, which is a semicolon in much of Europe."""
_OPTIONS: Final = {
    **{name: name for name in ("text", "model", "accuracy", "prompt_text")},
    **{name: f"need_{name}" for name in ("noise_reduction", "volume_normalization")},
}
"""Columns, and their names in the clone request."""


class Row(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The columns of a manifest; an empty cell means the value of the command line.

    Attributes:
        take: Path of the recording, relative to the manifest's folder.
        name: Name of the voice.
        prompt: Path of the prompt clip.
        auto_prompt: Number of the clip of the recording that is used as its prompt clip.
        prompt_text: Text spoken in the prompt clip.
        text: Text of the preview.
        model: Model that reads the preview.
        demo: Path of the preview's file.
        accuracy: Threshold of the text verification.
        noise_reduction: Have the service reduce noise.
        volume_normalization: Have the service normalize loudness.
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


_EXPECTED: Final = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
}
_FOUND: Final = {
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}
_COLUMNS: Final = Row.__struct_fields__
_PATHS: Final = frozenset({"take", "prompt", "demo"})
"""Columns with names of files, which may end in a space."""
_COLUMNS_HINT: Final = f"the columns are {', '.join(_COLUMNS)}"


def is_manifest(path: str) -> bool:
    """Whether a file name is that of a manifest."""
    return path.lower().endswith(ENDINGS)


def read_manifest(manifest: str, usual: CloneRequest) -> list[CloneRequest]:
    """Read the requests of a manifest, in the order of its rows.

    Args:
        manifest: CSV with a header (comma, semicolon or tab), or JSON Lines.
        usual: The values for what a row leaves out.

    Raises:
        UsageError: The file cannot be read.
        InvalidManifest: Something in it is wrong; `details` lists all mistakes with their lines.
    """
    shown = display_name(manifest)
    try:
        text = read_small_text(manifest, _LARGEST_BYTES)
    except CannotOpen as error:
        raise UsageError(f"{shown} cannot be read: {error.message}", error.hint) from error
    rows = _json_rows(text) if manifest.lower().endswith(".jsonl") else _csv_rows(text)
    requests, places, mistakes = [], [], []
    for line, fields in rows:
        try:
            if isinstance(fields, UsageError):
                raise fields
            requests.append(_request(fields, usual, Path(manifest).parent))
            places.append(f"line {line}")
        except (msgspec.ValidationError, OnetakeError, ValueError) as error:
            mistakes.append((line, error))
    for index, conflict in conflicts(requests, places):
        mistakes.append((int(places[index].removeprefix("line ")), conflict))
    if mistakes:
        raise _invalid(shown, sorted(mistakes, key=lambda mistake: mistake[0]))
    if not requests:
        raise InvalidManifest(f"{shown} lists no recordings", "write one row per recording, with the column take")
    return requests


def _invalid(shown: str, mistakes: list[tuple[int, Exception]]) -> InvalidManifest:
    messages = [f"line {line}: {getattr(error, 'message', error)}" for line, error in mistakes]
    hints = Counter(getattr(error, "hint", "") or _COLUMNS_HINT for _, error in mistakes)
    hint = "; ".join(hint for hint in hints if not any(hint in other for other in hints if other != hint))
    if len(messages) == 1:
        return InvalidManifest(f"{shown}, {messages[0]}", hint)
    return InvalidManifest(f"{shown} has {len(messages)} mistakes", hint, details=tuple(messages))


def _csv_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | UsageError]]:
    """Yield line number and non-empty cells of each row, or what is wrong with it."""
    text = text.rstrip("\x1a")  # the end mark of DOS programs
    delimiter, preamble = _dialect(text)
    # after `, "`, the quotation mark would be a part of the cell; else a space may begin the name of a file
    is_spaced = re.search(rf'(?m)(?:^|{re.escape(delimiter)}) +"', text) is not None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=is_spaced)
    columns: list[str] = []
    try:
        for cells in reader:
            if reader.line_num <= preamble or not any(cell.strip() for cell in cells):
                continue
            if columns:
                yield reader.line_num, _cells(columns, cells, delimiter)
                continue
            columns = [_column(name) for name in cells]
            mistakes = list(_header_mistakes(columns))
            yield from ((reader.line_num, mistake) for mistake in mistakes)
            if "take" not in columns:
                return
    except csv.Error as error:  # the rest cannot be split into cells
        yield reader.line_num, UsageError(f"not valid CSV: {error}", "save it as CSV with a header row")


def _dialect(text: str) -> tuple[str, int]:
    """Find the delimiter, and how many lines precede the header.

    Empty rows are skipped. Excel reads and writes ``sep=;`` in front of the header. Otherwise the delimiter is the
    one that splits the header into the most columns with known names; csv.Sniffer cannot tell where there is only
    one column.
    """
    lines = io.StringIO(text, newline="")
    number, first = next(((number, line) for number, line in enumerate(lines, 1) if re.search(r"\w", line)), (0, ""))
    if found := re.fullmatch(r"\W*sep=([^\w\s\"]|\t)\W*", first, re.IGNORECASE):
        return found[1], number
    return max(_DELIMITERS, key=lambda mark: sum(_column(name) in _COLUMNS for name in first.split(mark))), 0


def _column(name: str) -> str:
    return re.sub(r"[ _-]+", "_", name.strip().strip('"').strip().lower())


def _header_mistakes(columns: list[str]) -> Iterator[UsageError]:
    for name, count in Counter(columns).items():
        if name and count > 1:
            yield UsageError(f"the column {name!r} appears {count} times", "name each column once")
        if name and name not in _COLUMNS:
            yield UsageError(f"there is no column {name!r}")
    if "take" not in columns:
        yield UsageError("the column 'take' is missing", f"name the columns in the first line; {_COLUMNS_HINT}")


def _cells(columns: list[str], cells: list[str], delimiter: str) -> dict[str, Any] | UsageError:
    surplus = [cell for cell in cells[len(columns) :] if cell.strip()]
    if surplus:
        return UsageError(f"{len(cells)} cells, but the header has {len(columns)}", "quote cells that hold delimiters")
    fields: dict[str, Any] = {}
    # A row may be shorter than the header: Excel omits the delimiters of the last columns where many rows leave them
    # empty.
    for number, (name, cell) in enumerate(zip(columns, cells, strict=False), 1):
        if name in _COLUMNS and cell.strip():
            fields[name] = cell if name in _PATHS else cell.strip()
        elif not name and cell.strip():
            return UsageError(f"cell {number} has content, but its column has no name", "name the column")
    if delimiter != "," and "accuracy" in fields:  # regions that use the semicolon write 0,7
        fields["accuracy"] = fields["accuracy"].replace(",", ".")
    return fields


def _json_rows(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            fields = msgspec.json.decode(line)
            # decoded twice, because msgspec does not report a name that appears twice
            json.loads(line, object_pairs_hook=_require_once, parse_int=str, parse_float=str)
        except msgspec.DecodeError as error:
            yield number, UsageError(f"not valid JSON: {error}", "write one JSON object per line")
        except RecursionError:
            yield number, UsageError("nested too deeply", "write one JSON object per line")
        except UsageError as error:
            yield number, error
        else:
            yield number, fields


def _require_once(pairs: list[tuple[str, Any]]) -> None:
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise UsageError(f"{name!r} appears {count} times", "name each member once")


def _request(fields: object, usual: CloneRequest, folder: Path) -> CloneRequest:
    for name in fields if isinstance(fields, dict) else ():
        if name not in _COLUMNS:
            raise UsageError(f"there is no column {name!r}")
    row = _row(fields)
    given = {name: value for name, value in msgspec.structs.asdict(row).items() if value is not None}
    options = {option: given[name] for name, option in _OPTIONS.items() if name in given}
    changes: dict[str, Any] = {name: given[name] for name in ("name", "consent") if name in given}
    changes |= {"options": type(usual.options)(**{**msgspec.structs.asdict(usual.options), **options})}
    if "prompt" in given or "auto_prompt" in given:
        changes |= {"prompt": _path(folder, row.prompt), "auto_prompt": row.auto_prompt}
    if row.demo is not None:
        changes["demo"] = folder / row.demo
    request = replace(usual, take=str(folder / row.take), **changes)
    for what, path in (("recording", request.take), ("prompt clip", request.prompt)):
        if path is not None and not is_file(path):
            raise UsageError(f"there is no {what} {display_name(path)}", "paths start at the manifest's folder")
    validate_request(request)
    return request


def _row(fields: object) -> Row:
    if isinstance(fields, dict) and "take" not in fields:
        raise UsageError("take is missing", "name the recording of each row in the column take")
    try:
        return msgspec.convert(fields, Row, strict=False)
    except msgspec.ValidationError as error:
        found = re.fullmatch(r"Expected `(\w+)[^`]*`, got `(\w+)[^`]*`(?: - at `\$\.(\w+)`)?", str(error))
        if found is None:
            raise
        expected, got, column = found.groups()
        value = fields.get(column) if isinstance(fields, dict) else None
        what = (
            f"{column}: {value!r} is" if isinstance(value, str) else f"{column or 'the row'} is {_FOUND.get(got, got)},"
        )
        raise UsageError(f"{what} not {_EXPECTED.get(expected, expected)}") from None


def _path(folder: Path, name: str | None) -> str | None:
    return None if name is None else str(folder / name)
