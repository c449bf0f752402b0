"""The formats of a part of results: JSON Lines, or Parquet for those who read results with pandas, DuckDB or Spark.

A part is a list of entries. Both formats have the complete report as JSON; Parquet also has columns to filter by.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from onetake.errors import UsageError
from preflight.report import Report

if TYPE_CHECKING:
    import pyarrow as pa

_FAILED: Final = {"unreadable", "not-examined"}
_FACTS: Final = ("container", "codec", "bytes", "duration_s", "sample_rate_hz", "channels", "bit_rate_bps", "sha256")
_STORED: Final = ("name", "stamp", "rules", "report")
_BATCH: Final = 500


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one recording.

    Attributes:
        name: The recording, as it was named.
        stamp: What identifies its content without reading it: the object's ETag, or the file's size and time.
        rules: Identifies the profile, the rules and the version of onetake that judged it.
        report: Its report.
    """

    name: str
    stamp: str
    rules: str
    report: Report

    @property
    def is_failed(self) -> bool:
        """Whether the recording could not be examined, so that another try may help."""
        return any(finding.rule in _FAILED for finding in self.report.findings)


class BadPart(ValueError):
    """The content is not a part."""


class PartFormat(Protocol):
    """How entries are stored.

    Attributes:
        suffix: The ending of a part's name.
        content_type: Of an object.
    """

    suffix: str
    content_type: str

    def encode(self, entries: Sequence[Entry]) -> bytes:
        """Return a part."""
        ...

    def newest_first(self, content: bytes) -> Iterator[Entry]:
        """Yield the entries of a part, the last one first. Raises `BadPart`."""
        ...


class JsonLines:
    """A JSON object in each line."""

    suffix = ".jsonl"
    content_type = "application/x-ndjson"

    def encode(self, entries: Sequence[Entry]) -> bytes:
        """As `PartFormat`."""
        return b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)

    def newest_first(self, content: bytes) -> Iterator[Entry]:
        """As `PartFormat`."""
        decoder = msgspec.json.Decoder(Entry)
        for line in reversed(content.splitlines()):
            try:
                yield decoder.decode(line)
            except msgspec.MsgspecError as error:
                raise BadPart from error


class Parquet:
    """A row for each recording, with columns of its report; the column ``report`` is the complete one as JSON."""

    suffix = ".parquet"
    content_type = "application/vnd.apache.parquet"

    def encode(self, entries: Sequence[Entry]) -> bytes:
        """As `PartFormat`; raises `UsageError` where pyarrow is missing."""
        arrow = _pyarrow()
        import pyarrow.parquet

        file = io.BytesIO()
        table = arrow.Table.from_pylist([_row(entry) for entry in entries], schema=_schema(arrow))
        pyarrow.parquet.write_table(table, file, compression="zstd")
        return file.getvalue()

    def newest_first(self, content: bytes) -> Iterator[Entry]:
        """As `PartFormat`; raises `UsageError` where pyarrow is missing."""
        arrow = _pyarrow()
        import pyarrow.parquet

        decoder = msgspec.json.Decoder(Report)
        try:
            table = pyarrow.parquet.read_table(io.BytesIO(content), columns=list(_STORED))
            for start in reversed(range(0, table.num_rows, _BATCH)):
                for row in reversed(table.slice(start, _BATCH).to_pylist()):
                    yield Entry(**{**row, "report": decoder.decode(row["report"])})
        except (arrow.ArrowException, msgspec.MsgspecError, KeyError, TypeError) as error:
            raise BadPart from error


FORMATS: Final[dict[str, PartFormat]] = {"jsonl": JsonLines(), "parquet": Parquet()}


def require_format(name: str) -> None:
    """Raise `UsageError` if parts of this format cannot be written here."""
    if isinstance(FORMATS[name], Parquet):
        _pyarrow()


def _pyarrow() -> Any:
    try:
        import pyarrow as pa
    except ImportError as error:
        raise UsageError("results in Parquet need pyarrow", 'pip install "onetake[parquet]"') from error
    return pa


def _schema(arrow: Any) -> pa.Schema:
    text, number, whole = arrow.string(), arrow.float64(), arrow.int64()
    finding = {"rule": text, "severity": text, "message": text, "value": number, "limit": number}
    facts = {"bytes": whole, "duration_s": number, "sample_rate_hz": whole, "channels": whole, "bit_rate_bps": whole}
    columns = {
        **dict.fromkeys(("name", "stamp", "rules", "verdict", "quality", "method"), text),
        **{name: facts.get(name, text) for name in _FACTS},
        "findings": arrow.list_(arrow.struct(list(finding.items()))),
        "measurements": arrow.map_(text, number),
        "report": text,
    }
    return arrow.schema(list(columns.items()))


def _row(entry: Entry) -> dict[str, Any]:
    report = entry.report
    return {
        "name": entry.name,
        "stamp": entry.stamp,
        "rules": entry.rules,
        "verdict": report.verdict,
        "quality": report.quality,
        "method": report.method,
        **{name: getattr(report.file, name) for name in _FACTS},
        "findings": [
            {name: getattr(finding, name) for name in ("rule", "severity", "message", "value", "limit")}
            for finding in report.findings
        ],
        "measurements": list(report.measurements.items()),
        "report": msgspec.json.encode(report).decode(),
    }
