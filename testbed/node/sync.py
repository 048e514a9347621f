"""What to do next with a pod's containers. Pure: from what is known now to what is to be done now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from testbed.node.status import Ending, Running, State, Terminated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.node.pod import Container, Pod


@dataclass(frozen=True)
class Start:
    """Make and start a container."""

    container: Container


@dataclass(frozen=True)
class Signal:
    """Send TERM or KILL to a container."""

    container: str
    name: str


Step: TypeAlias = Start | Signal


def next_steps(
    pod: Pod, states: Mapping[str, State], ending: Ending | None, *, told: frozenset[str], late: bool
) -> tuple[Step, ...]:
    """Say what to do now; nothing while there is only waiting to do.

    Init containers run one after the other, then all others side by side. A pod that ends starts nothing more.

    Args:
        pod: the pod.
        states: its containers, each that has begun.
        ending: why it is being ended, if it is.
        told: the containers that TERM was sent to.
        late: whether the grace period is over.
    """
    if ending is not None:
        running = [name for name, state in states.items() if isinstance(state, Running)]
        if late:
            return tuple(Signal(name, "KILL") for name in running)
        return tuple(Signal(name, "TERM") for name in running if name not in told)
    for container in pod.spec.init_containers:
        state = states.get(container.name)
        if not isinstance(state, Terminated):
            return () if isinstance(state, Running) else (Start(container),)
        if not state.succeeded:
            return ()
    return tuple(
        Start(container)
        for container in pod.spec.containers
        if not isinstance(states.get(container.name), (Running, Terminated))
    )


def is_over(pod: Pod, states: Mapping[str, State], ending: Ending | None) -> bool:
    """Whether nothing of the pod runs and nothing will be started any more."""
    if any(isinstance(state, Running) for state in states.values()):
        return False
    if ending is not None:
        return True
    if any(
        isinstance(state, Terminated) and not state.succeeded
        for state in (states.get(one.name) for one in pod.spec.init_containers)
    ):
        return True
    return all(isinstance(states.get(one.name), Terminated) for one in pod.spec.containers)
