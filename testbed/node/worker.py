"""One pod, from when the node takes it until nothing of it is left. Runs on a thread of its own."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from testbed.node.engine import Engine, ImageMissing, Look, NotStarted
from testbed.node.plan import NotConfigured, plan_container
from testbed.node.pod import NotHonoured, Pod, read_pod
from testbed.node.status import (
    FALLBACK_LINES,
    Ending,
    Running,
    State,
    Terminated,
    Waiting,
    ended_reason,
    pod_status,
    refused,
    termination_message,
)
from testbed.node.sync import Signal, Start, is_over, next_steps
from testbed.node.volumes import make_message_file, make_volumes, remove_volumes, used

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testbed.node.api import Cluster
    from testbed.node.pod import Container

LOOK_SECONDS = 0.2
"""How often a pod's containers are inspected."""
AGAIN_SECONDS = 2.0
"""How long after a container that cannot be made is tried again."""
MEASURE_SECONDS = 5.0
"""How often a pod's folders are measured."""
EVICTED_GRACE = 2
"""Seconds that an evicted pod has: a kubelet's shortest grace period."""
START_FAILED = 128
KILLED = 137

EVICT = "dev.ack.release.node/evict"
"""The annotation that has a pod evicted; its value becomes the message."""


@dataclass(frozen=True)
class Site:
    """What a pod's worker works with."""

    cluster: Cluster
    engine: Engine
    data: Path
    address: str
    tell: Callable[[str], None]


class Worker:
    """Leads one pod to its end.

    ``changed`` is given what the apiserver says of the pod; ``abandon`` ends the work and leaves the pod as it is.
    """

    def __init__(self, site: Site, document: dict[str, Any]) -> None:
        self._site = site
        self._document = document
        self._wake = threading.Event()
        self._abandoned = False
        self._gone = False
        about = document["metadata"]
        self.uid: str = about["uid"]
        self._namespace, self._name = about["namespace"], about["name"]
        self._folder = site.data / "pods" / self.uid
        self._states: dict[str, State] = {}
        self._seen = _containers_seen(document)
        self._not_before: dict[str, float] = {}
        self._told: set[str] = set()
        self._ending: Ending | None = None
        self._kill_at = 0.0
        self._said: dict[str, Any] = {}
        self._began = document.get("status", {}).get("startTime") or now()
        self._measured = 0.0
        self._thread = threading.Thread(target=self._run, name=f"pod-{self._name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def working(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def changed(self, document: dict[str, Any]) -> None:
        """Take what the apiserver says of the pod now."""
        self._document = document
        self._wake.set()

    def gone(self) -> None:
        """Take that the apiserver has the pod no more: nothing waits for its grace period."""
        self._gone = True
        self._wake.set()

    def abandon(self) -> None:
        """Stop, and leave the pod as it is."""
        self._abandoned = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._abandoned:
            try:
                if self._lead():
                    return
            except Exception as error:  # noqa: BLE001  # whatever it is, the pod's containers are this thread's to end
                self._site.tell(f"pod {self._name}: {type(error).__name__}: {error}; tried again")
                self._wake.wait(AGAIN_SECONDS)

    def _lead(self) -> bool:
        """Lead the pod to its end; return whether it is all over, the Pod object included."""
        try:
            pod = read_pod(self._document)
        except NotHonoured as error:
            self._site.tell(f"pod {self._name}: refused: {error}")
            self._say(refused(str(error), started=self._began))
            return self._wait_for_deletion()
        if self._document.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            while not self._abandoned:
                self._look(pod)
                self._see_endings(pod)
                self._say(pod_status(pod, self._states, self._ending, address=self._site.address, started=self._began))
                if is_over(pod, self._states, self._ending):
                    break
                for step in next_steps(pod, self._states, self._ending, told=frozenset(self._told), late=self._late()):
                    self._do(pod, step)
                self._wake.wait(LOOK_SECONDS)
                self._wake.clear()
            if self._abandoned:
                return False
            self._site.tell(f"pod {self._name}: {self._said['phase']}")
        remove_volumes(self._folder)
        return self._wait_for_deletion()

    def _wait_for_deletion(self) -> bool:
        """Keep the containers, and so their logs, until the pod is deleted."""
        while not self._abandoned:
            if self._gone or "deletionTimestamp" in self._document["metadata"]:
                self._site.engine.remove(self.uid)
                remove_volumes(self._folder)
                self._site.cluster.delete(self._namespace, self._name, self.uid)
                return True
            self._wake.wait()
            self._wake.clear()
        return False

    def _look(self, pod: Pod) -> None:
        for container in pod.containers:
            if isinstance(self._states.get(container.name), Terminated):
                continue
            found = self._site.engine.look(self.uid, container.name)
            if found is None:
                if container.name in self._seen:
                    self._states[container.name] = Terminated(
                        KILLED, "ContainerStatusUnknown", "The container could not be located", ended=now()
                    )
            elif found.running:
                self._seen.add(container.name)
                self._states[container.name] = Running(found.started, found.id, found.image_id)
            elif found.over:
                self._states[container.name] = self._terminated(container, found)

    def _terminated(self, container: Container, found: Look) -> Terminated:
        could_not_start = not found.started
        exit_code = START_FAILED if could_not_start else found.exit_code
        return Terminated(
            exit_code=exit_code,
            reason=ended_reason(exit_code, out_of_memory=found.out_of_memory, could_not_start=could_not_start),
            message=found.error or self._message(container, failed=exit_code != 0),
            started=found.started,
            ended=found.ended,
            id=found.id,
            image_id=found.image_id,
        )

    def _message(self, container: Container, *, failed: bool) -> str:
        file = self._folder / "messages" / container.name
        log = b""
        if failed and container.termination_message_policy == "FallbackToLogsOnError":
            with self._site.engine.logs(self.uid, container.name, tail=FALLBACK_LINES) as chunks:
                log = b"".join(chunks)
        return termination_message(
            file.read_bytes() if file.exists() else b"",
            log,
            policy=container.termination_message_policy,
            failed=failed,
        )

    def _see_endings(self, pod: Pod) -> None:
        about = self._document["metadata"]
        if self._gone:
            self._end(Ending("", "", 0))
        elif "deletionTimestamp" in about:
            self._end(Ending("", "", about.get("deletionGracePeriodSeconds") or 0))
        elif self._ending is None and EVICT in (about.get("annotations") or {}):
            self._end(Ending("Evicted", about["annotations"][EVICT], EVICTED_GRACE))
        elif self._ending is None and (over := self._over_limit(pod)):
            self._end(Ending("Evicted", over, EVICTED_GRACE))
        elif self._ending is None and self._past_deadline(pod):
            message = "Pod was active on the node longer than the specified deadline"
            self._end(Ending("DeadlineExceeded", message, pod.spec.termination_grace_period_seconds))

    def _end(self, ending: Ending) -> None:
        kill_at = time.monotonic() + ending.grace
        if self._ending is None:
            self._site.tell(f"pod {self._name}: {ending.reason or 'deleted'}, ends within {ending.grace} s")
            self._ending, self._kill_at = ending, kill_at
        elif kill_at < self._kill_at:
            self._kill_at = kill_at

    def _late(self) -> bool:
        return self._ending is not None and time.monotonic() >= self._kill_at

    def _past_deadline(self, pod: Pod) -> bool:
        if pod.spec.active_deadline_seconds is None:
            return False
        age = datetime.now(UTC) - datetime.fromisoformat(self._began)
        return age.total_seconds() >= pod.spec.active_deadline_seconds

    def _over_limit(self, pod: Pod) -> str:
        if time.monotonic() < self._measured + MEASURE_SECONDS:
            return ""
        self._measured = time.monotonic()
        for volume in pod.spec.volumes:
            limit = None if volume.empty_dir is None else volume.empty_dir.size_limit
            if limit is not None and used(self._folder / "volumes" / volume.name) > limit:
                return f'Usage of EmptyDir volume "{volume.name}" exceeds the limit of {limit:f} bytes.'
        return ""

    def _do(self, pod: Pod, step: Start | Signal) -> None:
        match step:
            case Start():
                if time.monotonic() >= self._not_before.get(step.container.name, 0.0):
                    self._start(pod, step.container)
            case Signal():
                self._told.add(step.container)
                self._site.engine.signal(self.uid, step.container, step.name)

    def _start(self, pod: Pod, container: Container) -> None:
        try:
            self._create(pod, container)
            self._site.engine.start(self.uid, container.name)
            self._site.tell(f"pod {self._name}: {container.name} started")
        except ImageMissing as error:
            self._wait_with(container, "ErrImageNeverPull", str(error))
        except NotConfigured as error:
            self._wait_with(container, "CreateContainerConfigError", str(error))
        except (NotStarted, NotHonoured) as error:
            self._states[container.name] = Terminated(START_FAILED, "StartError", str(error), ended=now())

    def _create(self, pod: Pod, container: Container) -> None:
        cluster, namespace = self._site.cluster, self._namespace

        def secrets(name: str) -> dict[str, bytes] | None:
            return cluster.secret(namespace, name)

        def config_maps(name: str) -> dict[str, bytes] | None:
            return cluster.config_map(namespace, name)

        volumes = make_volumes(self._folder / "volumes", pod, secrets=secrets, config_maps=config_maps)
        launch = plan_container(
            pod,
            container,
            volumes=volumes,
            message=make_message_file(self._folder / "messages", container.name),
            secrets=secrets,
            config_maps=config_maps,
        )
        for mount, bind in zip(container.volume_mounts, launch.binds[1:], strict=True):
            if mount.sub_path:
                bind.source.mkdir(parents=True, exist_ok=True)
        self._site.engine.create(self.uid, launch)

    def _wait_with(self, container: Container, reason: str, message: str) -> None:
        self._states[container.name] = Waiting(reason, message)
        self._not_before[container.name] = time.monotonic() + AGAIN_SECONDS

    def _say(self, status: dict[str, Any]) -> None:
        if status != self._said:
            self._site.cluster.set_status(self._namespace, self._name, self.uid, status)
            self._said = status


def evict(cluster: Cluster, namespace: str, name: str, message: str = "The node was low on resource: memory.") -> None:
    """Have a pod evicted, as a kubelet does that is short of something: it fails for the reason Evicted.

    Raises:
        ApiException: there is no such pod.
    """
    cluster.annotate(namespace, name, {EVICT: message})


def now() -> str:
    """The time as the apiserver writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _containers_seen(document: dict[str, Any]) -> set[str]:
    status = document.get("status", {})
    said = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    return {one["name"] for one in said if "waiting" not in one.get("state", {"waiting": {}})}
