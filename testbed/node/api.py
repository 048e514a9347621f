"""What this node asks of the apiserver and tells it, as plain JSON. The only caller of the Kubernetes client."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import kubernetes
from kubernetes.client.exceptions import ApiException

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

GONE = 410
"""The apiserver no longer has what happened since the version that a watch asks from."""
NOT_FOUND = 404
CONFLICT = 409
REQUEST_SECONDS = 30
WATCH_SECONDS = 240

Document = dict[str, Any]


class Cluster:
    """One apiserver, as one node sees it."""

    def __init__(self, kubeconfig: Path) -> None:
        self.client = kubernetes.config.new_client_from_config(str(kubeconfig))
        # A pod has a thread of its own, and each of them asks.
        self.client.rest_client.pool_manager.connection_pool_kw["maxsize"] = 50
        # The client's types do not know that it takes plain JSON, and gives it.
        self.core: Any = kubernetes.client.CoreV1Api(self.client)

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()

    def register(self, node: Document) -> None:
        """Create a Node, or take over the one of this name, and set its status.

        Raises:
            ApiException: the apiserver refuses.
        """
        name = node["metadata"]["name"]
        try:
            self.core.create_node(node, _request_timeout=REQUEST_SECONDS)
        except ApiException as error:
            if error.status != CONFLICT:
                raise
        self.heartbeat(name, node["status"])

    def heartbeat(self, name: str, status: Document) -> None:
        """Say that the node is there.

        Raises:
            ApiException: the apiserver refuses.
        """
        self.core.patch_node_status(name, {"status": status}, _request_timeout=REQUEST_SECONDS)

    def unregister(self, name: str) -> None:
        """Take the Node away."""
        self.core.delete_node(name, _request_timeout=REQUEST_SECONDS)

    def pods(self) -> tuple[list[Document], str]:
        """All pods, and the version that they are of."""
        answer = self.core.list_pod_for_all_namespaces(_preload_content=False, _request_timeout=REQUEST_SECONDS)
        found = json.loads(answer.data)
        return found["items"], found["metadata"]["resourceVersion"]

    def changes(self, since: str, watch: kubernetes.watch.Watch) -> Iterator[tuple[str, Document]]:
        """What becomes of pods from a version on: ADDED, MODIFIED or DELETED and the pod, until the watch is over.

        Raises:
            ApiException: among others with status 410, when that version is too old.
        """
        for event in watch.stream(
            self.core.list_pod_for_all_namespaces,
            resource_version=since,
            timeout_seconds=WATCH_SECONDS,
            _request_timeout=WATCH_SECONDS + REQUEST_SECONDS,
        ):
            yield event["type"], event["raw_object"]

    def pod(self, namespace: str, name: str) -> Document | None:
        """A pod as it is now; None where there is none."""
        return self._read(self.core.read_namespaced_pod, namespace, name)

    def bind(self, namespace: str, name: str, node: str) -> None:
        """Give a pod to a node; one that is gone or given already is left.

        Raises:
            ApiException: the apiserver refuses.
        """
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        try:
            # The answer is a Status, which the client would read as a Binding without a target.
            self.core.create_namespaced_pod_binding(
                name, namespace, binding, _preload_content=False, _request_timeout=REQUEST_SECONDS
            )
        except ApiException as error:
            if error.status not in (NOT_FOUND, CONFLICT):
                raise

    def set_status(self, namespace: str, name: str, uid: str, status: Document) -> None:
        """Say how a pod is; one that is gone, or another by now, is left.

        Raises:
            ApiException: the apiserver refuses.
        """
        change = {"metadata": {"uid": uid}, "status": status}
        try:
            self.core.patch_namespaced_pod_status(name, namespace, change, _request_timeout=REQUEST_SECONDS)
        except ApiException as error:
            if error.status not in (NOT_FOUND, CONFLICT):
                raise

    def delete(self, namespace: str, name: str, uid: str) -> None:
        """Say that nothing of a pod is left; one that is gone, or another by now, is left.

        Raises:
            ApiException: the apiserver refuses.
        """
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
        try:
            self.core.delete_namespaced_pod(
                name, namespace, body=options, _preload_content=False, _request_timeout=REQUEST_SECONDS
            )
        except ApiException as error:
            if error.status not in (NOT_FOUND, CONFLICT):
                raise

    def tell(self, namespace: str, event: Mapping[str, Any]) -> None:
        """Create an event.

        Raises:
            ApiException: the apiserver refuses.
        """
        self.core.create_namespaced_event(
            namespace, dict(event), _preload_content=False, _request_timeout=REQUEST_SECONDS
        )

    def annotate(self, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        """Add annotations to a pod.

        Raises:
            ApiException: the apiserver refuses, or there is no such pod.
        """
        change = {"metadata": {"annotations": dict(annotations)}}
        self.core.patch_namespaced_pod(name, namespace, change, _request_timeout=REQUEST_SECONDS)

    def secret(self, namespace: str, name: str) -> dict[str, bytes] | None:
        """The keys of a secret; None where there is none."""
        found = self._read(self.core.read_namespaced_secret, namespace, name)
        return None if found is None else {key: base64.b64decode(one) for key, one in (found.get("data") or {}).items()}

    def config_map(self, namespace: str, name: str) -> dict[str, bytes] | None:
        """The keys of a config map; None where there is none."""
        found = self._read(self.core.read_namespaced_config_map, namespace, name)
        if found is None:
            return None
        binary = {key: base64.b64decode(one) for key, one in (found.get("binaryData") or {}).items()}
        return {**{key: one.encode() for key, one in (found.get("data") or {}).items()}, **binary}

    def _read(self, read: Any, namespace: str, name: str) -> Document | None:  # noqa: ANN401  # the client has no types
        try:
            answer = read(name, namespace, _preload_content=False, _request_timeout=REQUEST_SECONDS)
        except ApiException as error:
            if error.status == NOT_FOUND:
                return None
            raise
        found: Document = json.loads(answer.data)
        return found
