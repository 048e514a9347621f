"""The node that runs a local Prow's pods, with a real apiserver and a real Docker daemon."""

from __future__ import annotations

import contextlib
import http.server
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes.client.exceptions import ApiException

from testbed.node.agent import Agent
from testbed.node.api import Cluster
from testbed.node.engine import Engine
from testbed.node.pod_documents import decorated_pod, pod, shell
from testbed.node.worker import evict
from testbed.paths import ROOT
from testbed.prow.images import build_utility_images
from testbed.served_repository import served_repository
from tests.support.docker import DEBIAN_BASE
from tests.support.nodes import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testbed.docker_daemon import DockerDaemon

pytestmark = pytest.mark.exclusive

NODE = "tested"
LONG = 60
OTHERS = 4321
ANYBODY = 0o777


class NodeHarness:
    """A node, and what a test does with it."""

    def __init__(self, kubeconfig: Path, daemon: DockerDaemon) -> None:
        self.kubeconfig, self.daemon = kubeconfig, daemon
        self.cluster = Cluster(kubeconfig)
        self.core = self.cluster.core
        self._names = (f"pod-{token_hex(4)}-{number}" for number in itertools.count())

    def name(self) -> str:
        """A name that no pod has yet."""
        return next(self._names)

    def create(self, *containers: dict[str, Any], **spec: Any) -> str:
        """Create a pod and return its name."""
        name = self.name()
        self.core.create_namespaced_pod("default", pod(name, *containers, **spec))
        return name

    def wait(self, name: str, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until a pod's status is as wanted, and return it."""
        status: dict[str, Any] = {}
        deadline = time.monotonic() + LONG
        while time.monotonic() < deadline:
            found = self.cluster.pod("default", name)
            assert found is not None, f"{name} is gone; its last status: {status}"
            status = found["status"]
            if until(status):
                return status
            time.sleep(0.05)
        raise AssertionError(f"{name} is not as wanted after {LONG} s: {json.dumps(status, indent=1)}")

    def told(self, name: str, reason: str) -> dict[str, Any]:
        """Wait until an event tells of a pod for a reason, and return it."""
        deadline = time.monotonic() + LONG
        while time.monotonic() < deadline:
            answer = self.core.list_namespaced_event(
                "default", field_selector=f"involvedObject.name={name},reason={reason}", _preload_content=False
            )
            found: list[dict[str, Any]] = json.loads(answer.data)["items"]
            if found:
                return found[0]
            time.sleep(0.05)
        raise AssertionError(f"no event tells {reason} of {name} after {LONG} s")

    def ended(self, name: str) -> dict[str, Any]:
        """Wait until a pod has ended, and return its status."""
        return self.wait(name, lambda status: status["phase"] in ("Succeeded", "Failed"))

    def runs(self, name: str, container: int = 0) -> None:
        """Wait until a container of a pod runs."""
        self.wait(name, lambda status: "running" in state(status, container))

    def gone(self, name: str) -> None:
        """Wait until there is no such pod any more."""
        deadline = time.monotonic() + LONG
        while self.cluster.pod("default", name) is not None:
            assert time.monotonic() < deadline, f"{name} is still there"
            time.sleep(0.05)

    def delete(self, name: str) -> None:
        """Ask for a pod's deletion."""
        self.core.delete_namespaced_pod(name, "default", _preload_content=False)

    def log(self, name: str, container: str = "test", **options: Any) -> str:
        """Read a container's log through the apiserver."""
        answer = self.core.read_namespaced_pod_log(
            name, "default", container=container, _preload_content=False, **options
        )
        return str(answer.data.decode())

    def containers(self, uid: str) -> list[str]:
        """What the daemon has of a pod's containers."""
        return self.daemon.docker("ps", "--all", "--quiet", "--filter", f"label=dev.ack.release.pod={uid}").splitlines()


def state(status: dict[str, Any], container: int = 0, kind: str = "containerStatuses") -> dict[str, Any]:
    """The state of a container in a pod's status; empty while the node has not said."""
    said = status.get(kind) or []
    found: dict[str, Any] = said[container]["state"] if said else {}
    return found


@pytest.fixture(scope="module")
def idle(kubeconfig: Path, docker: DockerDaemon) -> Iterator[NodeHarness]:
    """A cluster without a node."""
    harness = NodeHarness(kubeconfig, docker)
    yield harness
    harness.cluster.close()


@pytest.fixture(scope="module")
def harness(idle: NodeHarness, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeHarness]:
    """A cluster with a node."""
    data = tmp_path_factory.mktemp("node")
    with (
        contextlib.closing(Engine(idle.daemon.host, NODE)) as engine,
        running(Agent(idle.cluster, engine, name=NODE, data=data)),
    ):
        yield idle


def in_shell(script: str, **more: Any) -> dict[str, Any]:
    """The container of a job that runs a shell script."""
    return shell("test", script, DEBIAN_BASE, **more)


def test_init_containers_come_first_and_share_folders(harness: NodeHarness) -> None:
    """Init containers run one after the other, then the others side by side, and all see what was written before."""
    mounted = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    name = harness.create(
        in_shell(
            "echo test >>/shared/log; while [ ! -e /shared/side ]; do sleep 0.1; done; cat /shared/log", **mounted
        ),
        shell("side", "touch /shared/side", DEBIAN_BASE, **mounted),
        initContainers=[
            shell(f"init-{number}", f"sleep 0.{3 - number}; echo {number} >>/shared/log", DEBIAN_BASE, **mounted)
            for number in range(3)
        ],
        volumes=[{"name": "shared", "emptyDir": {}}],
    )
    status = harness.ended(name)
    assert status["phase"] == "Succeeded"
    assert harness.log(name) == "0\n1\n2\ntest\n"
    assert [one["state"]["terminated"]["reason"] for one in status["initContainerStatuses"]] == ["Completed"] * 3


def test_folders_belong_to_the_group_of_the_pod(harness: NodeHarness) -> None:
    """With an fsGroup a volume belongs to that group, which may write it, and so does what is made in it."""
    script = (
        "id -u; id -g; id -G; stat -c '%a %u %g' /shared; touch /shared/new; stat -c '%u %g' /shared/new; ls -lnL /s"
    )
    name = harness.create(
        in_shell(script, volumeMounts=[{"name": one, "mountPath": f"/{one}"} for one in ("shared", "s")]),
        securityContext={"runAsUser": 1234, "runAsGroup": 1235, "fsGroup": OTHERS},
        volumes=[
            {"name": "shared", "emptyDir": {}},
            {"name": "s", "secret": {"secretName": "mode", "defaultMode": 256}},
        ],
    )
    harness.core.create_namespaced_secret("default", {"metadata": {"name": "mode"}, "stringData": {"key": "value"}})
    assert harness.ended(name)["phase"] == "Succeeded"
    lines = harness.log(name).splitlines()
    assert lines[:5] == ["1234", "1235", f"1235 {OTHERS}", f"2777 0 {OTHERS}", f"1234 {OTHERS}"]
    assert lines[-1].split()[:4] == ["-r--r-----", "1", "0", str(OTHERS)]


def test_a_pod_runs_as_strictly_as_it_asks(harness: NodeHarness) -> None:
    """User, read-only root, capabilities, privilege escalation and system call filter are what the pod asks for."""
    strict = {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    facts = "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status"
    script = f"touch /here 2>&1; touch /tmp/there && echo written; {facts}"
    name = harness.create(
        in_shell(script, securityContext=strict, volumeMounts=[{"name": "tmp", "mountPath": "/tmp"}]),  # noqa: S108
        volumes=[{"name": "tmp", "emptyDir": {}}],
    )
    harness.ended(name)
    lines = harness.log(name).splitlines()
    assert lines[0].endswith("Read-only file system")
    assert lines[1] == "written"
    found = dict(line.split(":\t") for line in lines[2:])
    assert found == {"CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"}


def test_root_is_refused_where_it_must_not_be(harness: NodeHarness) -> None:
    """A container that must not run as root, of an image that does, waits and says why."""
    name = harness.create(in_shell("true", securityContext={"runAsNonRoot": True}))
    status = harness.wait(name, lambda status: "message" in state(status).get("waiting", {}))
    found = harness.cluster.pod("default", name)
    assert found is not None
    which = f'(pod: "{name}_default({found["metadata"]["uid"]})", container: test)'
    assert state(status)["waiting"] == {
        "reason": "CreateContainerConfigError",
        "message": f"container has runAsNonRoot and image will run as root {which}",
    }


def test_secrets_and_config_maps_come_in_both_ways(harness: NodeHarness) -> None:
    """Keys of secrets and config maps are files with their modes, and values of variables."""
    harness.core.create_namespaced_secret(
        "default", {"metadata": {"name": "s"}, "stringData": {"k": "hidden", "o": "x"}}
    )
    harness.core.create_namespaced_config_map("default", {"metadata": {"name": "c"}, "data": {"k": "open"}})
    sources = {"FROM_SECRET": {"secretKeyRef": {"name": "s", "key": "k"}}}
    sources["FROM_MAP"] = {"configMapKeyRef": {"name": "c", "key": "k"}}
    name = harness.create(
        in_shell(
            "echo $FROM_SECRET $FROM_MAP; cd /s; stat -Lc '%n %a' * */*; cat a/b; cat /c/k; touch x 2>&1",
            env=[{"name": key, "valueFrom": value} for key, value in sources.items()],
            volumeMounts=[{"name": "s", "mountPath": "/s"}, {"name": "c", "mountPath": "/c"}],
        ),
        volumes=[
            {"name": "s", "secret": {"secretName": "s", "items": [{"key": "k", "path": "a/b", "mode": 0o400}]}},
            {"name": "c", "configMap": {"name": "c"}},
        ],
    )
    status = harness.ended(name)
    lines = harness.log(name).splitlines()
    assert lines[:3] == ["hidden open", "a 755", "a/b 400"]
    assert lines[3:] == ["hiddenopentouch: cannot touch 'x': Read-only file system"]
    assert status["phase"] == "Failed"


def test_a_pod_waits_for_what_it_needs(harness: NodeHarness) -> None:
    """A pod whose secret is not there yet says so, and runs once it is."""
    name = harness.create(
        in_shell("cat /late/k", volumeMounts=[{"name": "late", "mountPath": "/late"}]),
        volumes=[{"name": "late", "secret": {"secretName": "late"}}],
    )
    told = harness.told(name, "FailedMount")
    assert told["message"] == 'MountVolume.SetUp failed for volume "late" : secret "late" not found'
    assert told["involvedObject"]["name"] == name
    assert state(harness.wait(name, bool)) == {"waiting": {"reason": "ContainerCreating"}}
    harness.core.create_namespaced_secret("default", {"metadata": {"name": "late"}, "stringData": {"k": "here"}})
    assert harness.ended(name)["phase"] == "Succeeded"
    assert harness.log(name) == "here"


def test_an_image_that_is_not_there_is_named(harness: NodeHarness) -> None:
    """A container of an image that the daemon does not have waits as if it could not be pulled, and names the image."""
    name = harness.create(shell("test", "true", "nobody/has:this"))
    status = harness.wait(name, lambda status: state(status).get("waiting", {}).get("reason") == "ImagePullBackOff")
    assert '"nobody/has:this"' in state(status)["waiting"]["message"]
    assert harness.told(name, "Pulling")["message"] == 'Pulling image "nobody/has:this"'
    harness.delete(name)
    harness.gone(name)


def test_what_the_engine_refuses_to_make(harness: NodeHarness) -> None:
    """A container that the daemon refuses to make waits, with the daemon's reason in its status and in an event."""
    name = harness.create(in_shell("true", workingDir="not/absolute"))
    status = harness.wait(name, lambda status: "message" in state(status).get("waiting", {}))
    waiting = state(status)["waiting"]
    assert waiting["reason"] == "CreateContainerError"
    assert "not/absolute" in waiting["message"]
    assert harness.told(name, "Failed")["message"] == f"Error: {waiting['message']}"
    harness.delete(name)
    harness.gone(name)


def test_a_log_is_followed_as_it_comes(harness: NodeHarness, tmp_path: Path) -> None:
    """Through the apiserver a running container's lines come as they are printed, and end with it."""
    name = harness.create(
        in_shell(
            "echo one; while [ ! -e /gate/open ]; do sleep 0.05; done; echo two >&2",
            volumeMounts=[{"name": "gate", "mountPath": "/gate"}],
        ),
        volumes=[{"name": "gate", "hostPath": {"path": str(tmp_path), "type": "Directory"}}],
    )
    harness.runs(name)
    followed = harness.core.read_namespaced_pod_log(
        name, "default", container="test", follow=True, _preload_content=False, _request_timeout=LONG
    )
    lines = iter(followed)
    assert next(lines) == b"one\n"
    assert "running" in state(harness.wait(name, bool))
    (tmp_path / "open").touch()
    assert b"".join(lines) == b"two\n"
    assert harness.ended(name)["phase"] == "Succeeded"


def test_a_log_stays(harness: NodeHarness) -> None:
    """The log of a container that has ended is there until its pod is deleted, whole; a part of it is refused."""
    name = harness.create(in_shell("for n in 1 2 3 4; do echo line $n; done"))
    harness.ended(name)
    assert harness.log(name) == "line 1\nline 2\nline 3\nline 4\n"
    with pytest.raises(ApiException) as refused:
        harness.log(name, tail_lines=2)
    assert "tailLines: only whole logs are served" in str(refused.value.body)


def test_a_log_that_is_not_there_yet(harness: NodeHarness) -> None:
    """The log of a container that waits for an init container is refused with the reason."""
    name = harness.create(in_shell("true"), initContainers=[shell("init", "sleep 60", DEBIAN_BASE)])
    harness.wait(name, lambda status: "running" in state(status, kind="initContainerStatuses"))
    with pytest.raises(ApiException) as refused:
        harness.log(name)
    assert 'container \\"test\\" in pod \\"' in str(refused.value.body)
    assert "is waiting to start: PodInitializing" in str(refused.value.body)
    harness.core.delete_namespaced_pod(name, "default", grace_period_seconds=0, _preload_content=False)
    harness.gone(name)


def test_deletion_asks_first(harness: NodeHarness, tmp_path: Path) -> None:
    """A deleted pod's containers get TERM, and one that ends by itself is gone before its grace period is over."""
    name = harness.create(
        in_shell(
            "trap 'echo asked >/out/said; exit 0' TERM; touch /out/ready; while :; do sleep 0.1; done",
            volumeMounts=[{"name": "out", "mountPath": "/out"}],
        ),
        volumes=[{"name": "out", "hostPath": {"path": str(tmp_path)}}],
        terminationGracePeriodSeconds=LONG,
    )
    while not (tmp_path / "ready").exists():
        time.sleep(0.05)
    began = time.monotonic()
    harness.delete(name)
    harness.gone(name)
    assert (tmp_path / "said").read_text() == "asked\n"
    assert time.monotonic() - began < LONG / 4


def test_deletion_kills_when_the_grace_period_is_over(harness: NodeHarness) -> None:
    """A container that does not end on TERM is killed after the grace period, and nothing of the pod is left."""
    grace = 3
    name = harness.create(in_shell("trap '' TERM; while :; do sleep 0.1; done"), terminationGracePeriodSeconds=grace)
    harness.runs(name)
    found = harness.cluster.pod("default", name)
    assert found is not None
    uid = found["metadata"]["uid"]
    assert harness.containers(uid)
    began = time.monotonic()
    harness.delete(name)
    harness.gone(name)
    assert grace - 1 < time.monotonic() - began < grace + 5
    assert harness.containers(uid) == []


def test_deletion_at_once(harness: NodeHarness) -> None:
    """A pod that is deleted without a grace period is gone at once, and its containers are ended."""
    name = harness.create(in_shell("trap '' TERM; sleep 600"), terminationGracePeriodSeconds=LONG)
    harness.runs(name)
    found = harness.cluster.pod("default", name)
    assert found is not None
    harness.core.delete_namespaced_pod(name, "default", grace_period_seconds=0, _preload_content=False)
    deadline = time.monotonic() + LONG / 4
    while harness.containers(found["metadata"]["uid"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (in_shell("echo it broke; exit 3"), {"exitCode": 3, "reason": "Error", "message": "it broke\n"}),
        (in_shell("echo mine >/dev/termination-log"), {"exitCode": 0, "reason": "Completed", "message": "mine\n"}),
        ({"name": "test", "image": DEBIAN_BASE, "command": ["/no/such"]}, {"exitCode": 128, "reason": "StartError"}),
        (
            in_shell("python3 -c 'bytearray(200 << 20)'", resources={"limits": {"memory": "32Mi"}}),
            {"exitCode": 137, "reason": "OOMKilled"},
        ),
    ],
    ids=["fails", "says", "unstartable", "memory"],
)
def test_how_a_container_ended(harness: NodeHarness, container: dict[str, Any], expected: dict[str, Any]) -> None:
    """Exit code, reason and message of a container are in the pod's status."""
    name = harness.create({**container, "terminationMessagePolicy": "FallbackToLogsOnError"})
    status = harness.ended(name)
    assert status["phase"] == ("Failed" if expected["exitCode"] else "Succeeded")
    assert state(status)["terminated"].items() >= expected.items()


def test_a_failed_init_container_is_the_end(harness: NodeHarness) -> None:
    """After an init container that failed nothing else is started."""
    name = harness.create(in_shell("true"), initContainers=[shell("init", "exit 4", DEBIAN_BASE)])
    status = harness.ended(name)
    assert status["phase"] == "Failed"
    assert state(status, kind="initContainerStatuses")["terminated"]["exitCode"] == 4
    assert state(status) == {"waiting": {"reason": "PodInitializing"}}


def test_what_is_not_honoured_fails_the_pod(harness: NodeHarness) -> None:
    """A pod that asks for more than the node does fails, and its status names the field."""
    name = harness.create(in_shell("true"), hostPID=True)
    status = harness.ended(name)
    assert (status["phase"], status["reason"]) == ("Failed", "NotHonoured")
    assert "spec.hostPID" in status["message"]
    harness.delete(name)
    harness.gone(name)


def test_eviction(harness: NodeHarness) -> None:
    """An evicted pod's containers are ended, and it fails for the reason that Prow looks for."""
    name = harness.create(in_shell("exec sleep 600"))
    harness.runs(name)
    evict(harness.cluster, "default", name, "The node was low on resource: memory.")
    status = harness.ended(name)
    assert (status["phase"], status["reason"]) == ("Failed", "Evicted")
    assert status["message"] == "The node was low on resource: memory."


def test_a_folder_over_its_limit(harness: NodeHarness) -> None:
    """A pod that writes more into a folder than its limit is evicted."""
    name = harness.create(
        in_shell(
            "head -c 3000000 /dev/zero >/full/x; exec sleep 600", volumeMounts=[{"name": "full", "mountPath": "/full"}]
        ),
        volumes=[{"name": "full", "emptyDir": {"sizeLimit": "1Mi"}}],
    )
    status = harness.ended(name)
    assert status["reason"] == "Evicted"
    assert status["message"] == 'Usage of EmptyDir volume "full" exceeds the limit "1Mi". '


def test_a_deadline(harness: NodeHarness) -> None:
    """A pod that is longer active than it may be is ended, and says so."""
    name = harness.create(in_shell("exec sleep 600"), activeDeadlineSeconds=2, terminationGracePeriodSeconds=1)
    status = harness.ended(name)
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A repository that is served, and its commit."""
    with served_repository(tmp_path_factory.mktemp("repository")) as served:
        yield served


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A folder that every user may write."""
    folder = tmp_path / "output"
    folder.mkdir()
    folder.chmod(ANYBODY)
    return folder


def test_a_decorated_job(harness: NodeHarness, docker: DockerDaemon, repository: tuple[str, str], output: Path) -> None:
    """A pod as Prow makes it clones, runs the job in the clone, and gives back its log, artifacts and result."""
    images = build_utility_images(base=DEBIAN_BASE, environment=docker.environment)
    url, sha = repository
    name = harness.name()
    script = "cat hello; echo kept >$ARTIFACTS/kept.txt"
    made = decorated_pod(
        name, images=images, image=DEBIAN_BASE, argv=["/bin/sh", "-c", script], repository=url, sha=sha, output=output
    )
    harness.core.create_namespaced_pod("default", made)
    assert harness.ended(name)["phase"] == "Succeeded"
    assert json.loads((output / "finished.json").read_text())["result"] == "SUCCESS"
    assert json.loads((output / "started.json").read_text())["repo-commit"] == sha
    assert (output / "build-log.txt").read_text() == "hello\n"
    assert (output / "artifacts" / "kept.txt").read_text() == "kept\n"
    assert harness.log(name) == "hello\n"


def test_an_aborted_job(harness: NodeHarness, docker: DockerDaemon, repository: tuple[str, str], output: Path) -> None:
    """When a job's pod is deleted, Prow's entrypoint and sidecar still give back the log and the result."""
    images = build_utility_images(base=DEBIAN_BASE, environment=docker.environment)
    url, sha = repository
    name = harness.name()
    script = "trap 'echo ended by INT; exit 9' INT; echo begun; while :; do sleep 0.1; done"
    argv = ["/bin/sh", "-c", f"trap '' TERM; {script}"]
    made = decorated_pod(name, images=images, image=DEBIAN_BASE, argv=argv, repository=url, sha=sha, output=output)
    harness.core.create_namespaced_pod("default", made)
    harness.runs(name, 0)
    harness.runs(name, 1)
    # Sidecar says nothing of having begun to listen for signals, and before that TERM just ends it.
    time.sleep(1)
    assert harness.log(name) == "begun\n"
    harness.delete(name)
    harness.gone(name)
    finished = json.loads((output / "finished.json").read_text())
    assert (finished["passed"], finished["result"]) == (False, "ABORTED")
    log = (output / "build-log.txt").read_text()
    assert log.startswith("begun\n")
    assert "ended by INT\n" in log


def started_node(idle: NodeHarness, data: Path, address: str = "127.0.0.1:0") -> subprocess.Popen[str]:
    """A node in a process of its own."""
    return subprocess.Popen(
        [
            *(
                sys.executable,
                "-m",
                "testbed.node",
                "--kubeconfig",
                idle.kubeconfig,
                "--docker-host",
                idle.daemon.host,
            ),
            *("--node-name", "other", "--log-address", address, "--data", data),
        ],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextlib.contextmanager
def other_node(idle: NodeHarness, data: Path) -> Iterator[subprocess.Popen[str]]:
    """A ready node in a process of its own, ended at the end of the block."""
    with started_node(idle, data) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "node: ready" in line:
                    break
            yield process
        finally:
            process.kill()


def test_a_node_that_ends_leaves_nothing(idle: NodeHarness, tmp_path: Path) -> None:
    """On TERM a node ends its containers, removes what it made, and is no longer registered."""
    with other_node(idle, tmp_path) as process:
        name = idle.create(in_shell("trap '' TERM; sleep 600"), nodeName="other")
        idle.runs(name)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=LONG)
        assert process.returncode == 0, output
    assert idle.daemon.docker("ps", "--all", "--quiet", "--filter", "label=dev.ack.release.node=other") == ""
    assert not (tmp_path / "pods").exists()
    assert "other" not in [one.metadata.name for one in idle.core.list_node().items]
    idle.core.delete_namespaced_pod(name, "default", grace_period_seconds=0, _preload_content=False)


def test_a_node_that_ends_before_a_deleted_pod(idle: NodeHarness, tmp_path: Path) -> None:
    """A pod that is deleted at once while its node ends leaves no container, and nothing that goes on for it."""
    with (
        contextlib.closing(Engine(idle.daemon.host, "short")) as engine,
        running(Agent(idle.cluster, engine, name="short", data=tmp_path)),
    ):
        name = idle.create(in_shell("trap '' TERM; sleep 600"), nodeName="short")
        idle.runs(name)
        idle.core.delete_namespaced_pod(name, "default", grace_period_seconds=0, _preload_content=False)
        idle.gone(name)
    assert idle.daemon.docker("ps", "--all", "--quiet", "--filter", "label=dev.ack.release.node=short") == ""


def test_a_node_that_was_killed_finds_its_pods_failed(idle: NodeHarness, tmp_path: Path) -> None:
    """A node that comes back after it was killed ends what ran, and the pods say that their containers are lost."""
    with other_node(idle, tmp_path):
        name = idle.create(in_shell("sleep 600"), nodeName="other")
        idle.runs(name)
    with other_node(idle, tmp_path):
        status = idle.ended(name)
        assert status["phase"] == "Failed"
        assert state(status)["terminated"]["reason"] == "ContainerStatusUnknown"
        assert idle.daemon.docker("ps", "--quiet", "--filter", "label=dev.ack.release.node=other") == ""
        idle.delete(name)
        idle.gone(name)


def test_a_taken_port_is_an_error(idle: NodeHarness, tmp_path: Path) -> None:
    """A node whose port is taken says so and ends."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        process = started_node(idle, tmp_path, f"127.0.0.1:{server.server_port}")
        output, _ = process.communicate(timeout=LONG)
    assert process.returncode == 1
    assert f"127.0.0.1:{server.server_port}: Address already in use" in output
