from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import RunEnded
from runner.oci.messages import Wait
from runner.oci.patience import BUDGETS, Patience, Waiting
from runner.runtime.lifetime import Lifetime
from testbed.memory.lifetime import MemoryLifetime

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "registry.example"


def patient(
    lifetime: MemoryLifetime, tell: Callable[[Waiting], object] = lambda _: None, *, chance: float = 0.0
) -> Patience:
    """Patience by a clock that only waiting moves."""
    return Patience(lifetime, clock=lifetime.now, tell=tell, chance=lambda: chance)


@given(st.lists(st.tuples(st.sampled_from(Wait), st.floats(0, 40)), max_size=8))
def test_budgets(waits: list[tuple[Wait, float]]) -> None:
    """Each wait is taken from the budget of its own kind, to the second, and from no other."""
    patience = patient(MemoryLifetime())
    for wait, seconds in waits:
        patience.wait(wait, seconds, HOST, "x")
    for kind, budget in BUDGETS.items():
        spent = sum(seconds for wait, seconds in waits if wait is kind)
        assert patience.left(kind) == pytest.approx(max(0.0, budget - spent), abs=1e-6)


def test_waits_side_by_side() -> None:
    """Threads that wait at the same time use up the time that passes, not its sum over them."""
    now = 0.0
    entered, leave = threading.Semaphore(0), threading.Event()

    class Gate(Lifetime):
        def wait(self, seconds: float) -> None:  # noqa: ARG002
            entered.release()
            leave.wait(10)

    patience = Patience(Gate(), clock=lambda: now)
    threads = [threading.Thread(target=patience.wait, args=(Wait.CONNECTION, 7.0, HOST, "x")) for _ in range(5)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert entered.acquire(timeout=10)
    now = 7.0
    assert patience.left(Wait.CONNECTION) == BUDGETS[Wait.CONNECTION] - 7.0
    leave.set()
    for thread in threads:
        thread.join(10)
    assert patience.left(Wait.CONNECTION) == BUDGETS[Wait.CONNECTION] - 7.0
    now = 100.0
    assert patience.left(Wait.CONNECTION) == BUDGETS[Wait.CONNECTION] - 7.0


@given(st.integers(1, 5), st.floats(0, 3))
def test_failures_beside_a_wait(failures: int, waited: float) -> None:
    """What one thread waits is counted whole, however many attempts of others fail meanwhile."""
    now = 0.0

    class Beside(Lifetime):
        def wait(self, seconds: float) -> None:
            nonlocal now
            for _ in range(failures):
                # A clock that moves on by no less than it can show.
                now += max(seconds / failures, 1e-6)
                patience.waited(Wait.SERVER_ERROR, min(waited, now))

    patience = Patience(Beside(), clock=lambda: now)
    for ended in (8.0, 16.0):
        patience.wait(Wait.SERVER_ERROR, 8.0, HOST, "x")
        assert now == pytest.approx(ended, abs=1e-4)
        assert patience.left(Wait.SERVER_ERROR) == pytest.approx(BUDGETS[Wait.SERVER_ERROR] - ended, abs=1e-4)


def test_host_that_pauses() -> None:
    """While a host pauses, whoever sends to it waits until it is over; other hosts are not concerned."""
    lifetime = MemoryLifetime()
    patience = patient(lifetime)
    patience.pause_host("Registry.Example", 8.0, "HTTP 429")
    patience.await_host("other.example")
    assert lifetime.now() == 0.0
    patience.await_host(HOST)
    assert lifetime.now() == 8.0
    patience.await_host(HOST)
    assert lifetime.now() == 8.0
    assert patience.left(Wait.RATE_LIMITED) == BUDGETS[Wait.RATE_LIMITED] - 8.0


def test_longer_pause_stays() -> None:
    """A shorter pause does not end a longer one that is under way, and a longer one prolongs it."""
    lifetime = MemoryLifetime()
    patience = patient(lifetime)
    for seconds in (5.0, 20.0, 10.0):
        patience.pause_host(HOST, seconds, "HTTP 429")
    patience.await_host(HOST)
    assert lifetime.now() == 20.0


@given(st.floats(0.1, 100), st.floats(0, 1, exclude_max=True))
def test_threads_go_on_one_after_another(seconds: float, chance: float) -> None:
    """After a shared pause each thread goes on a little later, by chance, and by a second at most."""
    lifetime = MemoryLifetime()
    patience = patient(lifetime, chance=chance)
    patience.pause_host(HOST, seconds, "HTTP 429")
    patience.await_host(HOST)
    assert seconds - 1e-6 <= lifetime.now() <= seconds + min(1.0, seconds / 10) + 1e-6


def test_what_is_told() -> None:
    """What is waited for is told at most every ten seconds, less often the longer it takes, with the time left."""
    told: list[tuple[float, Waiting]] = []
    lifetime = MemoryLifetime()
    patience = patient(lifetime, lambda waiting: told.append((lifetime.now(), waiting)))
    patience.wait(Wait.SERVER_ERROR, 0.5, HOST, "HTTP 502")
    assert told == []
    for _ in range(30):
        patience.wait(Wait.NOT_VISIBLE, 10.0, HOST, "HTTP 404")
    assert [moment for moment, _ in told] == [0.5, 10.5, 30.5, 70.5, 130.5, 190.5, 250.5]
    assert told[1][1] == Waiting(Wait.NOT_VISIBLE, HOST, "HTTP 404", 10.0, 290.0)


def test_long_wait_is_told_again() -> None:
    """One long wait is told of while it lasts, too."""
    told: list[float] = []
    lifetime = MemoryLifetime()
    patient(lifetime, lambda waiting: told.append(waiting.seconds)).wait(Wait.RATE_LIMITED, 45.0, HOST, "HTTP 429")
    assert told == [45.0, 35.0, 15.0]
    assert lifetime.now() == 45.0


def test_end_of_the_run() -> None:
    """A wait ends with the run."""
    lifetime = MemoryLifetime()
    patience = patient(lifetime)
    lifetime.end("SIGTERM")
    with pytest.raises(RunEnded, match="SIGTERM"):
        patience.wait(Wait.CONNECTION, 5.0, HOST, "x")
    with pytest.raises(RunEnded, match="SIGTERM"):
        patience.check()


def test_time_spent_in_vain() -> None:
    """Time in which nothing came until a request was given up counts as waiting, and none of it twice."""
    lifetime = MemoryLifetime()
    patience = patient(lifetime)
    lifetime.wait(30.0)
    patience.waited(Wait.CONNECTION, 30.0)
    patience.waited(Wait.CONNECTION, 30.0)
    assert patience.left(Wait.CONNECTION) == BUDGETS[Wait.CONNECTION] - 30.0
    patience.wait(Wait.CONNECTION, 5.0, HOST, "x")
    lifetime.wait(10.0)
    patience.waited(Wait.CONNECTION, 12.0)
    assert patience.left(Wait.CONNECTION) == BUDGETS[Wait.CONNECTION] - 45.0
    assert patience.left(Wait.SERVER_ERROR) == BUDGETS[Wait.SERVER_ERROR]


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 20)), max_size=9))
def test_no_time_counts_twice(steps: list[tuple[float, float]]) -> None:
    """However the reports of threads overlap, no more is counted than has passed."""
    lifetime = MemoryLifetime()
    patience = patient(lifetime)
    lifetime.wait(20.0)
    for passed, waited in steps:
        lifetime.wait(passed)
        patience.waited(Wait.NOT_VISIBLE, waited)
    assert BUDGETS[Wait.NOT_VISIBLE] - patience.left(Wait.NOT_VISIBLE) <= lifetime.now() + 1e-6
