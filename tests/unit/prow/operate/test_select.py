from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import JobUnknown
from runner.prow.operate.prowjob import STATES, read_prowjob
from runner.prow.operate.select import Wanted, failed_now, find, newest_first, read_duration, select
from testbed.memory.prowjobs import prowjob

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def made(name: str, **given: Any) -> Any:
    return read_prowjob(prowjob(name, **given))


OLD = made("old", started="2026-11-20T08:00:00Z", ref="v1.2.2")
FAILED = made("failed", service="sns")
DONE = made("done", state="success", started="2026-11-28T09:00:00Z", ref="stable")
CHECK = made("check", args=("plan",), state="success")


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Wanted(), ["done", "failed", "old"]),
        (Wanted(everything=True), ["done", "failed", "check", "old"]),
        (Wanted(services=frozenset({"s3"})), ["done", "old"]),
        (Wanted(services=frozenset({"s3-release", "sns"})), ["done", "failed", "old"]),
        (Wanted(states=frozenset({"failure"})), ["failed", "old"]),
        (Wanted(since=timedelta(days=2)), ["done", "failed"]),
        (Wanted(refs=("v1.2.*",)), ["failed", "old"]),
        (Wanted(refs=("stable", "v1.2.2")), ["done", "old"]),
        (Wanted(refs=("v1",)), []),
        (Wanted(services=frozenset({"s3"}), states=frozenset({"failure"}), since=timedelta(hours=1)), []),
    ],
)
def test_filters(wanted: Wanted, names: list[str]) -> None:
    """Each filter leaves out what it does not name; releases only are shown unless all are asked for."""
    assert [job.name for job in select([OLD, FAILED, DONE, CHECK], wanted, NOW)] == names


def test_a_job_without_a_time() -> None:
    """A job that does not say when it was made is the oldest, and not since any time."""
    job = made("x", started="")
    assert newest_first([job, OLD])[-1] is job
    assert select([job], Wanted(since=timedelta(days=10**5)), NOW) == []


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("1h30m", 5400), ("2d", 172800), ("1w", 604800), ("0s", 0)]
)
def test_durations(text: str, seconds: int) -> None:
    """A duration is numbers with their units."""
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "2", "d", "2 d", "-2d", "2d!", "2y", "1.5h", "9999999d"])
def test_what_is_no_duration(text: str) -> None:
    """Anything else is refused, and the message shows what is taken."""
    with pytest.raises(ValueError, match="is not a duration such as 2d"):
        read_duration(text)


def test_what_has_failed_now() -> None:
    """A failure that was run again since is no longer one; what has failed comes in the order of the pushes."""
    again = made("again", service="sns", state="pending", started="2026-11-28T10:00:00Z")
    stable = made("stable", ref="stable", started="2026-11-28T08:30:00Z")
    assert [job.name for job in failed_now([stable, OLD, FAILED, DONE])] == ["old", "failed"]
    assert [job.name for job in failed_now([stable, OLD, FAILED])] == ["old", "failed", "stable"]
    assert [job.name for job in failed_now([FAILED, again])] == []


jobs = st.lists(
    st.builds(
        made,
        st.uuids().map(str),
        service=st.sampled_from(["s3", "sns"]),
        ref=st.sampled_from(["v1.2.3", "stable"]),
        state=st.sampled_from(STATES),
        started=st.integers(0, 23).map(lambda hour: f"2026-11-28T{hour:02}:00:00Z"),
    ),
    max_size=12,
)


@given(jobs)
def test_whatever_failed(given_jobs: list[Any]) -> None:
    """No push is named twice, what is named is the newest run of its push, and all of it has failed."""
    failed = failed_now(given_jobs)
    keys = [(job.job, job.ref) for job in failed]
    assert len(keys) == len(set(keys))
    for job in failed:
        assert job.state in {"failure", "error"}
        assert not [
            other
            for other in given_jobs
            if (other.job, other.ref) == (job.job, job.ref) and other.started > job.started
        ]
    assert failed_now(failed) == failed


UUIDS = ("0b1c5d9e-aaaa", "0b1c5d9e-bbbb", "ffff")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("0b1c5d9e-aaaa", "0b1c5d9e-aaaa"),
        ("0b1c5d9e-b", "0b1c5d9e-bbbb"),
        ("f", "ffff"),
        ("1001", "0b1c5d9e-bbbb"),
        ("https://prow.example/view/s3/prow/logs/s3-release/1002", "ffff"),
        ("https://prow.example/view/s3/prow/logs/s3-release/1002/", "ffff"),
    ],
)
def test_a_name(name: str, found: str) -> None:
    """A job is named by its name or the beginning of it, by its build, or by the address of its page."""
    there = [made(one, build=str(1000 + place)) for place, one in enumerate(UUIDS)]
    assert find(there, name).name == found


@pytest.mark.parametrize("name", ["nobody", "", "https://prow.example/", "100"])
def test_nobody_of_that_name(name: str) -> None:
    """A name that means no job is refused; a build id has to be whole."""
    with pytest.raises(JobUnknown, match="there is no job"):
        find([made(one, build=f"100{place}") for place, one in enumerate(UUIDS)], name)


def test_several_of_that_name() -> None:
    """A name that could mean several jobs is refused with some of them."""
    many = [made(f"0b{number}") for number in range(9)]
    with pytest.raises(JobUnknown) as refused:
        find(many, "0b")
    assert refused.value.cause == "0b could be 9 jobs"
    assert len(refused.value.detail) == 6
    assert refused.value.detail[0] == "0b8 (s3 v1.2.3, failure)"
