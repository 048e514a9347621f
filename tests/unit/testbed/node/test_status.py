"""What the node does next with a pod's containers, and what it says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.node.pod import Pod, read_pod
from testbed.node.pod_documents import pod, shell
from testbed.node.status import (
    Ending,
    Running,
    State,
    Terminated,
    Waiting,
    ended_reason,
    no_log,
    phase,
    pod_status,
    termination_message,
    waiting,
    with_times,
)
from testbed.node.sync import Signal, Start, Step, is_over, next_steps

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNS = Running("2026-01-01T00:00:00Z", "docker://1", "docker-pullable://i@sha256:1")
DONE = Terminated(0, "Completed")
FAILED = Terminated(1, "Error", "it broke")
TIME = "2026-01-01T00:00:00Z"
DELETED = Ending("", "", 5)
EVICTED = Ending("Evicted", "low on memory", 2)


def job() -> Pod:
    """A pod as Prow makes them: two init containers, then two side by side."""
    first = [shell(name, "true", "i") for name in ("clonerefs", "initupload")]
    document = pod("job", shell("test", "true", "i"), shell("sidecar", "true", "i"), initContainers=first)
    document["metadata"]["uid"] = "u-1"
    return read_pod(document)


def steps(states: Mapping[str, State], ending: Ending | None = None, **more: Any) -> list[str | Signal]:
    found: tuple[Step, ...] = next_steps(job(), states, ending, **{"told": frozenset(), "late": False, **more})
    return [step.container.name if isinstance(step, Start) else step for step in found]


def conditions(status: Mapping[str, Any]) -> dict[str, tuple[str | None, ...]]:
    return {one["type"]: (one["status"], one["reason"], one["message"]) for one in status["conditions"]}


def unready(*names: str) -> tuple[str, str, str]:
    return ("False", "ContainersNotReady", f"containers with unready status: [{' '.join(names)}]")


def test_init_containers_run_one_after_the_other() -> None:
    """The next init container starts when the one before has ended well, and the others wait for all of them."""
    assert steps({}) == ["clonerefs"]
    assert steps({"clonerefs": RUNS}) == []
    assert steps({"clonerefs": DONE}) == ["initupload"]
    assert steps({"clonerefs": DONE, "initupload": Waiting("ErrImageNeverPull")}) == ["initupload"]
    assert steps({"clonerefs": DONE, "initupload": DONE}) == ["test", "sidecar"]
    assert steps({"clonerefs": DONE, "initupload": DONE, "test": RUNS}) == ["sidecar"]


def test_a_failed_init_container_ends_the_pod() -> None:
    """After an init container that failed nothing starts, and the pod has failed."""
    states: dict[str, State] = {"clonerefs": FAILED}
    assert steps(states) == []
    assert is_over(job(), states, None)
    assert phase(job(), states, None) == "Failed"


def test_a_pod_that_ends_gets_term_then_kill() -> None:
    """All that runs gets TERM once, and KILL when the grace period is over; nothing starts any more."""
    states: dict[str, State] = {"clonerefs": DONE, "initupload": DONE, "test": RUNS, "sidecar": RUNS}
    assert steps(states, DELETED) == [Signal("test", "TERM"), Signal("sidecar", "TERM")]
    assert steps(states, DELETED, told=frozenset({"test"})) == [Signal("sidecar", "TERM")]
    assert steps({**states, "test": DONE}, DELETED, late=True) == [Signal("sidecar", "KILL")]
    assert steps({"clonerefs": DONE}, DELETED) == []
    assert not is_over(job(), states, DELETED)
    assert is_over(job(), {"clonerefs": DONE}, DELETED)


@pytest.mark.parametrize(
    ("regular", "ending", "expected"),
    [
        ({}, None, "Pending"),
        ({"test": RUNS}, None, "Running"),
        ({"test": DONE, "sidecar": RUNS}, None, "Running"),
        ({"test": DONE, "sidecar": DONE}, None, "Succeeded"),
        ({"test": FAILED, "sidecar": DONE}, None, "Failed"),
        ({"test": DONE, "sidecar": DONE}, DELETED, "Succeeded"),
        ({"test": FAILED, "sidecar": DONE}, DELETED, "Failed"),
        ({"test": RUNS, "sidecar": RUNS}, EVICTED, "Running"),
        ({"test": DONE, "sidecar": DONE}, EVICTED, "Failed"),
        ({}, DELETED, "Failed"),
    ],
)
def test_phases(regular: dict[str, State], ending: Ending | None, expected: str) -> None:
    """A pod's phase follows from its containers, and from why it is ended."""
    assert phase(job(), {"clonerefs": DONE, "initupload": DONE, **regular}, ending) == expected


