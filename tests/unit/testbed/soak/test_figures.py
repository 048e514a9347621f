from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from testbed.soak.figures import Figures, Load

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


LOAD = Load(77, 1, 4500, 0, 10, 140.4, 111 * 2**20, 26, 33)


def test_load_is_read_as_it_was_told() -> None:
    """What is written for the script is read as what it was."""
    assert Load.read(LOAD.document()) == LOAD


def test_load_in_words() -> None:
    """It says what was released by how many processes, and what that took."""
    assert str(LOAD) == (
        "77 services, one process in 140 s: 4500 requests, 0 of them answered 429, at most 10 uploads completed in a"
        " second; a process had at most 111 MiB, 26 threads, 33 files"
    )
    assert Load(20, 20, 0, 0, 0, 0, 0, 0, 0).what == "20 services, 20 processes"
