from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.expiring import ExpiringStore


class Clock:
    """A clock that stands still until it is set."""

    now = 1000.0

    def __call__(self) -> float:
        """The time it is set to."""
        return self.now


@dataclass(frozen=True)
class Thing:
    """A value that is told apart by its name."""

    name: str
    expires: float | None = None


class Maker:
    """Makes things, each with a name of its own, that last so many seconds from when they are made."""

    def __init__(self, clock: Clock, seconds: float | None = None) -> None:
        self.clock = clock
        self.seconds = seconds
        self.made: list[Thing] = []

    def __call__(self) -> Thing:
        """Another thing."""
        expires = None if self.seconds is None else self.clock.now + self.seconds
        self.made.append(Thing(f"thing {len(self.made) + 1}", expires))
        return self.made[-1]


def store(clock: Clock) -> ExpiringStore[str, Thing | None]:
    return ExpiringStore(clock)


def test_a_value_without_expiry() -> None:
    """A value that never expires is made once, however much time passes."""
    clock = Clock()
    make, kept = Maker(clock), store(clock)
    first = kept.get("a", make)
    clock.now += 1e9
    assert kept.get("a", make) is first
    assert make.made == [first]


def test_an_expired_value() -> None:
    """A value is used until the second in which it expires, and is made anew from then on."""
    clock = Clock()
    make, kept = Maker(clock, 60), store(clock)
    kept.get("a", make)
    clock.now += 59.9
    kept.get("a", make)
    assert len(make.made) == 1
    clock.now += 0.1
    assert kept.get("a", make) == Thing("thing 2", clock.now + 60)


def test_no_value() -> None:
    """That there is no value is kept as well, and does not expire."""
    clock = Clock()
    kept = store(clock)
    assert kept.get("a", lambda: None) is None
    clock.now += 1e9
    assert kept.get("a", Maker(clock)) is None


def test_keys() -> None:
    """Each key has a value of its own."""
    clock = Clock()
    make, kept = Maker(clock), store(clock)
    assert kept.get("a", make) != kept.get("b", make)
    assert [kept.get("a", make), kept.get("b", make)] == make.made


def test_a_failure_to_make() -> None:
    """An error in making a value passes on and is not kept: whoever asks next tries again."""
    clock = Clock()
    kept = store(clock)

    def fail() -> Thing:
        raise LookupError("no thing today")

    for _ in range(2):
        with pytest.raises(LookupError, match="no thing today"):
            kept.get("a", fail)
    assert kept.get("a", Maker(clock)) == Thing("thing 1")


def test_a_dropped_value() -> None:
    """A value that is dropped is made anew, and one that has taken its place is not dropped with it."""
    clock = Clock()
    make, kept = Maker(clock), store(clock)
    first = kept.get("a", make)
    kept.drop("a", first)
    assert kept.held("a") is None
    second = kept.get("a", make)
    kept.drop("a", first)
    assert kept.held("a") is second
    assert kept.get("a", make) is second


def test_a_held_value() -> None:
    """What is held can be seen without making anything, even once it has expired."""
    clock = Clock()
    make, kept = Maker(clock, 1), store(clock)
    assert kept.held("a") is None
    first = kept.get("a", make)
    clock.now += 5
    assert kept.held("a") is first
    assert make.made == [first]


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.floats(0, 50), st.none() | st.floats(-10, 50)), min_size=1, max_size=20
    )
)
def test_any_course_of_time(steps: list[tuple[str, float, float | None]]) -> None:
    """At any time, what is returned is the value held if that is still good, else the one made now."""
    clock = Clock()
    kept = store(clock)
    for key, passed, seconds in steps:
        clock.now += passed
        make, before = Maker(clock, seconds), kept.held(key)
        value = kept.get(key, make)
        good = before is not None and (before.expires is None or clock.now < before.expires)
        assert (value, make.made) == ((before, []) if good else (make.made[0], make.made[:1]))


def test_two_threads_and_one_key() -> None:
    """A thread that asks while another makes the value waits for that one, and nothing is made twice."""
    clock = Clock()
    make, kept = Maker(clock), store(clock)
    both = threading.Barrier(2)

    def slow() -> Thing:
        thing = make()
        try:
            both.wait(timeout=0.2)  # passes only if the other thread makes a value, too
        except threading.BrokenBarrierError:
            return thing
        return thing

    with ThreadPoolExecutor(2) as pool:
        values = list(pool.map(lambda _: kept.get("a", slow), range(2)))
    assert values == [Thing("thing 1")] * 2
    assert len(make.made) == 1


def test_two_threads_and_a_failure() -> None:
    """A thread that waits for another's attempt shares its failure, and makes none itself; who asks later does."""
    kept = store(Clock())
    begun, may_fail = threading.Event(), threading.Event()
    attempts: list[str] = []

    def fail() -> Thing:
        attempts.append(f"attempt {len(attempts) + 1}")
        begun.set()
        may_fail.wait(20)
        raise LookupError(attempts[-1])

    def ask() -> str:
        with pytest.raises(LookupError) as raised:
            kept.get("a", fail)
        return str(raised.value)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask)
        begun.wait(20)
        second = pool.submit(ask)
        threading.Timer(0.2, may_fail.set).start()  # by then the second one waits for the first
        assert [first.result(), second.result()] == ["attempt 1"] * 2
    assert ask() == "attempt 2"
    assert kept.get("a", Maker(Clock())) == Thing("thing 1")


def test_two_threads_and_two_keys() -> None:
    """Values of different keys are made side by side: none waits for another."""
    kept = store(Clock())
    both = threading.Barrier(2)

    def make() -> Thing:
        both.wait(timeout=20)  # broken, and so an error, unless both are made at the same time
        return Thing("made")

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda key: kept.get(key, make), "ab")) == [Thing("made")] * 2
