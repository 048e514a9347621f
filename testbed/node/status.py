"""What a pod's status says, from what is known of its containers. Pure; the words are a kubelet's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from testbed.node.pod import Container, Pod

Phase: TypeAlias = Literal["Pending", "Running", "Succeeded", "Failed"]

MESSAGE_BYTES = 4096
"""Longest termination message of a container (kubelet, MaxPodTerminationMessageLogLength is for all of a pod)."""
NEVER_STARTED = "1970-01-01T00:00:00Z"
"""When a container was started that could not be, as a kubelet says it."""
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
    pod: Pod, states: Mapping[str, State], ending: Ending | None, *, address: str, started: str, mounted: bool
) -> dict[str, Any]:
    """The whole status of a pod, as the apiserver takes it.

    Args:
        pod: the pod.
        states: its containers, each that has begun.
        ending: why it is being ended, if it is.
        address: the node's.
        started: when the node took the pod, RFC 3339.
        mounted: whether its volumes are there, so that containers can be made.
    """
    now = phase(pod, states, ending)
    status: dict[str, Any] = {
        "phase": now,
        "startTime": started,
        "hostIP": address,
        "hostIPs": [{"ip": address}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": _conditions(pod, states, now, mounted=mounted),
        "initContainerStatuses": [_container(one, waiting(pod, states, one.name), first=True) for one in _first(pod)],
        "containerStatuses": [
            _container(one, waiting(pod, states, one.name), first=False)
            # A kubelet sorts them.
            for one in sorted(pod.spec.containers, key=lambda one: one.name)
        ],
    }
    if ending is not None and ending.reason:
        status |= {"reason": ending.reason, "message": ending.message}
    return status


def refused(message: str, *, started: str) -> dict[str, Any]:
    """The status of a pod that this node does not run."""
    return {"phase": "Failed", "reason": "NotHonoured", "message": message, "startTime": started}


def with_times(status: Mapping[str, Any], before: Sequence[Mapping[str, Any]], now: str) -> dict[str, Any]:
    """Add to a status since when each of its conditions is as it is.

    Args:
        status: as ``pod_status`` gives it.
        before: the conditions as they were said last.
        now: the time, RFC 3339.
    """
    known = {(one["type"], one["status"]): one.get("lastTransitionTime") or now for one in before}
    conditions = [
        {**one, "lastTransitionTime": known.get((one["type"], one["status"]), now)} for one in status["conditions"]
    ]
    return {**status, "conditions": conditions}


def no_log(pod: str, container: str, state: State | None) -> str:
    """Say why there is no log of a container that was never made (kubelet, validateContainerLogStatus)."""
    match state:
        case Waiting(reason="ErrImagePull"):
            why = "waiting to start: image can't be pulled"
        case Waiting(reason="ImagePullBackOff"):
            why = "waiting to start: trying and failing to pull image"
        case Waiting(reason=reason):
            why = f"waiting to start: {reason}"
        case Terminated():
            why = "terminated"
        case _:
            why = "not available"
    return f'container "{container}" in pod "{pod}" is {why}'


def waiting(pod: Pod, states: Mapping[str, State], container: str) -> State:
    """The state of a container; of one that nothing is known of yet, what it waits for."""
    first = any(one.name == container for one in _first(pod))
    initialized = all(_succeeded(states, one) for one in _first(pod))
    return states.get(container, Waiting("ContainerCreating" if initialized and not first else "PodInitializing"))


def _conditions(pod: Pod, states: Mapping[str, State], now: Phase, *, mounted: bool) -> list[dict[str, Any]]:
    incomplete = [one.name for one in _first(pod) if not _succeeded(states, one)]
    unready = [one.name for one in pod.spec.containers if not isinstance(states.get(one.name), Running)]
    over = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(now, "")
    ready: tuple[bool, str, str]
    if over:
        ready = (False, over, "")
    elif unready:
        ready = (False, "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    else:
        ready = (True, "", "")
    initialized = (
        (False, "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(incomplete)}]")
        if incomplete
        else (True, "PodCompleted" if now == "Succeeded" else "", "")
    )
    said = {
        "PodReadyToStartContainers": (mounted and not over, "", ""),
        "Initialized": initialized,
        "Ready": ready,
        "ContainersReady": ready,
        "PodScheduled": (True, "", ""),
    }
    # What is not said any more must be taken away: the apiserver merges conditions by their type.
    return [
        {"type": kind, "status": str(holds), "reason": reason or None, "message": message or None}
        for kind, (holds, reason, message) in said.items()
    ]


def _container(container: Container, state: State, *, first: bool) -> dict[str, Any]:
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
