"""What a node tells of a pod beside its status: the events that Deck shows. Pure; the words are a kubelet's.

A kubelet's words stand in its pkg/kubelet/events, pkg/kubelet/images/image_manager.go and
pkg/kubelet/kuberuntime/kuberuntime_container.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.node.pod import Container, Pod

COMPONENT = "kubelet"


@dataclass(frozen=True)
class Event:
    """One thing that happened to a pod, or to the one of its containers that is named."""

    kind: Literal["Normal", "Warning"]
    reason: str
    message: str
    container: str = ""


def image_is_here(container: Container) -> Event:
    """The image of a container is there."""
    message = f'Container image "{container.image}" already present on machine and can be accessed by the pod'
    return Event("Normal", "Pulled", message, container.name)


def image_never_pulled(container: Container) -> tuple[Event, ...]:
    """The image of a container is not there, and must not be pulled."""
    message = f'Container image "{container.image}" is not present with pull policy of Never'
    return (
        Event("Warning", "ErrImageNeverPull", message, container.name),
        failed(container, "ErrImageNeverPull"),
    )


def image_not_pulled(container: Container, why: str) -> tuple[Event, ...]:
    """The image of a container could not be pulled."""
    return (
        Event("Normal", "Pulling", f'Pulling image "{container.image}"', container.name),
        Event("Warning", "Failed", f'Failed to pull image "{container.image}": {why}', container.name),
        failed(container, "ErrImagePull"),
    )


def image_backs_off(container: Container) -> tuple[Event, ...]:
    """The image of a container could not be pulled, and it takes a while until it is tried again."""
    return (
        Event("Normal", "BackOff", f'Back-off pulling image "{container.image}"', container.name),
        failed(container, "ImagePullBackOff"),
    )


def created(container: Container) -> Event:
    """A container was made."""
    return Event("Normal", "Created", "Container created", container.name)


def started(container: Container) -> Event:
    """A container was started."""
    return Event("Normal", "Started", "Container started", container.name)


def failed(container: Container, why: str) -> Event:
    """A container could not be made or started."""
    return Event("Warning", "Failed", f"Error: {why}", container.name)


def stopping(container: str) -> Event:
    """A container is ended."""
    return Event("Normal", "Killing", f"Stopping container {container}", container)


def not_mounted(volume: str, why: str) -> Event:
    """A volume could not be made."""
    return Event("Warning", "FailedMount", f'MountVolume.SetUp failed for volume "{volume}" : {why}')


def pod_ends(reason: str, message: str) -> Event:
    """The node ends a pod before its containers do."""
    return Event("Warning" if reason == "Evicted" else "Normal", reason, message)


def document(event: Event, pod: Pod, *, node: str, time: str) -> Mapping[str, Any]:
    """Write an event as the apiserver takes it.

    Args:
        event: what happened.
        pod: to which pod.
        node: the node's name.
        time: when, RFC 3339.
    """
    about = {"apiVersion": "v1", "kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid}
    if event.container:
        first = any(one.name == event.container for one in pod.spec.init_containers)
        about["fieldPath"] = f"spec.{'initContainers' if first else 'containers'}{{{event.container}}}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{pod.name}.", "namespace": pod.namespace},
        "type": event.kind,
        "reason": event.reason,
        "message": event.message,
        "involvedObject": about,
        "source": {"component": COMPONENT, "host": node},
        "reportingComponent": COMPONENT,
        "reportingInstance": node,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }
