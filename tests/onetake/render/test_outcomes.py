"""Rows of CSV are read back as they were, and no cell is a formula."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onetake.errors import Failure
from onetake.exit_status import Status
from onetake.render.outcomes import CSV_HEADER, csv_line, csv_row, error_fields

CELLS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1)


@given(CELLS)
def test_a_row_is_read_back_except_for_the_quote_before_formulas(cells: list[str]) -> None:
    (row,) = csv.reader(io.StringIO(csv_row(cells) + "\n", newline=""))
    assert [cell.removeprefix("'") for cell in row] == [cell.removeprefix("'") for cell in cells]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff20"])
def test_a_cell_that_looks_like_a_formula_is_quoted(start: str) -> None:
    (row,) = csv.reader(io.StringIO(csv_row([f"{start}cmd|'/C calc'!A0"]), newline=""))
    assert row[0].startswith(f"'{start}")


def test_a_row_has_the_columns_of_the_header() -> None:
    failure = Failure("too-short", "4.1 s long", "record more", Status.NOT_FIT, code=2045, trace_id="t-1")
    line = csv_line({"path": "a,b.wav", "ending": "refused", "error": error_fields(failure)})
    row = dict(zip(next(csv.reader([CSV_HEADER])), next(csv.reader([line])), strict=True))
    assert (row["path"], row["ending"], row["error"], row["code"], row["trace_id"]) == (
        *("a,b.wav", "refused", "too-short", "2045", "t-1"),
    )
    assert row["voice_id"] == ""


def test_an_error_has_the_fields_of_the_service_only_if_it_sent_them() -> None:
    assert set(error_fields(Failure("usage", "m", "h", Status.USAGE))) == {"kind", "message", "hint"}
    assert error_fields(Failure("refused", "m", "h", Status.SERVICE, http_status=401))["http_status"] == 401
    assert error_fields(Failure("invalid-manifest", "m", "", Status.USAGE, details=("line 1",)))["details"]
