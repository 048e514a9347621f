"""The node: registers itself, takes every unassigned pod, and runs each to its end."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Any

import kubernetes
from kubernetes.client.exceptions import ApiException

from testbed.node.api import GONE, Cluster
from testbed.node.engine import Engine, NoContainer
from testbed.node.logs import LogRequest, NoLog, log_server, make_certificate
from testbed.node.status import no_log
from testbed.node.volumes import remove_volumes
from testbed.node.worker import Site, Worker, now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


HEARTBEAT_SECONDS = 10.0
RETRY_SECONDS = 1.0
PODS = 50


class Agent:
    """One node of a cluster, until ``stop`` is called."""

    def __init__(
        self, cluster: Cluster, engine: Engine, *, name: str, data: Path, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self._cluster, self._engine, self._name, self._data, self._tell = cluster, engine, name, data, tell
        self._workers: dict[str, Worker] = {}
        self._leaving: list[Worker] = []
        """Those of pods that the apiserver has no more, until their containers are gone, too."""
        self._pods: dict[tuple[str, str], dict[str, Any]] = {}
        self._stopped = threading.Event()
        self._taking = threading.Lock()
        self._watch = kubernetes.watch.Watch()

    def stop(self) -> None:
        """End the node; may be called from any thread and more than once."""
        self._stopped.set()
        self._watch.stop()

    def run(self, address: tuple[str, int], *, ready: Callable[[int], None] = lambda _: None) -> None:
        """Be a node, and leave nothing behind: containers, volumes and the Node go.

        Args:
            address: host and port for logs; port 0 takes a free one.
            ready: called with the port, once the node takes pods.

        Raises:
            OSError: the port is taken.
            ApiException: the apiserver does not take the node.
        """
        self._engine.remove_all()
        certificate = make_certificate(self._data / "certificate", address[0])
        site = Site(self._cluster, self._engine, self._data, self._name, address[0], self._tell)
        with log_server(address, certificate, self._open_log) as port:
            self._cluster.register(self._node(address[0], port))
            heart = threading.Thread(target=self._beat, args=(address[0], port), name="heartbeat", daemon=True)
            heart.start()
            pods = threading.Thread(target=self._follow, args=(site,), name="pods", daemon=True)
            pods.start()
            ready(port)
            try:
                self._stopped.wait()
            finally:
                self.stop()
                # Whoever takes a pod at this moment has taken it by now, and nobody takes another.
                with self._taking:
                    workers = [*self._workers.values(), *self._leaving]
                for worker in workers:
                    worker.abandon()
                self._engine.remove_all()
                remove_volumes(self._data / "pods")
                heart.join()
                with contextlib.suppress(ApiException, OSError):
                    self._cluster.unregister(self._name)

    def _beat(self, address: str, port: int) -> None:
        while not self._stopped.wait(HEARTBEAT_SECONDS):
            try:
                self._cluster.heartbeat(self._name, self._node(address, port)["status"])
            except Exception as error:  # noqa: BLE001  # the next beat may succeed
                self._tell(f"heartbeat: {error}")

    def _follow(self, site: Site) -> None:
        while not self._stopped.is_set():
            try:
                found, version = self._cluster.pods()
                self._take_all(site, found)
                for kind, document in self._cluster.changes(version, self._watch):
                    self._take(site, kind, document)
            except ApiException as error:
                if error.status != GONE:
                    self._failed(error)
            except Exception as error:  # noqa: BLE001  # the apiserver may be away for a while
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        if not self._stopped.wait(RETRY_SECONDS):
            self._tell(f"pods: {type(error).__name__}: {error}; asked again")

    def _take_all(self, site: Site, found: list[dict[str, Any]]) -> None:
        uids = {one["metadata"]["uid"] for one in found}
        for uid, worker in self._workers.items():
            if uid not in uids:
                worker.gone()
        for document in found:
            self._take(site, "ADDED", document)

    def _take(self, site: Site, kind: str, document: dict[str, Any]) -> None:
        with self._taking:
            if not self._stopped.is_set():
                self._take_one(site, kind, document)

    def _take_one(self, site: Site, kind: str, document: dict[str, Any]) -> None:
        about = document["metadata"]
        key, uid = (about["namespace"], about["name"]), about["uid"]
        if kind == "DELETED":
            self._pods.pop(key, None)
            worker = self._workers.pop(uid, None)
            if worker is not None:
                worker.gone()
                self._leaving = [one for one in (*self._leaving, worker) if one.working]
            return
        self._pods[key] = document
        node = document["spec"].get("nodeName")
        if not node:
            if "deletionTimestamp" not in about:
                self._cluster.bind(*key, self._name)
            return
        if node != self._name:
            return
        if uid in self._workers:
            self._workers[uid].changed(document)
        else:
            self._workers[uid] = Worker(site, document)
            self._workers[uid].start()

    @contextlib.contextmanager
    def _open_log(self, request: LogRequest) -> Iterator[Iterator[bytes]]:
        document = self._pods.get((request.namespace, request.pod))
        if document is None:
            raise NoLog(f'pod "{request.pod}" is not on this node')
        try:
            with self._engine.logs(document["metadata"]["uid"], request.container, follow=request.follow) as chunks:
                yield chunks
        except NoContainer as error:
            worker = self._workers.get(document["metadata"]["uid"])
            state = None if worker is None else worker.waits_for(request.container)
            raise NoLog(no_log(request.pod, request.container, state)) from error

    def _node(self, address: str, port: int) -> dict[str, Any]:
        resources = {"cpu": str(os.cpu_count()), "memory": f"{_memory()}", "pods": str(PODS)}
        time = now()
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": self._name,
                "labels": {"kubernetes.io/hostname": self._name, "kubernetes.io/os": "linux"},
            },
            "status": {
                "capacity": resources,
                "allocatable": resources,
                "addresses": [{"type": "InternalIP", "address": address}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
                "conditions": [
                    {
                        "type": "Ready",
                        "status": "True",
                        "reason": "NodeReady",
                        "message": "the node takes pods",
                        "lastHeartbeatTime": time,
                        "lastTransitionTime": time,
                    }
                ],
                "nodeInfo": {
                    "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
                    "bootID": "",
                    "containerRuntimeVersion": self._engine.version,
                    "kernelVersion": os.uname().release,
                    "kubeProxyVersion": "",
                    "kubeletVersion": "",
                    "machineID": "",
                    "operatingSystem": "linux",
                    "osImage": "",
                    "systemUUID": "",
                },
            },
        }


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
