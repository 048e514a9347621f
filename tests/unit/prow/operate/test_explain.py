from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import ExitCode
from runner.prow.operate.explain import (
    NODE,
    NOTHING,
    RERUN,
    Why,
    first,
    from_description,
    from_log,
    from_pod,
    from_record,
    is_waiting,
    needs_explaining,
    next_command,
    pod_in_words,
)
from runner.prow.operate.prowjob import read_prowjob
from testbed.memory.prowjobs import prowjob

JOB = read_prowjob(prowjob())
ERROR = {"code": "build-failed", "cause": "it does not compile", "remedy": "Repair it.", "detail": ["main.go:3"]}


def container(name: str = "test", **state: Any) -> dict[str, Any]:
    return {"name": name, "state": state}


def pod(*containers: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {"spec": {"nodeName": "n1"}, "status": {"phase": "Running", "containerStatuses": [*containers], **status}}


def test_a_record() -> None:
    """A record says the error that decided the exit code."""
    why = from_record({"exit": 6, "error": ERROR})
    assert why == Why("it does not compile", "Repair it.", 6, "build-failed", ("main.go:3",))
    assert from_record({"exit": 0, "error": None}) == Why(exit=0)


def test_the_record_of_a_run_that_was_killed() -> None:
    """A record without an end says where the run stood."""
    steps = [
        {"name": "route", "service": None, "outcome": "passed"},
        {"name": "build", "service": "s3", "outcome": "running"},
        {"name": "build", "service": "sns", "outcome": "running"},
    ]
    why = from_record({"exit": None, "error": None, "steps": steps})
    assert why.cause == "the run was killed during build of s3, build of sns: it reported no end"
    assert why.remedy == RERUN


@pytest.mark.parametrize("record", [None, [], "text", 3])
def test_no_record(record: object) -> None:
    """What is no record says nothing."""
    assert from_record(record) == NOTHING


anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "outcome", "cause"]), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["exit", "error", "steps"]), anything))
def test_whatever_a_record_holds(record: dict[str, Any]) -> None:
    """A record that was written by another version is read all the same."""
    assert isinstance(from_record(record).cause, str)


def test_a_log() -> None:
    """The last error line counts, with the exit code and the error's name that it ends with."""
    lines = [
        "a",
        "ERROR: first. Do. exit=7 code=registry-failed",
        "ERROR: it is so. Do this. exit=6 code=build-failed step=build",
    ]
    assert from_log(lines) == Why("it is so. Do this.", exit=6, code="build-failed")
    assert from_log(["ERROR: of somebody else"]) == Why("of somebody else")
    assert from_log([]) == NOTHING


def test_a_log_without_an_error() -> None:
    """A log without an error line is explained by its end."""
    why = from_log([*map(str, range(30)), "killed", ""])
    assert why.cause == "the log has no ERROR: line; it ends with: killed"
    assert why.detail[-2:] == ("29", "killed")
    assert len(why.detail) == 10


@pytest.mark.parametrize(
    ("document", "cause", "remedy"),
    [
        (
            pod(container(waiting={"reason": "ImagePullBackOff", "message": "no such image"})),
            "the container test waits: ImagePullBackOff: no such image",
            NODE,
        ),
        (pod(container(waiting={"reason": "PodInitializing"})), "", ""),
        (
            pod(container(terminated={"reason": "OOMKilled"})),
            "the kernel killed the container test, which",
            "Raise the job",
        ),
        (pod(container(terminated={"reason": "Error", "exitCode": 6})), "", ""),
        (
            pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3"}]),
            "no node takes the pod: Unschedulable: 0/3",
            NODE,
        ),
        (pod(reason="Evicted", message="low on disk"), "Evicted: low on disk", RERUN),
        (
            pod(initContainerStatuses=[container("clonerefs", waiting={"reason": "ErrImagePull"})]),
            "the container clonerefs waits: ErrImagePull",
            NODE,
        ),
        ({}, "", ""),
        (None, "", ""),
    ],
)
def test_a_pod(document: dict[str, Any] | None, cause: str, remedy: str) -> None:
    """A pod says what keeps it from starting, or what ended it from outside; not how its program ended."""
    why = from_pod(document)
    assert why.cause.startswith(cause)
    assert bool(why.cause) == bool(cause)
    assert why.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("description", "state", "cause", "remedy"),
    [
        ("Job failed.", "failure", "", ""),
        ("Job pod was evicted by the cluster.", "error", "Job pod was evicted by the cluster.", RERUN),
        ("Pod pending timeout.", "error", "Pod pending timeout.", NODE),
        ("Pod can not be created: quota", "error", "Pod can not be created: quota", ""),
        ("anything", "success", "", ""),
    ],
)
def test_what_prow_says(description: str, state: str, cause: str, remedy: str) -> None:
    """What Prow says counts where it says more than the state."""
    job = read_prowjob(prowjob(state=state, description=description))
    assert from_description(job) == Why(cause, remedy)


def test_which_reason_counts() -> None:
    """The first that says anything counts; an exit code alone is kept where nothing does."""
    assert first(NOTHING, Why("a"), Why("b")) == Why("a")
    assert first(Why(exit=0), NOTHING) == Why(exit=0)
    assert first() == NOTHING


@pytest.mark.parametrize(
    ("state", "exit_code", "command"),
    [
        ("pending", None, "jobs logs -f JOB"),
        ("triggered", None, "jobs logs -f JOB"),
        ("success", None, "jobs logs JOB"),
        ("failure", ExitCode.USAGE, "jobs rerun JOB --latest"),
        ("failure", ExitCode.BUILD_FAILED, "jobs logs JOB"),
        ("failure", ExitCode.CONFLICT, "jobs logs JOB"),
        ("failure", ExitCode.REGISTRY_FAILED, "jobs rerun JOB"),
        ("failure", ExitCode.CREDENTIALS, "jobs rerun JOB"),
        ("aborted", ExitCode.ENDED, "jobs rerun JOB"),
        ("error", None, "jobs rerun JOB"),
    ],
)
def test_what_comes_next(state: str, exit_code: int | None, command: str) -> None:
    """A rerun is proposed where it can help."""
    assert next_command(read_prowjob(prowjob(state=state)), Why(exit=exit_code), "JOB") == command


def test_what_needs_explaining() -> None:
    """Whatever did not end well."""
    states = ("failure", "error", "aborted", "success", "pending")
    assert [needs_explaining(read_prowjob(prowjob(state=state))) for state in states] == [True] * 3 + [False] * 2


@pytest.mark.parametrize(
    ("document", "waits"),
    [
        (None, True),
        (pod(), True),
        (pod(container(waiting={"reason": "PodInitializing"})), True),
        (pod(container(running={})), False),
        (pod(container("sidecar", running={})), True),
        (pod(container(terminated={"exitCode": 1})), False),
        (pod(phase="Failed"), False),
    ],
)
def test_whether_it_waits(document: dict[str, Any] | None, *, waits: bool) -> None:
    """A job waits until its own container has started."""
    assert is_waiting(document) == waits


def test_a_pod_in_words() -> None:
    """A pod is told by its phase, how its own container ended, and where it runs."""
    ended = pod(container(terminated={"exitCode": 6}), phase="Failed")
    assert pod_in_words(ended) == "Failed, test exited with 6, on n1"
    assert pod_in_words({"status": {}}) == "unknown"
    assert pod_in_words(None) == ""
