"""What a topic hands over: tables of rows, each with ours, the peer's, and what is promised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Promise(NamedTuple):
    """What is promised of a row.

    Attributes:
        words: As the page says it.
        limit: The figure that decides.
        of: What is held against it: ours alone, ours as a multiple of the peer's, or ours less the peer's.
        at_least: Whether the limit is a lower one.
    """

    words: str
    limit: float
    of: Literal["ours", "ratio", "difference"] = "ratio"
    at_least: bool = False


class Row(NamedTuple):
    """One line of a table.

    Attributes:
        what: Was measured.
        ours: Our figure, in the unit of the table.
        peer: What it stands beside; empty when nothing does.
        peers: The peer's figure; None when it is not installed.
        promises: What is promised of it.
    """

    what: str
    ours: float
    peer: str = ""
    peers: float | None = None
    promises: Sequence[Promise] = ()

    @property
    def ratio(self) -> float | None:
        """Ours as a multiple of the peer's."""
        return None if self.peers is None else self.ours / self.peers

    def holds(self, promise: Promise) -> bool | None:
        """Whether a promise is held; None when its peer is not installed."""
        difference = None if self.peers is None else self.ours - self.peers
        figure = {"ours": self.ours, "ratio": self.ratio, "difference": difference}[promise.of]
        if figure is None:
            return None
        return figure >= promise.limit if promise.at_least else figure <= promise.limit


class Table(NamedTuple):
    """What a topic found.

    Attributes:
        title: The heading above it.
        unit: Of its figures.
        rows: Its lines.
        note: What is to be known in order to read it, as Markdown.
    """

    title: str
    unit: str
    rows: Sequence[Row]
    note: str = ""
