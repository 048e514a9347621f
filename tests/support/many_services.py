"""Many services released to one ECR Public that has its quotas, checked: by one process, and each by its own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from testbed.soak.many_services import (
    a_job_for_each,
    incomplete,
    load_of,
    one_job,
    open_account,
    refused_for_good,
    run_together,
    service_names,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from testbed.ecr_public.harness import EcrPublic
    from testbed.soak.figures import Load
    from testbed.soak.many_services import Job, Measured

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
QUOTA = 10
"""Uploads that ECR Public lets an account complete in a second."""
ONCE = ("ssm:GetParameter", "sts:AssumeRole", "ecr-public:GetAuthorizationToken")
"""What a run asks AWS for, whatever it releases."""
MEMORY_RATIO = 1.25
"""How much more memory a process may need for many services than for some.

Both have the same modules loaded and the same number of services in work at once. What a service leaves behind is its
part of the record and some names, less than 20 kB; the rest is what the allocator keeps in pieces. A process that held
on to the images would need, of this sample, some 3 MiB more for each service: for 77 three times what it has.
"""


MOST_THREADS = 32
"""Eight services are read at once, each of them by two threads of its own, beside the main and the worker thread."""
MOST_FILES = 64
"""Connections of these threads, pipes of children, the log; that is, none that stays open for each service."""
MOST_REFUSED = 5
"""Reads that are refused until one is answered again: pauses begin with a quarter of a second, and double."""
BOTH = "linux/amd64, linux/arm64"
"""What images are built for in production."""


def check_one_process(
    folder: Path, moto: str, request: pytest.FixtureRequest, *, some: int, many: int, platforms: str = BOTH
) -> None:
    """Check a process that releases many services against one that releases some, and report the figures.

    Args:
        folder: an empty folder.
        moto: ``HOST:PORT`` of a moto server.
        request: the test's, for the figures.
        some: how many the process releases that memory and requests are compared with.
        many: how many the other one releases.
        platforms: what is built for, as jobs.yaml lists it.
    """
    few = _one_process(folder / "some", moto, some, platforms)
    load = _one_process(folder / "many", moto, many, platforms)
    report(request, few, load)
    assert load.memory <= few.memory * MEMORY_RATIO, (few, load)
    assert load.threads <= MOST_THREADS, load
    assert load.files <= MOST_FILES, load
    # What is asked once for a run counts less, the more services it has: so nothing is asked again and again.
    assert load.requests / load.services <= few.requests / few.services, (few, load)


def _one_process(folder: Path, moto: str, count: int, platforms: str) -> Load:
    names = service_names(count)
    with open_account(folder / "ecr", aws=moto) as ecr:
        jobs = (one_job(folder / "job", ecr, names, platforms),)
        load = _release(ecr, jobs, folder / "run")
        # One process alone keeps the quota: the registry, which counts each second anew, had nothing to refuse.
        assert load.refused == 0, load
        assert load.completions <= QUOTA
        done = Counter(action for call in ecr.recorded for action in call.actions)
        assert {action: done[action] for action in ONCE} == dict.fromkeys(ONCE, 1)
        assert done["ecr-public:CreateRepository"] == 2 * count
        ecr.recorder.clear()
        [again] = run_together(ecr, jobs, folder / "rerun")
        assert (again.ended.code, "nothing to send" in again.ended.lines[-1]) == (0, True), again.ended.out
        assert not [call for call in ecr.recorded if call.server == "registry" and call.method in WRITES]
        assert not [call for call in ecr.recorded if "ecr-public:CreateRepository" in call.actions]
    return load


def check_processes(
    folder: Path,
    moto: str,
    request: pytest.FixtureRequest,
    *,
    processes: int,
    quota: int = QUOTA,
    platforms: str = BOTH,
) -> None:
    """Check processes that each release a service at the same time, and report the figures.

    Args:
        folder: an empty folder.
        moto: ``HOST:PORT`` of a moto server.
        request: the test's, for the figures.
        processes: how many.
        quota: how many uploads the account may complete in a second.
        platforms: what is built for, as jobs.yaml lists it.
    """
    with open_account(folder / "ecr", aws=moto) as ecr:
        ecr.switch(completions_per_second=quota)
        jobs = a_job_for_each(folder / "jobs", ecr, service_names(processes), platforms)
        load = _release(ecr, jobs, folder / "runs")
    report(request, load)
    # Each process keeps the quota for itself, so that all of them together meet it.
    assert load.refused > 0, load
    assert load.completions == quota


def check_reads_without_a_login(folder: Path, moto: str, *, services: int, platforms: str) -> None:
    """Check that a process which reads more names than may be read in a second without a login is hardly refused.

    Args:
        folder: an empty folder.
        moto: ``HOST:PORT`` of a moto server.
        services: how many it releases, each with three manifests that are read.
        platforms: what is built for, as jobs.yaml lists it.
    """
    with open_account(folder / "ecr", aws=moto) as ecr:
        ecr.switch(anonymous_pulls_per_second=1)
        jobs = (one_job(folder / "job", ecr, service_names(services), platforms),)
        load = _release(ecr, jobs, folder / "run")
    # The first one that is refused shows that there is a quota; it may be refused again until its second is over.
    assert 0 < load.refused <= MOST_REFUSED < 3 * services, load


def _release(ecr: EcrPublic, jobs: Sequence[Job], folder: Path) -> Load:
    """Run the jobs at once; each must end well, whatever was refused meanwhile, and all that they name be there."""
    runs = run_together(ecr, jobs, folder)
    for run in runs:
        assert_released(run)
    assert refused_for_good(ecr.recorded) == []
    assert [problem for job in jobs for problem in incomplete(ecr, job.services)] == []
    return load_of(ecr, jobs, runs)


def assert_released(run: Measured) -> None:
    """A run that ended with 0, without a line or a record of an error, and that wrote every name of its plan."""
    ended = run.ended
    assert (ended.code, ended.errors, ended.record["errors"]) == (0, [], []), ended.out + ended.err
    assert {(entry["action"], entry["written"]) for entry in ended.record["entries"]} == {("publish", True)}


def report(request: pytest.FixtureRequest, *loads: Load) -> None:
    """Print the figures at the end of the tests, and hand them to who writes them down."""
    for load in loads:
        request.node.user_properties += [("counted", str(load)), ("load", load.document())]
