"""The course of a pod as plain data: what its status, its logs and its events say, but for what differs each time."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, TypeAlias

from kubernetes.client.exceptions import ApiException

from testbed.node.scenarios import ENDED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from testbed.node.api import Cluster
    from testbed.node.scenarios import Scenario

Document: TypeAlias = dict[str, Any]
Course: TypeAlias = dict[str, Any]
"""``phases`` in their order, the last ``status``, ``logs`` by container, and ``events``."""

NAMESPACE = "default"
LONG = 180.0
LOOK_SECONDS = 0.1
SETTLE_SECONDS = 4.0
"""How long a pod may still change that is as wanted: a kubelet looks at its containers once a second."""
STAYS_SECONDS = 1.5
"""How long one must be as wanted that waits; a kubelet takes the next step after some seconds."""
LISTENS_SECONDS = 1.0
"""How long sidecar needs, after it has started, to listen for signals; it says nothing of it."""
FINALIZER = "prow.x-k8s.io/gcsk8sreporter"
"""What crier keeps a pod with until it has read the pod's last status (pkg/crier/reporters/gcs/kubernetes/api)."""

REPLACED = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID"),
    (r"(?:containerd|docker)://[0-9a-f]{64}", "CONTAINER"),
    (r"\.\.\d{4}(?:_\d\d){5}\.\w+", "..VERSION"),
)
OF_THE_RUNTIME = (
    ("StartError", r"^(?:failed to create containerd task: )?(failed to create shim task: .*?)(?:: unknown)?$"),
    ("ImagePullBackOff", r"^(Back-off pulling image \S+: ErrImagePull: ).*$"),
)


class NeverAsWanted(Exception):
    """Pods are not as their scenarios want within the time, or are gone; the message has their last statuses."""


def record(cluster: Cluster, wanted: Sequence[Scenario], *, node: str, **spec: object) -> Mapping[str, Course]:
    """Run scenarios side by side, and return the course of each by its name.

    Args:
        cluster: where they run.
        wanted: which.
        node: the node that they are given to.
        spec: what every pod's spec gets beside its own.

    Raises:
        NeverAsWanted: one of them takes too long.
        ApiException: the apiserver refuses a pod.
    """
    _create_objects(cluster, wanted)
    running: list[_Recording] = []
    for scenario in wanted:
        running.append(_Recording(cluster, scenario))
        running[-1].create(nodeName=node, **spec)
        _look(cluster, running)
    deadline = time.monotonic() + LONG
    while late := [one for one in running if not one.over]:
        if time.monotonic() > deadline:
            raise NeverAsWanted("\n".join(f"{one.name}: {json.dumps(one.statuses[-1:])}" for one in late))
        _look(cluster, late)
        time.sleep(LOOK_SECONDS)
    return {one.name: one.course() for one in running}


def _look(cluster: Cluster, recordings: Sequence[_Recording]) -> None:
    found, _ = cluster.pods()
    statuses = {one["metadata"]["name"]: one["status"] for one in found if one["metadata"]["namespace"] == NAMESPACE}
    for one in recordings:
        if not one.over:
            one.look(statuses.get(one.name))


def _create_objects(cluster: Cluster, wanted: Sequence[Scenario]) -> None:
    create = {
        "Secret": cluster.core.create_namespaced_secret,
        "ConfigMap": cluster.core.create_namespaced_config_map,
    }
    made = {json.dumps(one) for scenario in wanted for one in scenario.objects}
    for document in map(json.loads, sorted(made)):
        create[document["kind"]](NAMESPACE, document)