def test_a_pod_is_pending_while_it_is_made_ready() -> None:
    """While an init container runs, the pod is pending and its containers say what they wait for."""
    status = pod_status(job(), {"clonerefs": RUNS}, None, address="127.0.0.1", started=TIME, mounted=True)
    assert status["phase"] == "Pending"
    assert [one["state"] for one in status["containerStatuses"]] == [{"waiting": {"reason": "PodInitializing"}}] * 2
    assert status["initContainerStatuses"][0]["state"] == {"running": {"startedAt": RUNS.started}}
    incomplete = "containers with incomplete status: [clonerefs initupload]"
    assert conditions(status) == {
        "PodReadyToStartContainers": ("True", None, None),
        "Initialized": ("False", "ContainersNotInitialized", incomplete),
        "Ready": unready("test", "sidecar"),
        "ContainersReady": unready("test", "sidecar"),
        "PodScheduled": ("True", None, None),
    }


@pytest.mark.parametrize(
    ("regular", "mounted", "expected"),
    [
        ({"test": RUNS, "sidecar": RUNS}, True, {"Ready": ("True", None, None), "Initialized": ("True", None, None)}),
        ({"test": DONE, "sidecar": DONE}, True, {"Initialized": ("True", "PodCompleted", None)}),
        ({"test": DONE, "sidecar": DONE}, True, {"Ready": ("False", "PodCompleted", None)}),
        ({"test": FAILED, "sidecar": DONE}, True, {"Ready": ("False", "PodFailed", None)}),
        ({"test": FAILED, "sidecar": DONE}, True, {"PodReadyToStartContainers": ("False", None, None)}),
        ({}, False, {"PodReadyToStartContainers": ("False", None, None)}),
        ({"test": DONE, "sidecar": RUNS}, True, {"Ready": unready("test")}),
    ],
)
def test_conditions(
    regular: dict[str, State], expected: Mapping[str, tuple[str | None, ...]], *, mounted: bool
) -> None:
    """Each condition says whether it holds, and why; what is said no more is taken away from what the apiserver has."""
    states = {"clonerefs": DONE, "initupload": DONE, **regular}
    status = pod_status(job(), states, None, address="127.0.0.1", started=TIME, mounted=mounted)
    assert conditions(status).items() >= expected.items()


def test_times_of_conditions() -> None:
    """A condition keeps its time while it holds, or does not, whatever its reason; one that changes gets a new one."""
    runs: dict[str, State] = {"clonerefs": DONE, "initupload": DONE, "test": RUNS, "sidecar": RUNS}
    early, late = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
    first = with_times(pod_status(job(), runs, None, address="a", started=TIME, mounted=True), (), early)
    assert {one["lastTransitionTime"] for one in first["conditions"]} == {early}
    over: dict[str, State] = {**runs, "test": DONE, "sidecar": DONE}
    second = with_times(
        pod_status(job(), over, None, address="a", started=TIME, mounted=True), first["conditions"], late
    )
    assert {one["type"]: one["lastTransitionTime"] for one in second["conditions"]} == {
        "PodReadyToStartContainers": late,
        "Initialized": early,
        "Ready": late,
        "ContainersReady": late,
        "PodScheduled": early,
    }


