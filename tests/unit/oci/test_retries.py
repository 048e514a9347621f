from __future__ import annotations

import email.utils
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import ExitCode, NotVisibleYet, ProxyUnusable, RegistryFailed
from runner.oci.messages import Request, TransientFailure, Wait
from runner.oci.patience import BUDGETS, Patience
from runner.oci.retries import RetryPolicy, read_retry_after, repeat
from testbed.memory.lifetime import MemoryLifetime

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.errors import ReleaseError

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("0", 0.0),
        ("17", 17.0),
        (" 17 ", 17.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("²", None),
        (email.utils.formatdate(NOW + 90, usegmt=True), 90.0),
        (email.utils.formatdate(NOW - 90, usegmt=True), 0.0),
        ("Fri, 99 Foo 2027 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, expected: float | None) -> None:
    """Both forms of Retry-After are read, a past date is now, and anything else is as if it were not there."""
    assert read_retry_after(value, NOW) == expected


@given(st.floats(-86400, 86400), st.text(max_size=30))
def test_a_date_counts_from_the_answers_own(skew: float, garbled: str) -> None:
    """However wrong this machine's clock is, the pause is what the host's clock says; without that, this one counts."""
    wanted, answered = (email.utils.formatdate(NOW + seconds, usegmt=True) for seconds in (20, 0))
    assert read_retry_after(wanted, NOW + skew, date=answered) == 20.0
    if email.utils.parsedate(garbled) is None:
        assert read_retry_after(wanted, NOW, date=garbled) == 20.0


@given(st.text(max_size=30))
def test_any_retry_after_can_be_read(value: str) -> None:
    """No header makes reading Retry-After fail, and no wait is negative."""
    seconds = read_retry_after(value, NOW)
    assert seconds is None or seconds >= 0


@given(st.integers(1, 10_000), st.none() | st.floats(0, 1e9), st.floats(0, 1, exclude_max=True))
def test_pauses_stay_within_their_limits(failures: int, retry_after: float | None, chance: float) -> None:
    """A pause is at least half of what doubling gives, and never longer than its limit."""
    policy = RetryPolicy()
    pause = policy.pause(failures, retry_after, chance)
    if retry_after is not None:
        assert pause == min(retry_after, policy.longest_retry_after)
    else:
        assert policy.first_pause / 2 <= pause <= policy.longest_pause


def test_pauses_double() -> None:
    """Without chance, each pause is twice the one before, up to the longest."""
    policy = RetryPolicy(first_pause=0.5, longest_pause=3.0)
    assert [policy.pause(n, None, 0.0) for n in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]


REQUEST = Request("GET", "https://registry.example/v2/a/manifests/t?_state=hunter2")


def failing(*failures: TransientFailure) -> Callable[[int], str]:
    """A step whose attempts fail so, the last of these for ever."""

    def step(attempt: int) -> str:
        raise failures[min(attempt, len(failures)) - 1]

    return step


def ended_by(
    step: Callable[[int], str], lifetime: MemoryLifetime, error: type[ReleaseError] = RegistryFailed
) -> ReleaseError:
    """Repeat a step as a run does by default; what it ends with."""
    with pytest.raises(error) as raised:
        repeat(step, RetryPolicy(), Patience(lifetime, clock=lifetime.now, chance=lambda: 0.0))
    return raised.value


@pytest.mark.parametrize("wait", Wait)
def test_budget_of_each_kind(wait: Wait) -> None:
    """A fault that lasts is waited for until its kind's budget is used up, and no longer."""
    lifetime = MemoryLifetime()
    error = ended_by(failing(TransientFailure(REQUEST, "HTTP 503", wait=wait)), lifetime)
    assert lifetime.now() == pytest.approx(BUDGETS[wait])
    assert f"{BUDGETS[wait]:.0f} s" in error.cause
    assert "hunter2" not in error.cause


def test_budget_is_the_runs() -> None:
    """What one step has waited is not there for the next."""
    lifetime = MemoryLifetime()
    patience = Patience(lifetime, clock=lifetime.now, chance=lambda: 0.0)
    for _ in range(2):
        with pytest.raises(RegistryFailed):
            repeat(failing(TransientFailure(REQUEST, "HTTP 503")), RetryPolicy(), patience)
    assert lifetime.now() == BUDGETS[Wait.SERVER_ERROR]


def test_kinds_that_come_together() -> None:
    """Faults of different kinds each use up their own budget; the one that is used up first ends the step."""
    lifetime = MemoryLifetime()
    reset, busy = (TransientFailure(REQUEST, wait.name, wait=wait) for wait in (Wait.CONNECTION, Wait.SERVER_ERROR))

    def step(attempt: int) -> str:
        raise busy if attempt % 3 else reset

    assert ended_by(step, lifetime).cause.endswith("SERVER_ERROR")
    assert lifetime.now() > BUDGETS[Wait.SERVER_ERROR]


@pytest.mark.parametrize(("attempts", "words"), [(1, "failed once: "), (2, "failed 2 times, the last 0 s after ")])
def test_hopeless_failure(attempts: int, words: str) -> None:
    """What cannot get better is tried only as often as it takes to be sure."""
    calls: list[int] = []

    def step(attempt: int) -> str:
        calls.append(attempt)
        raise TransientFailure(REQUEST, "refused", attempts=attempts, remedy="Start it.", error=ProxyUnusable)

    error = ended_by(step, MemoryLifetime(), ProxyUnusable)
    assert calls == list(range(1, attempts + 1))
    assert words in error.cause
    assert error.remedy == "Start it."


def test_other_failures_before_a_hopeless_one() -> None:
    """Failures of another sort do not count among the hopeless ones."""
    calls: list[int] = []
    busy = TransientFailure(REQUEST, "HTTP 503")

    def step(attempt: int) -> str:
        calls.append(attempt)
        raise busy if attempt < 4 else TransientFailure(REQUEST, "unknown host", attempts=2)

    ended_by(step, MemoryLifetime())
    assert calls == [1, 2, 3, 4, 5]


def test_wish_for_a_pause_beyond_the_budget() -> None:
    """Where a registry wishes a longer pause than the run has left, there is no attempt before that: it gives up."""
    lifetime = MemoryLifetime()
    ended_by(failing(TransientFailure(REQUEST, "HTTP 503", retry_after=45.0)), lifetime)
    assert lifetime.now() == 45.0


def test_rate_limit_pauses_the_host() -> None:
    """A host that says it gets too many requests is left alone by every other step, too."""
    lifetime = MemoryLifetime()
    patience = Patience(lifetime, clock=lifetime.now, chance=lambda: 0.0)
    seen: list[float] = []

    def step(attempt: int) -> str:
        if attempt == 1:
            raise TransientFailure(REQUEST, "HTTP 429", retry_after=9.0, wait=Wait.RATE_LIMITED)
        patience.pause_host("registry.example", 4.0, "HTTP 429")
        patience.await_host("registry.example")
        seen.append(lifetime.now())
        return "done"

    assert repeat(step, RetryPolicy(), patience) == "done"
    assert seen == [13.0]


def test_pushed_but_not_visible() -> None:
    """What does not show in time is told apart from what failed, and a rerun is the remedy."""
    failure = TransientFailure(REQUEST, "HTTP 404", wait=Wait.NOT_VISIBLE, error=NotVisibleYet)
    error = ended_by(failing(failure), MemoryLifetime(), NotVisibleYet)
    assert error.cause == ("GET registry.example/v2/a/manifests/t: pushed, but not yet visible after 300 s: HTTP 404")
    assert error.exit_code is ExitCode.REGISTRY_FAILED


def test_time_outs_count() -> None:
    """A host that never answers is given up after as many time-outs as the run has time for."""
    lifetime = MemoryLifetime()
    calls: list[int] = []

    def step(attempt: int) -> str:
        calls.append(attempt)
        lifetime.wait(30.0)
        raise TransientFailure(REQUEST, "no answer", wait=Wait.CONNECTION, waited=30.0)

    ended_by(step, lifetime)
    assert len(calls) == 3
    assert lifetime.now() < BUDGETS[Wait.CONNECTION] + 30.0
