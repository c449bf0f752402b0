"""The rules about channels."""

from __future__ import annotations

import pytest

from preflight.analysis.analysis import ChannelFacts
from tests.support.analyses import changed, finding, findings


@pytest.mark.parametrize(
    ("rule", "measurements", "message"),
    [
        ("dc-offset", {"dc_offset_percent": 1.2}, "DC offset of +1.2 % of full scale, above 1 %: turn on"),
        ("dc-offset", {"dc_offset_percent": -3.0}, "DC offset of -3.0 % of full scale, above 1 %: turn on"),
        (
            "dead-channel",
            {"channel_difference_db": 42.0},
            "one channel is 42.0 dB quieter than the other (limit 30 dB)",
        ),
        (
            "out-of-phase",
            {"fold_down_loss_db": 12.0},
            "channels are out of phase: the mono sum loses 12 dB; invert one channel",
        ),
        ("false-stereo", {"side_level_db": -90.0}, "both channels are the same (side level -90.0 dB, below -60 dB)"),
    ],
)
def test_reported(rule: str, measurements: dict[str, float], message: str) -> None:
    assert finding(rule, changed(measurements)).message.startswith(message)


@pytest.mark.parametrize(
    ("rule", "measurements"),
    [
        ("dc-offset", {"dc_offset_percent": -1.0}),
        ("dead-channel", {"channel_difference_db": 30.0}),
        ("out-of-phase", {"fold_down_loss_db": 6.0}),
        ("false-stereo", {"side_level_db": -60.0}),
        ("separate-speakers", {}),
    ],
)
def test_not_reported_at_the_limit(rule: str, measurements: dict[str, float]) -> None:
    assert findings(rule, changed(measurements, channels=ChannelFacts((-20.0, -20.0)))) == []


def test_channels_out_of_phase_for_a_part_of_the_recording() -> None:
    channels = ChannelFacts((-20.0, -20.0), flipped=((2.0, 4.0), (10.0, 11.5)))
    found = finding("out-of-phase", changed(channels=channels))
    assert found.message.startswith("channels are out of phase for 3.5 s, first at 0:02.0, and in phase elsewhere")
    assert (found.value, found.spans) == (3.5, ((2.0, 4.0), (10.0, 11.5)))


def test_opposite_pairs_of_more_than_two_channels() -> None:
    channels = ChannelFacts((-20.0,) * 4, opposite=((0, 1), (2, 3)))
    assert finding("out-of-phase", changed(channels=channels)).message.startswith(
        "channels 1 and 2, 3 and 4 are out of"
    )
