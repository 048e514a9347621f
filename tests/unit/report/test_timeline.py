"""The time line: bars where and as long as the steps were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.report.record import StepDocument
from runner.report.timeline import FEWEST_FOLDED, SHORT_SECONDS, bars, fold, span_seconds

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


OUTCOMES = st.sampled_from(["running", "passed", "skipped", "failed"])
AROUND = st.floats(0, 2 * SHORT_SECONDS) | st.sampled_from([0.0, 0.099, SHORT_SECONDS])


@given(
    st.lists(st.builds(lambda took, outcome: step(0, took, outcome=outcome), st.none() | AROUND, OUTCOMES), max_size=20)
)
def test_short_steps_are_folded_and_no_step_is_lost(steps: list[StepDocument]) -> None:
    """Every step is shown or folded, in its order; what is folded came to a good end in no time, and adds up."""
    drawn = bars(steps)
    shown, folded = fold(drawn)
    short = () if folded is None else folded.bars
    assert sorted(map(id, (*shown, *short))) == sorted(map(id, drawn))
    places = {id(bar): place for place, bar in enumerate(drawn)}
    for part in (shown, short):
        assert [places[id(bar)] for bar in part] == sorted(places[id(bar)] for bar in part)
    for bar in short:
        assert bar.step.outcome in {"passed", "skipped"}
        assert bar.step.seconds is not None
        assert bar.step.seconds < SHORT_SECONDS
    if folded is not None:
        assert len(short) >= FEWEST_FOLDED
        assert folded.seconds == pytest.approx(sum(bar.step.seconds or 0 for bar in short))
        assert not any(
            bar.step.outcome in {"passed", "skipped"} and (bar.step.seconds or 0) < SHORT_SECONDS
            for bar in shown
            if bar.step.seconds is not None
        )


@pytest.mark.parametrize("outcome", ["failed", "running"])
def test_a_failed_step_is_never_folded(outcome: str) -> None:
    """However short it was, a step that failed or goes on has its own row."""
    steps = [step(0, 0.001), step(0, 0.001, outcome=outcome), step(0, 0.002, outcome="skipped")]
    shown, folded = fold(bars(steps))
    assert [bar.step for bar in shown] == [steps[1]]
    assert folded is not None
    assert [bar.step for bar in folded.bars] == [steps[0], steps[2]]


def test_one_short_step_is_not_folded() -> None:
    """A single short step is a row already."""
    drawn = bars([step(0, 0.001), step(0, 5)])
    assert fold(drawn) == (drawn, None)
