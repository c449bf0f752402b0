"""The exit status of a batch, and after a request to stop."""

from __future__ import annotations

import signal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from onetake.exit_status import Status, most_severe, stop_status


@given(st.lists(st.sampled_from(list(Status))))
def test_the_most_severe_status_does_not_depend_on_order(statuses: list[Status]) -> None:
    assert most_severe(statuses) == most_severe(reversed(statuses))
    assert most_severe(statuses) in {*statuses, Status.DONE}


def test_an_unknown_outcome_is_more_severe_than_anything_else() -> None:
    ranked = [Status.UNKNOWN, Status.BUG, Status.SERVICE, Status.STORAGE, Status.USAGE, Status.NOT_FIT, Status.DONE]
    assert all(most_severe(pair) == pair[0] for pair in pairwise(ranked))


def test_without_a_signal_a_request_to_stop_counts_as_ctrl_c() -> None:
    assert stop_status() == 128 + signal.SIGINT
