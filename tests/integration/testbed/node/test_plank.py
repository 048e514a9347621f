"""Prow's own plank with the node: from a ProwJob to a pod that runs, ends, is aborted or is evicted."""

from __future__ import annotations

import contextlib
import json
import os
import time
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import kubernetes
import pytest

from testbed.node.agent import Agent
from testbed.node.api import Cluster
from testbed.node.engine import Engine
from testbed.node.pod_documents import shell
from testbed.node.worker import evict
from testbed.processes import Argv, started
from testbed.prow.prowjobs import define_prowjobs
from testbed.prow.servers import free_ports
from tests.support.docker import DEBIAN_BASE
from tests.support.nodes import running
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testbed.docker_daemon import DockerDaemon

pytestmark = pytest.mark.exclusive

LONG = 90
PROWJOBS = ("prow.k8s.io", "v1", "default", "prowjobs")
CONFIG = {
    "prowjob_namespace": "default",
    "pod_namespace": "default",
    "plank": {"job_url_prefix_config": {"*": "http://127.0.0.1:8080/view/"}},
}


class Plank:
    """A cluster with a node and Prow's plank."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.jobs: Any = kubernetes.client.CustomObjectsApi(cluster.client)

    def create(self, script: str) -> str:
        """Create a ProwJob that runs a shell script, undecorated, and return its name."""
        name = f"job-{token_hex(4)}"
        job = {
            "apiVersion": "prow.k8s.io/v1",
            "kind": "ProwJob",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "type": "periodic",
                "agent": "kubernetes",
                "cluster": "default",
                "namespace": "default",
                "job": "tested",
                "report": False,
                "pod_spec": {"containers": [shell("test", script, DEBIAN_BASE)]},
            },
            "status": {"state": "triggered", "startTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())},
        }
        self.jobs.create_namespaced_custom_object(*PROWJOBS, job)
        return name

    def job(self, name: str) -> dict[str, Any]:
        """The status of a ProwJob."""
        status: dict[str, Any] = self.jobs.get_namespaced_custom_object(*PROWJOBS, name)["status"]
        return status

    def wait(self, what: Callable[[], bool]) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + LONG
        while not what():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def ended(self, name: str) -> dict[str, Any]:
        """Wait until a ProwJob is complete, and return its status."""
        self.wait(lambda: "completionTime" in self.job(name))
        return self.job(name)

    def runs(self, name: str) -> bool:
        """Whether a ProwJob's pod runs."""
        pod = self.cluster.pod("default", name)
        return pod is not None and pod["status"]["phase"] == "Running"


@pytest.fixture(scope="module")
def plank(kubeconfig: Path, docker: DockerDaemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plank]:
    """Prow's plank and a node."""
    folder = tmp_path_factory.mktemp("plank")
    program = require_tool("prow-controller-manager")
    cluster = Cluster(kubeconfig)
    define_prowjobs(cluster.client)
    (folder / "config.yaml").write_text(json.dumps(CONFIG))
    ports = dict(zip(("health", "metrics", "pprof"), free_ports(3), strict=True))
    argv: Argv = [
        *(program, "--enable-controller=plank", "--dry-run=false", f"--kubeconfig={kubeconfig}"),
        *(f"--config-path={folder / 'config.yaml'}", *(f"--{name}-port={port}" for name, port in ports.items())),
    ]
    with (
        (folder / "log").open("wb") as log,
        contextlib.closing(Engine(docker.host, "planked")) as engine,
        running(Agent(cluster, engine, name="planked", data=folder / "node")),
        started(argv, env={"PATH": os.environ["PATH"]}, output=log),
    ):
        yield Plank(cluster)
    cluster.close()


@pytest.mark.parametrize(("script", "state"), [("true", "success"), ("exit 3", "failure")])
def test_a_prowjob_becomes_a_pod_that_runs(plank: Plank, script: str, state: str) -> None:
    """Plank's pod runs on the node, and its end is that of the ProwJob."""
    assert plank.ended(plank.create(script))["state"] == state


def test_an_aborted_prowjob_has_no_pod(plank: Plank) -> None:
    """An aborted ProwJob's pod is deleted by plank and ended by the node."""
    name = plank.create("trap 'exit 0' TERM; while :; do sleep 0.1; done")
    plank.wait(lambda: plank.runs(name))
    change = {"status": {"state": "aborted"}}
    plank.jobs.patch_namespaced_custom_object(*PROWJOBS, name, change, _content_type="application/merge-patch+json")
    assert plank.ended(name)["state"] == "aborted"
    plank.wait(lambda: plank.cluster.pod("default", name) is None)


def test_an_evicted_prowjob_runs_again(plank: Plank) -> None:
    """After an eviction plank starts the same ProwJob again, in a new pod and with a new build id."""
    name = plank.create("sleep 5")
    plank.wait(lambda: plank.runs(name))
    first = plank.job(name)["build_id"]
    evict(plank.cluster, "default", name)
    last = plank.ended(name)
    assert last["state"] == "success"
    assert last["build_id"] != first
