"""One pod, from when the node takes it until nothing of it is left. Runs on a thread of its own."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from testbed.node import events
from testbed.node.engine import Engine, ImageMissing, Look, NotStarted
from testbed.node.plan import NotConfigured, check_not_root, plan_container
from testbed.node.pod import NotHonoured, Pod, read_pod
from testbed.node.status import (
    FALLBACK_LINES,
    NEVER_STARTED,
    Ending,
    Running,
    State,
    Terminated,
    Waiting,
    ended_reason,
    pod_status,
    refused,
    termination_message,
    waiting,
    with_times,
)
from testbed.node.sync import Signal, Start, is_over, next_steps
from testbed.node.volumes import NotMounted, make_message_file, make_part, make_volumes, remove_volumes, used

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
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
NOT_PULLED = "this node pulls no images, and its engine does not have this one"
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
    node: str
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
        self._events: set[events.Event] = set()
        """Those that were told; a kubelet would count how often."""
        self._mounted = False
        self._ending: Ending | None = None
        self._kill_at = 0.0
        self._said: dict[str, Any] = {"conditions": document.get("status", {}).get("conditions", [])}
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
                self._say_status(pod)
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
            started=found.started or NEVER_STARTED,
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
            self._end(Ending("", "", 0), pod)
        elif "deletionTimestamp" in about:
            self._end(Ending("", "", about.get("deletionGracePeriodSeconds") or 0), pod)
        elif self._ending is None and EVICT in (about.get("annotations") or {}):
            self._end(Ending("Evicted", about["annotations"][EVICT], EVICTED_GRACE), pod)
        elif self._ending is None and (over := self._over_limit(pod)):
            self._end(Ending("Evicted", over, EVICTED_GRACE), pod)
        elif self._ending is None and self._past_deadline(pod):
            message = "Pod was active on the node longer than the specified deadline"
            self._end(Ending("DeadlineExceeded", message, pod.spec.termination_grace_period_seconds), pod)

    def _end(self, ending: Ending, pod: Pod) -> None:
        kill_at = time.monotonic() + ending.grace
        if self._ending is None:
            self._site.tell(f"pod {self._name}: {ending.reason or 'deleted'}, ends within {ending.grace} s")
            self._ending, self._kill_at = ending, kill_at
            if ending.reason:
                self._tell(pod, events.pod_ends(ending.reason, ending.message))
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
        for volume in pod.mounted:
            folder = volume.empty_dir
            if folder is None or folder.limit is None:
                continue
            if used(self._folder / "volumes" / volume.name) > folder.limit:
                return f'Usage of EmptyDir volume "{volume.name}" exceeds the limit "{folder.size_limit}". '
        return ""

    def _do(self, pod: Pod, step: Start | Signal) -> None:
        match step:
            case Start():
                if time.monotonic() >= self._not_before.get(step.container.name, 0.0):
                    self._start(pod, step.container)
            case Signal():
                if step.container not in self._told:
                    self._tell(pod, events.stopping(step.container))
                self._told.add(step.container)
                self._site.engine.signal(self.uid, step.container, step.name)

    def _start(self, pod: Pod, container: Container) -> None:
        try:
            volumes = self._volumes(pod)
            self._check_image(pod, container)
            self._create(pod, container, volumes)
        except NotMounted as error:
            self._try_again(container)
            self._tell(pod, events.not_mounted(error.volume, str(error)))
        except ImageMissing:
            self._wait_for_image(pod, container)
        except NotConfigured as error:
            self._wait_with(container, "CreateContainerConfigError", str(error))
            self._tell(pod, events.failed(container, str(error)))
        except NotStarted as error:
            self._wait_with(container, "CreateContainerError", str(error))
            self._tell(pod, events.failed(container, str(error)))
        except NotHonoured as error:
            self._states[container.name] = Terminated(START_FAILED, "StartError", str(error), ended=now())
        else:
            self._start_created(pod, container)

    def _start_created(self, pod: Pod, container: Container) -> None:
        self._tell(pod, events.created(container))
        try:
            self._site.engine.start(self.uid, container.name)
        except NotStarted as error:
            # The next look finds how it ended.
            self._tell(pod, events.failed(container, str(error)))
        else:
            self._tell(pod, events.started(container))
            self._site.tell(f"pod {self._name}: {container.name} started")

    def _secrets(self, name: str) -> dict[str, bytes] | None:
        return self._site.cluster.secret(self._namespace, name)

    def _config_maps(self, name: str) -> dict[str, bytes] | None:
        return self._site.cluster.config_map(self._namespace, name)

    def _volumes(self, pod: Pod) -> Mapping[str, Path]:
        folder = self._folder / "volumes"
        made = make_volumes(folder, pod, secrets=self._secrets, config_maps=self._config_maps)
        self._mounted = True
        return made

    def _check_image(self, pod: Pod, container: Container) -> None:
        self._site.engine.image_user(container.image)
        self._tell(pod, events.image_is_here(container))

    def _wait_for_image(self, pod: Pod, container: Container) -> None:
        if container.image_pull_policy == "Never":
            first, *others = events.image_never_pulled(container)
            self._wait_with(container, "ErrImageNeverPull", first.message)
            self._tell(pod, first, *others)
        elif container.name not in self._states:
            self._wait_with(container, "ErrImagePull", NOT_PULLED)
            self._tell(pod, *events.image_not_pulled(container, NOT_PULLED))
        else:
            first, *others = events.image_backs_off(container)
            self._wait_with(container, "ImagePullBackOff", f"{first.message}: ErrImagePull: {NOT_PULLED}")
            self._tell(pod, first, *others)

    def _create(self, pod: Pod, container: Container, volumes: Mapping[str, Path]) -> None:
        launch = plan_container(
            pod,
            container,
            volumes=volumes,
            message=make_message_file(self._folder / "messages", container.name),
            secrets=self._secrets,
            config_maps=self._config_maps,
        )
        if launch.must_not_be_root:
            check_not_root(pod, container.name, self._site.engine.image_user(container.image))
        for mount, bind in zip(container.volume_mounts, launch.binds[1:], strict=True):
            if mount.sub_path:
                make_part(volumes[mount.name], bind.source)
        self._site.engine.create(self.uid, launch)

    def _wait_with(self, container: Container, reason: str, message: str) -> None:
        self._states[container.name] = Waiting(reason, message)
        self._try_again(container)

    def _try_again(self, container: Container) -> None:
        self._not_before[container.name] = time.monotonic() + AGAIN_SECONDS

    def _tell(self, pod: Pod, *told: events.Event) -> None:
        for event in told:
            if event not in self._events:
                self._events.add(event)
                self._site.cluster.tell(self._namespace, events.document(event, pod, node=self._site.node, time=now()))

    def waits_for(self, container: str) -> State | None:
        """The state of a container that may not be there yet; None where the pod has none of this name."""
        try:
            pod = read_pod(self._document)
        except NotHonoured:
            return None
        if container not in {one.name for one in pod.containers}:
            return None
        return waiting(pod, self._states, container)

    def _say_status(self, pod: Pod) -> None:
        status = pod_status(
            pod, self._states, self._ending, address=self._site.address, started=self._began, mounted=self._mounted
        )
        self._say(with_times(status, self._said.get("conditions", ()), now()))

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