class _Recording:
    """One scenario, while it runs."""

    def __init__(self, cluster: Cluster, scenario: Scenario) -> None:
        self._cluster, self._scenario = cluster, scenario
        self.name = scenario.name
        self.statuses: list[Document] = []
        self.over = False
        self._logs: dict[str, str] = {}
        self._changed = 0.0
        self._deleted = False

    def create(self, **spec: object) -> None:
        document = self._scenario.pod
        about = document["metadata"]
        if self._scenario.deleted is not None:
            about = {**about, "finalizers": [FINALIZER]}
        answer = self._cluster.core.create_namespaced_pod(
            NAMESPACE, {**document, "metadata": about, "spec": {**document["spec"], **spec}}, _preload_content=False
        )
        self.statuses.append(json.loads(answer.data)["status"])

    def look(self, status: Document | None) -> None:
        if status is None:
            raise NeverAsWanted(f"{self.name} is gone; its last status was {json.dumps(self.statuses[-1:])}")
        if status != self.statuses[-1]:
            self.statuses.append(status)
            self._changed = time.monotonic()
        still = time.monotonic() - self._changed
        if self._scenario.deleted is not None:
            self._lead_to_deletion(status, still, self._scenario.deleted)
        elif self._as_wanted(status) and still > (SETTLE_SECONDS if self._scenario.until == ENDED else STAYS_SECONDS):
            self._read_logs()
            self.over = True

    def _lead_to_deletion(self, status: Document, still: float, grace: int) -> None:
        if not self._deleted:
            if self._as_wanted(status) and still > LISTENS_SECONDS:
                self._read_logs()
                self._deleted = True
                self._cluster.core.delete_namespaced_pod(
                    self.name, NAMESPACE, grace_period_seconds=grace, _preload_content=False
                )
        elif status["phase"] in ("Succeeded", "Failed") and still > SETTLE_SECONDS:
            self._cluster.core.patch_namespaced_pod(
                self.name, NAMESPACE, {"metadata": {"finalizers": None}}, _preload_content=False
            )
            self.over = True

    def _as_wanted(self, status: Document) -> bool:
        states = {one["name"]: one["state"] for one in _containers(status)}
        until = self._scenario.until
        if until == ENDED:
            return status["phase"] in ("Succeeded", "Failed")
        if until.runs:
            return "running" in states.get(until.runs, {})
        if until.told:
            return "startTime" in status and until.told in [one["reason"] for one in self._events()]
        return until.waits in [state["waiting"].get("reason") for state in states.values() if "waiting" in state]

    def _read_logs(self) -> None:
        for one in _containers(self.statuses[-1]):
            if one["name"] not in self._scenario.untold:
                self._logs[one["name"]] = self._log(one["name"])

    def _log(self, container: str) -> str:
        try:
            answer = self._cluster.core.read_namespaced_pod_log(
                self.name, NAMESPACE, container=container, _preload_content=False
            )
        except ApiException as error:
            return f"{error.status}: {json.loads(error.body or '{}').get('message')}"
        return str(answer.data.decode("utf-8", errors="backslashreplace"))

    def _events(self) -> list[Document]:
        answer = self._cluster.core.list_namespaced_event(
            NAMESPACE, field_selector=f"involvedObject.name={self.name}", _preload_content=False
        )
        found: list[Document] = json.loads(answer.data)["items"]
        return found

    def course(self) -> Course:
        last = self.statuses[-1]
        addresses = {last["hostIP"]} if last.get("hostIP") else set()
        told = {
            "phases": _distinct([one["phase"] for one in self.statuses]),
            "status": trimmed_status(last),
            "logs": {name: log.splitlines() for name, log in self._logs.items()},
            "events": sorted({event_line(one) for one in self._events()}),
        }
        course: Course = json.loads(_replaced(json.dumps(told), addresses))
        return course


def trimmed_status(status: Mapping[str, Any]) -> Document:
    """Keep of a pod's status what a kubelet says of any pod like it, whatever its runtime and the version of its API.

    Conditions become ``status reason message`` by type, with a note where the time of their last change is missing.
    Left out are the generation that was observed, what was allocated of resources, the ids and names of images, and the
    words that are the runtime's own.
    """
    kept: Document = {key: status[key] for key in ("phase", "reason", "message", "hostIP", "podIP") if status.get(key)}
    kept["startTime"] = status.get("startTime", "none")
    kept["conditions"] = {one["type"]: _condition(one) for one in status.get("conditions") or []}
    for kind in ("initContainerStatuses", "containerStatuses"):
        if status.get(kind):
            kept[kind] = [_container(one) for one in status[kind]]
    return kept


def _condition(one: Mapping[str, Any]) -> str:
    words = [one["status"], one.get("reason") or "", one.get("message") or ""]
    if not one.get("lastTransitionTime"):
        words.append("(without a time)")
    return " ".join(word for word in words if word)


def _container(one: Mapping[str, Any]) -> Document:
    state = {kind: dict(said) for kind, said in one["state"].items()}
    for said in state.values():
        for reason, own in OF_THE_RUNTIME:
            if said.get("reason") == reason and "message" in said:
                said["message"] = re.sub(own, r"\1", said["message"], flags=re.DOTALL)
    return {
        "name": one["name"],
        "containerID": one.get("containerID", "none"),
        **{key: one[key] for key in ("ready", "started", "restartCount", "lastState")},
        "state": state,
    }


def event_line(event: Mapping[str, Any]) -> str:
    """Write an event on a line: type, reason, what of the pod it is about, and message, but for the runtime's words."""
    message = event["message"]
    message = re.sub(r"^(Failed to pull image \S+: ).*$", r"\1…", message, flags=re.DOTALL)
    message = re.sub(
        r"^(Error: )(?:failed to create containerd task: )?(failed to create shim task: )", r"\1\2", message
    )
    message = re.sub(r": unknown$", "", message)
    about = event["involvedObject"].get("fieldPath") or "the pod"
    return f"{event['type']} {event['reason']}, {about}: {message}"


def _containers(status: Mapping[str, Any]) -> list[Document]:
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _distinct(values: Sequence[str]) -> list[str]:
    return [value for number, value in enumerate(values) if number == 0 or value != values[number - 1]]


def _replaced(text: str, addresses: set[str]) -> str:
    for pattern, word in (*REPLACED, *((re.escape(one), "ADDRESS") for one in addresses)):
        text = re.sub(pattern, word, text)
    return re.sub(r"(.)\1{99,}", lambda run: f"{run[1]} {{{len(run[0])}}}", text)
