from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from testbed.soak.figures import Figures

NUMBERS = st.integers(0, 1000)
PARTS = st.builds(
    Figures,
    st.just("killed"),
    st.just("release"),
    st.dictionaries(st.integers(-9, 9), st.integers(1, 50)).map(Counter),
    NUMBERS,
    NUMBERS,
    NUMBERS.map(float),
)


@given(PARTS)
def test_figures_are_read_as_they_were_told(figures: Figures) -> None:
    """What is written for the script that adds up is read as what it was."""
    assert Figures.read(figures.document()) == figures


@given(st.lists(PARTS))
def test_sum_of_parts(parts: list[Figures]) -> None:
    """The sum has all runs of its parts, and all that they took."""
    total = Figures("killed", "release")
    for part in parts:
        total.add(part)
    assert total.codes.total() == sum(part.codes.total() for part in parts)
    assert (total.requests, total.looks, total.seconds) == (
        sum(part.requests for part in parts),
        sum(part.looks for part in parts),
        sum(part.seconds for part in parts),
    )
    assert str(total).startswith(f"{total.codes.total()} runs of release, killed: ")
