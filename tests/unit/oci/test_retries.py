from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.retries import RetryPolicy, read_retry_after

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("0", 0.0),
        ("17", 17.0),
        (" 17 ", 17.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("²", None),
        (email.utils.formatdate(NOW + 90, usegmt=True), 90.0),
        (email.utils.formatdate(NOW - 90, usegmt=True), 0.0),
        ("Fri, 99 Foo 2027 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, expected: float | None) -> None:
    """Both forms of Retry-After are read, a past date is now, and anything else is as if it were not there."""
    assert read_retry_after(value, NOW) == expected


@given(st.text(max_size=30))
def test_any_retry_after_can_be_read(value: str) -> None:
    """No header makes reading Retry-After fail, and no wait is negative."""
    seconds = read_retry_after(value, NOW)
    assert seconds is None or seconds >= 0


@given(st.integers(1, 10_000), st.none() | st.floats(0, 1e9), st.floats(0, 1, exclude_max=True))
def test_pauses_stay_within_their_limits(failures: int, retry_after: float | None, chance: float) -> None:
    """A pause is at least half of what doubling gives, and never longer than its limit."""
    policy = RetryPolicy()
    pause = policy.pause(failures, retry_after, chance)
    if retry_after is not None:
        assert pause == min(retry_after, policy.longest_retry_after)
    else:
        assert policy.first_pause / 2 <= pause <= policy.longest_pause


def test_pauses_double() -> None:
    """Without chance, each pause is twice the one before, up to the longest."""
    policy = RetryPolicy(first_pause=0.5, longest_pause=3.0)
    assert [policy.pause(n, None, 0.0) for n in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]


@pytest.mark.parametrize(
    ("failures", "elapsed", "pause", "expected"),
    [(1, 0.0, 1.0, False), (7, 0.0, 1.0, False), (8, 0.0, 1.0, True), (2, 59.0, 1.0, False), (2, 59.5, 1.0, True)],
)
def test_budgets_end_the_retries(failures: int, elapsed: float, pause: float, *, expected: bool) -> None:
    """A step is given up after its attempts, or when the next pause would go beyond its seconds."""
    assert RetryPolicy(attempts=8, seconds=60.0).gives_up(failures, elapsed, pause) is expected
