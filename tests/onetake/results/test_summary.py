"""The worst takes and a sample of all are chosen from results of any order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from onetake.results.summary import badness, choose
from tests.onetake.results.test_results import entry


@given(
    st.lists(st.tuples(st.sampled_from(["ready", "fixable", "rejected"]), st.sampled_from(["good", "fair", "poor"])))
)
@settings(max_examples=50, deadline=None)
def test_the_worst_and_a_sample_are_chosen(grades: list[tuple[str, str]]) -> None:
    entries = [entry(str(number), verdict=verdict, quality=quality) for number, (verdict, quality) in enumerate(grades)]
    summary, worst, sample = choose(entries, worst=3, sample=4)
    assert summary.takes == len(entries)
    expected = sorted((badness(each.report) for each in entries), reverse=True)[:3]
    assert [badness(each.report) for each in worst] == expected
    assert len({each.name for each in (*worst, *sample)}) == len(worst) + len(sample)
    assert len(sample) <= 4


def test_a_sample_is_uniform() -> None:
    counts = [0] * 20
    for seed in range(2000):
        for chosen in choose([entry(str(number)) for number in range(20)], worst=0, sample=2, seed=seed)[2]:
            counts[int(chosen.name)] += 1
    assert min(counts) > 140  # 200 expected, standard deviation 13
    assert max(counts) < 260