def test_containers_are_sorted() -> None:
    """As a kubelet sorts them: init containers as they run, all others by name."""
    status = pod_status(job(), {}, None, address="a", started=TIME, mounted=True)
    assert [one["name"] for one in status["initContainerStatuses"]] == ["clonerefs", "initupload"]
    assert [one["name"] for one in status["containerStatuses"]] == ["sidecar", "test"]


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (Waiting("PodInitializing"), "waiting to start: PodInitializing"),
        (Waiting("CreateContainerConfigError", "no key"), "waiting to start: CreateContainerConfigError"),
        (Waiting("ErrImagePull"), "waiting to start: image can't be pulled"),
        (Waiting("ImagePullBackOff"), "waiting to start: trying and failing to pull image"),
        (FAILED, "terminated"),
        (None, "not available"),
    ],
)
def test_why_there_is_no_log(state: State | None, why: str) -> None:
    """Who asks for the log of a container that was never made is told what it waits for."""
    assert no_log("job", "test", state) == f'container "test" in pod "job" is {why}'


def test_what_a_container_waits_for() -> None:
    """Without more to say, a container waits for init containers, and once they are done, for being made."""
    assert waiting(job(), {}, "clonerefs") == Waiting("PodInitializing")
    assert waiting(job(), {"clonerefs": DONE}, "test") == Waiting("PodInitializing")
    assert waiting(job(), {"clonerefs": DONE, "initupload": DONE}, "test") == Waiting("ContainerCreating")
    assert waiting(job(), {"clonerefs": DONE, "initupload": DONE, "test": FAILED}, "test") == FAILED


def test_a_container_that_failed_says_how() -> None:
    """Exit code, reason, message and times of a container stand in its status."""
    ended = Terminated(3, "Error", "it broke", TIME, TIME, "docker://1", "docker-pullable://i@sha256:1")
    states: dict[str, State] = {"clonerefs": DONE, "initupload": DONE, "test": ended, "sidecar": DONE}
    status = pod_status(job(), states, None, address="127.0.0.1", started=TIME, mounted=True)
    assert status["phase"] == "Failed"
    assert status["containerStatuses"][1]["state"]["terminated"] == {
        "exitCode": 3,
        "reason": "Error",
        "message": "it broke",
        "startedAt": TIME,
        "finishedAt": TIME,
        "containerID": "docker://1",
    }


def test_an_evicted_pod_says_so() -> None:
    """An evicted pod has failed for the reason that Prow looks for."""
    states: dict[str, State] = {"clonerefs": DONE, "initupload": DONE, "test": FAILED, "sidecar": DONE}
    status = pod_status(job(), states, EVICTED, address="127.0.0.1", started=TIME, mounted=True)
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", "Evicted", "low on memory")


@pytest.mark.parametrize(
    ("exit_code", "out_of_memory", "could_not_start", "reason"),
    [
        (0, False, False, "Completed"),
        (1, False, False, "Error"),
        (137, True, False, "OOMKilled"),
        (128, False, True, "StartError"),
    ],
)
def test_reasons(exit_code: int, reason: str, *, out_of_memory: bool, could_not_start: bool) -> None:
    """A container's end has a kubelet's word for it."""
    assert ended_reason(exit_code, out_of_memory=out_of_memory, could_not_start=could_not_start) == reason


def test_messages() -> None:
    """A container's own message comes first; the end of its log stands in only where it failed and may."""
    log = b"".join(b"line %d\n" % number for number in range(1000))
    fallback = "FallbackToLogsOnError"
    assert termination_message(b"mine", log, policy=fallback, failed=True) == "mine"
    assert termination_message(b"", log, policy=fallback, failed=False) == ""
    assert termination_message(b"", log, policy="File", failed=True) == ""
    lines = termination_message(b"", log, policy=fallback, failed=True).splitlines()
    assert (lines[-1], len(lines)) == ("line 999", 80)
    assert len(termination_message(b"", b"x" * 5000, policy=fallback, failed=True)) == 2048
