from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import ExitCode, RunEnded
from runner.runtime.lifetime import Lifetime

LONG = 60.0


@dataclass
class Clock:
    """A clock that goes only when a test moves it."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Tell the time, in seconds."""
        return self.now


def test_a_run_without_a_deadline_goes_on() -> None:
    """Without seconds there is no deadline, and nothing has ended."""
    lifetime = Lifetime()
    lifetime.check()
    assert lifetime.remaining() is None
    assert lifetime.reason is None


@given(st.floats(0, 1e6), st.floats(0, 2e6))
def test_what_remains_is_never_below_zero(seconds: float, passed: float) -> None:
    """The time until the deadline shrinks with the clock and stays at zero after it."""
    clock = Clock()
    lifetime = Lifetime(seconds, clock=clock)
    clock.now += passed
    assert lifetime.remaining() == pytest.approx(max(0.0, seconds - passed), abs=1e-6)


def test_the_deadline_alone_ends_nothing() -> None:
    """Only the main thread ends a run: when the deadline falls, it is notified and no worker raises by itself."""
    clock = Clock()
    lifetime = Lifetime(1.0, clock=clock)
    clock.now += 2.0
    assert lifetime.remaining() == 0.0
    lifetime.check()
    lifetime.wait(0)


def test_an_ended_run_raises_with_its_reason() -> None:
    """Whoever asks after the end gets exit code 9 and the reason."""
    lifetime = Lifetime()
    lifetime.end("SIGTERM")
    for ask in (lifetime.check, lambda: lifetime.wait(0), lambda: lifetime.wait(LONG)):
        with pytest.raises(RunEnded, match="SIGTERM") as caught:
            ask()
        assert caught.value.exit_code == ExitCode.ENDED


def test_the_first_reason_stays() -> None:
    """A second reason does not replace what ended the run."""
    lifetime = Lifetime()
    lifetime.end("SIGINT")
    lifetime.end("the deadline")
    assert lifetime.reason == "SIGINT"


def test_a_wait_passes_when_nothing_ends_the_run() -> None:
    """A wait that is not interrupted returns."""
    Lifetime(LONG).wait(0.001)


def test_every_waiter_wakes_at_the_end() -> None:
    """All threads that wait are woken as soon as the run ends, long before their time is over."""
    lifetime = Lifetime()
    ready = threading.Barrier(4)
    woken: list[str] = []

    def wait() -> None:
        ready.wait(LONG)
        try:
            lifetime.wait(LONG)
        except RunEnded as error:
            woken.append(error.cause)

    threads = [threading.Thread(target=wait, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    ready.wait(LONG)
    lifetime.end("SIGINT")
    for thread in threads:
        thread.join(LONG / 2)
    assert woken == ["the run was ended: SIGINT"] * 3


def test_the_end_wakes_who_knows_no_lifetime() -> None:
    """What was registered is called once, by whoever ends the run; after the end it is called at once."""
    lifetime, called = Lifetime(), list[str]()
    lifetime.at_end(lambda: called.append(lifetime.reason or "too early"))
    assert called == []
    lifetime.end("SIGINT")
    lifetime.end("SIGTERM")
    assert called == ["SIGINT"]
    lifetime.at_end(lambda: called.append("at once"))
    assert called == ["SIGINT", "at once"]
