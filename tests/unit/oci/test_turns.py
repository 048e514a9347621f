from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import RunEnded
from runner.oci.turns import COMPLETIONS, SlowHosts, Turns
from runner.runtime.lifetime import Lifetime
from testbed.memory.lifetime import MemoryLifetime

LIMIT_SECONDS = 20.0


def test_first_ten_do_not_wait() -> None:
    """As many as are allowed in a second are let through at once, and the next one a second after the first."""
    lifetime = MemoryLifetime()
    turns = Turns(lifetime, COMPLETIONS, clock=lifetime.now)
    for _ in range(COMPLETIONS):
        with turns.turn():
            pass
    assert lifetime.pauses == []
    with turns.turn():
        assert lifetime.pauses == [1.0]


@given(st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 3)), min_size=1, max_size=60), st.integers(1, 10))
def test_never_more_in_any_second(uploads: list[tuple[float, float]], count: int) -> None:
    """However they come and however long they take, each begins a second after the one ended whose place it has."""
    lifetime = MemoryLifetime()
    turns = Turns(lifetime, count, clock=lifetime.now)
    began, ended = [], []
    for gap, seconds in uploads:
        lifetime.wait(gap)
        with turns.turn():
            began.append(lifetime.now())
            lifetime.wait(seconds)
        ended.append(lifetime.now())
    assert all(later - earlier >= 1.0 - 1e-9 for earlier, later in zip(ended, began[count:], strict=False))


def test_one_that_takes_long_keeps_its_place() -> None:
    """Whoever comes while all places are held gets the first that is given back, and a second later."""
    lifetime = MemoryLifetime()
    turns = Turns(lifetime, 2, clock=lifetime.now)
    let_in = threading.Event()

    def third() -> None:
        with turns.turn():
            let_in.set()

    thread = threading.Thread(target=third)
    with turns.turn():
        with ExitStack() as second:
            second.enter_context(turns.turn())
            thread.start()
            assert not let_in.wait(0.05)
        assert let_in.wait(LIMIT_SECONDS)
    thread.join()
    assert lifetime.pauses == [1.0]


def test_failure_gives_the_place_back() -> None:
    """An upload that failed may have been counted: its place is free again a second later, too."""
    lifetime = MemoryLifetime()
    turns = Turns(lifetime, 1, clock=lifetime.now)
    with pytest.raises(ConnectionError), turns.turn():
        raise ConnectionError
    with turns.turn():
        assert lifetime.pauses == [1.0]


def test_end_of_the_run() -> None:
    """Waiting for a turn ends with the run, also where every place is held."""
    lifetime = Lifetime()
    turns = Turns(lifetime, 1, clock=lambda: 0.0)
    outcomes: list[BaseException] = []

    def waiting() -> None:
        try:
            with turns.turn():
                pass
        except RunEnded as ended:
            outcomes.append(ended)

    with turns.turn():
        thread = threading.Thread(target=waiting)
        thread.start()
        lifetime.end("SIGTERM")
        thread.join(LIMIT_SECONDS)
        assert not thread.is_alive()
    assert [str(outcome) for outcome in outcomes] == ["the run was ended: SIGTERM"]
    with pytest.raises(RunEnded, match="SIGTERM"), turns.turn():
        pass


def test_hosts_that_are_slow() -> None:
    """A host is asked at once until it is slowed down, and then by turns; other hosts are not."""
    lifetime = MemoryLifetime()
    hosts = SlowHosts(lambda: Turns(lifetime, 1, clock=lifetime.now))

    def ask(host: str, times: int) -> None:
        for _ in range(times):
            with hosts.turn(host):
                pass

    ask("here", 5)
    hosts.slow_down("here")
    ask("there", 5)
    assert lifetime.pauses == []
    ask("here", 2)
    hosts.slow_down("here")
    ask("here", 1)
    assert lifetime.pauses == [1.0, 1.0]
