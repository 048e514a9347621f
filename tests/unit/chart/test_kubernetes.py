from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.chart.helm import KUBERNETES
from runner.chart.kubernetes import NEWEST_MINOR, Chosen, candidates, choose_versions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MINORS = range(100)


def only(*allowed: str) -> Callable[[str, Sequence[str]], Sequence[str]]:
    """A constraint that allows some versions."""

    def judge(_: str, versions: Sequence[str]) -> Sequence[str]:
        return [version for version in versions if version in allowed]

    return judge


def unasked(*_: object) -> Sequence[str]:
    raise AssertionError("helm is asked without need")


@pytest.mark.parametrize(
    ("configured", "versions"), [((), (KUBERNETES,)), (("1.30.0", "1.36.0"), ("1.30.0", "1.36.0"))]
)
def test_without_a_constraint(configured: tuple[str, ...], versions: tuple[str, ...]) -> None:
    """What is configured, else the one version, and nothing is asked."""
    assert choose_versions("", configured, unasked) == Chosen(versions)


def test_the_usual_version_stays_where_it_is_allowed() -> None:
    """A constraint that takes it changes nothing and is worth no note."""
    assert choose_versions(">=1.30", (), only(KUBERNETES, f"1.{NEWEST_MINOR}.0")) == Chosen((KUBERNETES,))


@given(st.sets(st.sampled_from([minor for minor in MINORS if minor != 34]), min_size=1))
def test_the_highest_known_version_that_is_allowed_is_taken(minors: set[int]) -> None:
    """Known ones from the newest down, then the first that may follow; a note says which and why."""
    known = [minor for minor in minors if minor <= NEWEST_MINOR]
    expected = f"1.{max(known) if known else min(minors)}.0"
    chosen = choose_versions("as asked", (), only(*(f"1.{minor}.0" for minor in minors)))
    assert chosen.versions == (expected,)
    assert chosen.notes == (f"the chart is rendered for Kubernetes {expected}, as its kubeVersion is as asked",)


def test_a_constraint_on_a_patch_is_met() -> None:
    """Where no minor's first version fits, its patches are tried."""
    assert choose_versions("~1.33.7", (), only("1.33.9", "1.33.7", "1.33.8")).versions == ("1.33.7",)
    newest = (f"1.{NEWEST_MINOR}.2", f"1.{NEWEST_MINOR + 1}.0")
    assert choose_versions("as asked", (), only(*newest)).versions == newest[:1]


def test_a_constraint_that_nothing_meets_is_left_to_helm() -> None:
    """The usual version is rendered for, and helm refuses it in its own words."""
    assert choose_versions("<1.0", (), only()) == Chosen((KUBERNETES,))
    assert choose_versions("<1.0", ("1.36.0",), only("1.0.0")) == Chosen(("1.36.0",))


def test_configured_versions_that_are_not_allowed_are_left_out() -> None:
    """The others are rendered for, and a note says which are not."""
    assert choose_versions(">=1.35", ("1.34.0", "1.36.0"), only("1.36.0")) == Chosen(
        ("1.36.0",), ("the chart is not rendered for Kubernetes 1.34.0, as its kubeVersion is >=1.35",)
    )


def test_candidates_are_distinct() -> None:
    """Each version is tried once, and the newest that is known comes first."""
    found = candidates()
    assert found[0] == f"1.{NEWEST_MINOR}.0"
    assert len(set(found)) == len(found)
