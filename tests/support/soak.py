"""Disturbed runs, checked: under seeded schedules of faults, which hypothesis chooses, and killed at their requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from testbed.faults.fault import Drop
from testbed.faults.schedule import FaultSchedule
from testbed.soak.figures import Figures

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from testbed.soak.world import Disturbed, PathName, Soak

SPAN = 1 << 20
"""How many seeds a part of the schedules draws from."""


def check_schedules(soak: Soak, path: PathName, request: pytest.FixtureRequest, *, part: int, examples: int) -> None:
    """Check as many schedules as asked for, from the seeds of one part, and report the figures.

    A failing seed is printed with its schedule and the command that repeats it. It is not made smaller: a smaller seed
    is no smaller schedule.
    """
    figures = Figures("under a schedule of faults", path)

    @settings(
        max_examples=examples,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(min_value=part * SPAN, max_value=(part + 1) * SPAN - 1))
    def check(seed: int) -> None:
        schedule = FaultSchedule.from_seed(seed)
        ended = soak.under_schedule(path, schedule)
        _refuse_problems(ended, f"{schedule}\nrepeat it: python -m testbed.soak {path} --seed {seed}")
        figures.count(ended)

    check()
    _report(figures, request)


def check_kills(soak: Soak, path: PathName, request: pytest.FixtureRequest, numbers: Iterable[int]) -> None:
    """Check a kill before and after each of these requests, and report the figures."""
    figures = Figures("killed at a request", path)
    for number in numbers:
        for drop in Drop:
            ended = soak.killed_at(path, number, drop)
            option = " --after" if drop is Drop.AFTER else ""
            _refuse_problems(ended, f"repeat it: python -m testbed.soak {path} --kill {number}{option}")
            figures.count(ended)
    _report(figures, request)


def _refuse_problems(ended: Disturbed, what: str) -> None:
    if ended.problems:
        raise AssertionError("\n".join((what, *ended.problems, "the run printed:", ended.out)))


def _report(figures: Figures, request: pytest.FixtureRequest) -> None:
    request.node.user_properties += [("counted", str(figures)), ("soak", figures.document())]
