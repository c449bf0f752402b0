"""The parts of a recording that could not be decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Damage:
    """A part that could not be decoded.

    Attributes:
        start_s: The start on the timeline of the recording, in seconds.
        end_s: The end on the timeline of the recording.
        at_s: The position in the decoded audio, which lacks the lost parts before it.
        until_s: Where the decoded audio is intact again: `at_s` if the part is missing from it, later if silence
            replaces it.
    """

    start_s: float
    end_s: float
    at_s: float
    until_s: float


MERGE_WITHIN_S: Final = 0.1
"""Damage within this time is merged."""


def merged_damage(missing: Sequence[Damage], undecodable: Sequence[Damage], duration_s: float) -> tuple[Damage, ...]:
    """Return all damage in order, with neighbors merged.

    Args:
        missing: The frames that are not in the file, as frame headers show it.
        undecodable: What the decoder rejected, on a timeline without `missing`.
        duration_s: The decoded duration in seconds.
    """
    shifted = []
    for spot in undecodable:
        lost_s = sum(gap.end_s - gap.start_s for gap in missing if gap.at_s <= spot.at_s)
        shifted.append(Damage(spot.start_s + lost_s, spot.end_s + lost_s, spot.at_s, spot.until_s))
    merged: list[Damage] = []
    for spot in sorted((*missing, *shifted), key=lambda spot: (spot.at_s, spot.start_s)):
        at_s, until_s = min(spot.at_s, duration_s), min(spot.until_s, duration_s)
        last = merged[-1] if merged else None
        if last and spot.start_s <= last.end_s + MERGE_WITHIN_S:
            merged[-1] = Damage(last.start_s, max(spot.end_s, last.end_s), last.at_s, max(last.until_s, until_s))
        else:
            merged.append(Damage(spot.start_s, spot.end_s, at_s, until_s))
    return tuple(merged)
