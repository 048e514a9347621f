from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import RunEnded
from runner.oci.completions import COMPLETIONS, Completions
from runner.runtime.lifetime import Lifetime
from testbed.memory.lifetime import MemoryLifetime


def test_first_ten_do_not_wait() -> None:
    """As many as are allowed in a second are let through at once, and the next one a second after the first."""
    lifetime = MemoryLifetime()
    completions = Completions(lifetime, clock=lifetime.now)
    for _ in range(COMPLETIONS):
        completions.take_turn()
    assert lifetime.pauses == []
    completions.take_turn()
    assert lifetime.pauses == [1.0]


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=60), st.integers(1, 10))
def test_never_more_in_any_second(gaps: list[float], count: int) -> None:
    """However they come, no second holds more than the number that is allowed."""
    lifetime = MemoryLifetime()
    completions = Completions(lifetime, count, clock=lifetime.now)
    turns = []
    for gap in gaps:
        lifetime.wait(gap)
        completions.take_turn()
        turns.append(lifetime.now())
    assert all(later - earlier >= 1.0 - 1e-9 for earlier, later in zip(turns, turns[count:], strict=False))


def test_threads_that_wait_at_once_get_different_turns() -> None:
    """A turn that is waited for is taken: whoever asks meanwhile gets a later one."""
    asked: list[float] = []

    class Frozen(Lifetime):
        def wait(self, seconds: float) -> None:
            asked.append(seconds)

    completions = Completions(Frozen(), 2, clock=lambda: 0.0)
    for _ in range(6):
        completions.take_turn()
    assert asked == [1.0, 1.0, 2.0, 2.0]


def test_end_of_the_run() -> None:
    """Waiting for a turn ends with the run."""
    lifetime = Lifetime()
    completions = Completions(lifetime, 1, clock=lambda: 0.0)
    completions.take_turn()
    lifetime.end("SIGTERM")
    with pytest.raises(RunEnded, match="SIGTERM"):
        completions.take_turn()
