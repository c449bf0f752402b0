"""Every kind of defect that the tests and the benchmark put into clean speech."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.support import backgrounds, defects, processing, rooms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.defects import Defect, Speech

KINDS: Final[tuple[Callable[[Speech], Iterator[Defect]], ...]] = (
    *defects.KINDS,
    rooms.reverberant,
    backgrounds.musical,
    backgrounds.babbling,
    backgrounds.rumbling,
    backgrounds.buzzing,
    backgrounds.whining,
    backgrounds.roaring,
    processing.gated,
    processing.denoised,
    processing.coarse,
    processing.low_bit_rates,
    processing.spliced,
    processing.popping,
    processing.one_sided,
)


def all_conditions(speech: Speech) -> Iterator[Defect]:
    """Every defect in every strength."""
    for kind in KINDS:
        yield from kind(speech)
