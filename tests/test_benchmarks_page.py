"""docs/benchmarks.md keeps the sections that were not measured again, and counts the promises of all."""

from __future__ import annotations

from pathlib import Path

from benchmarks.page import updated
from benchmarks.table import Promise, Row, Table

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
KEPT = Row("start", 5.0, promises=[Promise("at most 10 ms", 10, "ours")])
MISSED = Row("start", 50.0, promises=[Promise("at most 10 ms", 10, "ours")])


def test_without_tables_the_page_stays_as_it_is() -> None:
    content = PAGE.read_text(encoding="utf-8")
    assert updated(content, []) == content


def test_a_section_is_replaced_in_its_place() -> None:
    first = updated("", [Table("Start-up", "ms", [MISSED], "Cold."), Table("Upload", "ms", [KEPT])])
    assert first.endswith("1 of 2 promises are kept.\n")
    second = updated(first, [Table("Start-up", "ms", [KEPT], "Warm.")])
    assert second.index("## Start-up") < second.index("## Upload")
    assert "Cold." not in second
    assert second.endswith("2 of 2 promises are kept.\n")
    assert second.count("promises are kept") == 1
