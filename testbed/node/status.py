"""What a pod's status says, from what is known of its containers. Pure; the words are a kubelet's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.node.pod import Container, Pod

Phase: TypeAlias = Literal["Pending", "Running", "Succeeded", "Failed"]

MESSAGE_BYTES = 4096
"""Longest termination message of a container (kubelet, MaxPodTerminationMessageLogLength is for all of a pod)."""
FALLBACK_BYTES = 2048
FALLBACK_LINES = 80
"""Most of a log that stands in for a message (kubelet, MaxContainerTerminationMessageLogLength and -Lines)."""


@dataclass(frozen=True)
class Waiting:
    """It has not started."""

    reason: str
    message: str = ""


@dataclass(frozen=True)
class Running:
    """It runs, since ``started``."""

    started: str
    id: str
    image_id: str


@dataclass(frozen=True)
class Terminated:
    """It has ended, or could not be started. Times are RFC 3339."""

    exit_code: int
    reason: str
    message: str = ""
    started: str = ""
    ended: str = ""
    id: str = ""
    image_id: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether it did what it was started for."""
        return self.exit_code == 0


State: TypeAlias = Waiting | Running | Terminated


@dataclass(frozen=True)
class Ending:
    """Why a pod ends before its containers do.

    ``reason`` is empty for a pod that is deleted: the status then says only how its containers ended.
    """

    reason: str
    message: str
    grace: int


def phase(pod: Pod, states: Mapping[str, State], ending: Ending | None) -> Phase:
    """The phase of a pod.

    Args:
        pod: the pod.
        states: its containers, each that has begun; the others wait.
        ending: why it is being ended, if it is.
    """
    known = [states.get(container.name) for container in pod.containers]
    if any(isinstance(state, Running) for state in known):
        started = any(isinstance(states.get(one.name), (Running, Terminated)) for one in pod.spec.containers)
        return "Running" if started else "Pending"
    if ending is not None and ending.reason:
        return "Failed"
    if any(isinstance(states.get(one.name), Terminated) and not _succeeded(states, one) for one in _first(pod)):
        return "Failed"
    regular = [states.get(container.name) for container in pod.spec.containers]
    if all(isinstance(state, Terminated) for state in regular):
        return "Succeeded" if all(_succeeded(states, one) for one in pod.spec.containers) else "Failed"
    if ending is not None:
        return "Failed"
    return "Running" if any(isinstance(state, Terminated) for state in regular) else "Pending"


def _first(pod: Pod) -> tuple[Container, ...]:
    return pod.spec.init_containers


def _succeeded(states: Mapping[str, State], container: Container) -> bool:
    state = states.get(container.name)
    return isinstance(state, Terminated) and state.succeeded


def pod_status(
    pod: Pod, states: Mapping[str, State], ending: Ending | None, *, address: str, started: str
) -> dict[str, Any]:
    """The whole status of a pod, as the apiserver takes it.

    Args:
        pod: the pod.
        states: its containers, each that has begun.
        ending: why it is being ended, if it is.
        address: the node's.
        started: when the node took the pod, RFC 3339.
    """
    now = phase(pod, states, ending)
    initialized = all(_succeeded(states, one) for one in pod.spec.init_containers)
    ready = now == "Running" and all(isinstance(states.get(one.name), Running) for one in pod.spec.containers)
    why = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(now, "")
    status: dict[str, Any] = {
        "phase": now,
        "startTime": started,
        "hostIP": address,
        "hostIPs": [{"ip": address}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [
            _condition("PodScheduled", True, ""),
            _condition("Initialized", initialized, "" if initialized else "ContainersNotInitialized"),
            _condition("ContainersReady", ready, "" if ready else why or "ContainersNotReady"),
            _condition("Ready", ready, "" if ready else why or "ContainersNotReady"),
        ],
        "initContainerStatuses": [_container(one, states, first=True, waits="PodInitializing") for one in _first(pod)],
        "containerStatuses": [
            _container(one, states, first=False, waits="ContainerCreating" if initialized else "PodInitializing")
            for one in pod.spec.containers
        ],
    }
    if ending is not None and ending.reason:
        status |= {"reason": ending.reason, "message": ending.message}
    return status


def refused(message: str, *, started: str) -> dict[str, Any]:
    """The status of a pod that this node does not run."""
    return {"phase": "Failed", "reason": "NotHonoured", "message": message, "startTime": started}


def _condition(kind: str, holds: bool, reason: str) -> dict[str, Any]:  # noqa: FBT001  # called in one place
    return {"type": kind, "status": str(holds), **({"reason": reason} if reason else {})}


def _container(container: Container, states: Mapping[str, State], *, first: bool, waits: str) -> dict[str, Any]:
    state = states.get(container.name, Waiting(waits))
    given: dict[str, Any] = {
        "name": container.name,
        "image": container.image,
        "imageID": "",
        "restartCount": 0,
        "ready": False,
        "started": False,
    }
    match state:
        case Waiting():
            said = {"reason": state.reason, **({"message": state.message} if state.message else {})}
            given["state"] = {"waiting": said}
        case Running():
            given |= {"ready": True, "started": True, "containerID": state.id, "imageID": state.image_id}
            given["state"] = {"running": {"startedAt": state.started}}
        case Terminated():
            given |= {"containerID": state.id, "imageID": state.image_id} if state.id else {}
            given["ready"] = state.succeeded and first
            ended = {"exitCode": state.exit_code, "reason": state.reason, "message": state.message}
            times = {"startedAt": state.started, "finishedAt": state.ended, "containerID": state.id}
            given["state"] = {"terminated": {key: value for key, value in {**ended, **times}.items() if value != ""}}
    return given


def ended_reason(exit_code: int, *, out_of_memory: bool, could_not_start: bool) -> str:
    """The reason that a container's end is given."""
    if could_not_start:
        return "StartError"
    if out_of_memory:
        return "OOMKilled"
    return "Completed" if exit_code == 0 else "Error"


def termination_message(written: bytes, log: bytes, *, policy: str, failed: bool) -> str:
    """What a container's end says: its own message, or the end of its log where it failed and the policy allows.

    Args:
        written: what the container wrote into its termination message file.
        log: the end of what it printed.
        policy: File or FallbackToLogsOnError.
        failed: whether its exit code was not 0.
    """
    if written:
        return written[:MESSAGE_BYTES].decode("utf-8", errors="replace")
    if not failed or policy != "FallbackToLogsOnError":
        return ""
    lines = log[-FALLBACK_BYTES:].splitlines(keepends=True)[-FALLBACK_LINES:]
    return b"".join(lines).decode("utf-8", errors="replace")
