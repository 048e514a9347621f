"""The time line: bars where and as long as the steps were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.report.record import StepDocument
from runner.report.timeline import bars, span_seconds

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECONDS = st.floats(0, 10_000) | st.just(0.0)


def step(offset: float, seconds: float | None, **fields: object) -> StepDocument:
    """A step that began so many seconds after the run."""
    started = (BEGAN + timedelta(seconds=offset)).isoformat(timespec="milliseconds")
    values = {"name": "build", "outcome": "passed", "started": started, "seconds": seconds}
    return StepDocument.model_validate(values | fields)


STEPS = st.lists(st.builds(step, SECONDS, st.none() | SECONDS), max_size=20)


def test_bars_stand_where_the_steps_were() -> None:
    """A step that took a quarter of the time, after half of it, is a bar of a quarter at the half."""
    steps = (step(0, 4), step(4, 2), step(4, 4))
    assert [(bar.left, bar.width) for bar in bars(steps)] == [(0.0, 50.0), (50.0, 25.0), (50.0, 50.0)]
    assert span_seconds(steps) == 8


def test_no_steps_are_no_bars() -> None:
    """A run that ended before its first step has no bars and took no time."""
    assert bars(()) == ()
    assert span_seconds(()) == 0


@given(STEPS)
def test_bars_stay_within_the_line(steps: list[StepDocument]) -> None:
    """Every step has its bar, in the order of the steps, and no bar leaves the line."""
    drawn = bars(steps)
    assert [bar.step for bar in drawn] == steps
    for bar in drawn:
        assert bar.left >= 0
        assert bar.width >= 0
        assert bar.left + bar.width <= 100.001


@given(st.lists(st.tuples(SECONDS, st.floats(0.1, 10_000)), min_size=1, max_size=20))
def test_bars_are_in_proportion(times: list[tuple[float, float]]) -> None:
    """The widths of two bars are to each other as the times of their steps, and somewhere the line is full."""
    steps = [step(offset, seconds) for offset, seconds in times]
    span = span_seconds(steps)
    for bar in bars(steps):
        assert bar.width * span / 100 == pytest.approx(bar.step.seconds, abs=0.01 + span / 10_000)
    assert max(bar.left + bar.width for bar in bars(steps)) == pytest.approx(100, abs=0.01)
    assert min(bar.left for bar in bars(steps)) == 0


def test_a_clock_that_is_set_back_breaks_nothing() -> None:
    """A step that seems to begin before the run begins with it; one whose start cannot be read does, too."""
    steps = (step(10, 1), step(0, 1), step(0, 1, started="never"))
    assert all(0 <= bar.left <= 100 for bar in bars(steps))
