"""The result of a topic: tables of rows, each with our figure, a peer's, and the promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Promise(NamedTuple):
    """A promise about a row.

    Attributes:
        words: The text on the page.
        limit: The figure that decides.
        of: The figure that is compared: ours, the ratio of ours to the peer's, or the difference.
        at_least: Whether the limit is a minimum.
    """

    words: str
    limit: float
    of: Literal["ours", "ratio", "difference"] = "ratio"
    at_least: bool = False


class Row(NamedTuple):
    """One line of a table.

    Attributes:
        what: What was measured.
        ours: Our figure, in the unit of the table.
        peer: The peer's name; empty without one.
        peers: The peer's figure; None when it is not installed.
        promises: The promises about our figure.
    """

    what: str
    ours: float
    peer: str = ""
    peers: float | None = None
    promises: Sequence[Promise] = ()

    @property
    def ratio(self) -> float | None:
        """The ratio of our figure to the peer's; None where that is 0, or the peer is not installed."""
        return None if not self.peers else self.ours / self.peers

    def holds(self, promise: Promise) -> bool | None:
        """Return whether a promise is kept; None when its peer is not installed."""
        difference = None if self.peers is None else self.ours - self.peers
        figure = {"ours": self.ours, "ratio": self.ratio, "difference": difference}[promise.of]
        if figure is None:
            return None
        return figure >= promise.limit if promise.at_least else figure <= promise.limit


class Table(NamedTuple):
    """A table of the page.

    Attributes:
        title: The heading.
        unit: The unit of the figures.
        rows: The lines.
        note: What was measured, and how, as Markdown.
    """

    title: str
    unit: str
    rows: Sequence[Row]
    note: str = ""
