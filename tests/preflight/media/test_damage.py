"""Merging of damage."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from preflight.media.damage import Damage, merged_damage

MOMENTS = st.floats(0, 50)
SPOTS = st.builds(lambda at, lost: Damage(at, at + lost, at, at), MOMENTS, st.floats(0, 2))


def test_neighbors_are_merged() -> None:
    near, far = Damage(1.0, 1.5, 1.0, 1.0), Damage(1.55, 2.0, 1.05, 1.05)
    assert merged_damage([], [near, far], 60.0) == (Damage(1.0, 2.0, 1.0, 1.05),)


def test_missing_frames_shift_the_later_damage_of_the_decoder() -> None:
    missing, undecodable = Damage(10.0, 12.0, 10.0, 10.0), Damage(20.0, 20.5, 20.0, 20.0)
    assert merged_damage([missing], [undecodable], 60.0) == (missing, Damage(22.0, 22.5, 20.0, 20.0))


def test_positions_are_inside_the_decoded_audio() -> None:
    assert merged_damage([], [Damage(61.0, 62.0, 61.0, 61.5)], 60.0) == (Damage(61.0, 62.0, 60.0, 60.0),)


@given(missing=st.lists(SPOTS, max_size=8), undecodable=st.lists(SPOTS, max_size=8))
def test_merged_damage_is_in_order(missing: list[Damage], undecodable: list[Damage]) -> None:
    merged = merged_damage(missing, undecodable, 50.0)
    positions = [spot.at_s for spot in merged]
    assert positions == sorted(positions)
    assert bool(merged) == bool(missing or undecodable)
