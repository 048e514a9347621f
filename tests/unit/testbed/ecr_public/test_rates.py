from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testbed.ecr_public.rates import Rate


def test_a_second() -> None:
    """As many as the quota pass in a second; the next one passes when the first is a second old."""
    now = 0.0
    rate = Rate(lambda: now)
    assert [rate.allows(2) for _ in range(3)] == [True, True, False]
    now = 0.99
    assert not rate.allows(2)
    now = 1.0
    assert [rate.allows(2) for _ in range(3)] == [True, True, False]


def test_no_quota() -> None:
    """Without a quota all pass, and count for one that is set later."""
    rate = Rate(lambda: 0.0)
    assert all(rate.allows(None) for _ in range(100))
    assert not rate.allows(100)


@given(st.lists(st.floats(0, 5), max_size=60), st.integers(1, 10))
def test_never_more_than_the_quota(times: list[float], quota: int) -> None:
    """In no second do more pass than the quota allows, and what passed in the busiest one is known."""
    now = 0.0
    rate = Rate(lambda: now)
    passed = []
    for time in sorted(times):
        now = time
        if rate.allows(quota):
            passed.append(time)
    assert all(sum(begin <= time < begin + 1 for time in passed) <= quota for begin in passed)
    assert rate.most == max((sum(end - 1 < time <= end for time in passed) for end in passed), default=0)
