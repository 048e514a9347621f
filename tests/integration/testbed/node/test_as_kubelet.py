"""The node gives pods the course that a real kubelet gave them, but for the differences that are named here.

``data/kubelet.json`` was recorded by ``python -m hack.kubelet_oracle``. docs/local-prow.md says what each difference
means for a release.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import pytest

from testbed.node.agent import Agent
from testbed.node.api import Cluster
from testbed.node.courses import Course, record
from testbed.node.engine import Engine
from testbed.node.scenarios import Setting, scenarios
from testbed.paths import ROOT
from testbed.prow.images import build_utility_images
from testbed.served_repository import served_repository
from tests.support.docker import DEBIAN_BASE
from tests.support.nodes import running

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from testbed.docker_daemon import DockerDaemon

pytestmark = pytest.mark.exclusive

NODE = "compared"
RECORDED: Mapping[str, Course] = json.loads((ROOT / "tests/integration/testbed/node/data/kubelet.json").read_bytes())[
    "courses"
]
SERVICE = "KUBERNETES_"
"""How the variables begin that name the apiserver's Service, which this node does not give to containers."""
HOSTS = "/etc/hosts: -rw-r--r-- 0 0 "
"""With a read-only root dockerd mounts this file read-only, too; a kubelet does not."""


@pytest.fixture(scope="module")
def courses(kubeconfig: Path, docker: DockerDaemon, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Course]:
    """The courses that the node gives all pods that were recorded."""
    folder, repository = tmp_path_factory.mktemp("compared"), tmp_path_factory.mktemp("repository")
    utilities = build_utility_images(base=DEBIAN_BASE, environment=docker.environment)
    with (
        contextlib.closing(Cluster(kubeconfig)) as cluster,
        contextlib.closing(Engine(docker.host, NODE)) as engine,
        served_repository(repository) as (url, sha),
        running(Agent(cluster, engine, name=NODE, data=folder / "node")),
    ):
        setting = Setting(DEBIAN_BASE, utilities, url, sha, folder)
        text = json.dumps(record(cluster, scenarios(setting), node=NODE))
    for value, word in ((str(folder), "FOLDER"), (sha, "COMMIT"), (url, "REPOSITORY")):
        text = text.replace(value, word)
    courses: Mapping[str, Course] = json.loads(text)
    return courses


def lines(course: Course) -> list[str]:
    """Write a course so that a difference can be read, without what this node is known to say otherwise."""
    logs = {
        container: [HOSTS if line.startswith(HOSTS) else line for line in log if not line.startswith(SERVICE)]
        for container, log in course["logs"].items()
    }
    # A container that ends within a second may be seen here only when it has ended, and by a kubelet while it runs.
    phases = [phase for phase in course["phases"] if phase != "Running"]
    return json.dumps({**course, "logs": logs, "phases": phases}, indent=1, sort_keys=True).splitlines()


def test_every_scenario_was_recorded(courses: Mapping[str, Course]) -> None:
    """What was recorded on a kubelet is what runs here: a new scenario needs a new recording."""
    assert courses.keys() == RECORDED.keys()


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_course(courses: Mapping[str, Course], name: str) -> None:
    """Status, logs and events of a pod are those that it had on a kubelet."""
    assert lines(courses[name]) == lines(RECORDED[name])


@pytest.mark.parametrize("name", ["succeeds", "init-then-both", "job-succeeds"])
def test_a_pod_that_takes_its_time(courses: Mapping[str, Course], name: str) -> None:
    """A pod whose containers run for seconds is first Pending, then Running, then over, as on a kubelet."""
    assert courses[name]["phases"] == RECORDED[name]["phases"] == ["Pending", "Running", "Succeeded"]


def test_what_is_named_as_different_differs() -> None:
    """Each difference that is left out of the comparison is one that the kubelet's side still has."""
    recorded = json.dumps(RECORDED)
    assert SERVICE in recorded
    assert f"{HOSTS}rw" in recorded
