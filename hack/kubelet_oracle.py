"""``python -m hack.kubelet_oracle``: record on a real kubelet what the tests of the local Prow's node expect.

It needs root, dockerd, runc, etcd and what ``hack/build-tool kubelet containerd kube-apiserver prow`` makes. All that
it starts is in process and mount namespaces of its own, so that nothing is left when it ends, and the kernel's settings
that a kubelet asks for are only shown to it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kubernetes.client.exceptions import ApiException

from testbed.debian_base import kept_base
from testbed.docker_daemon import DaemonUnusable, docker_daemon
from testbed.node.api import Cluster
from testbed.node.courses import NeverAsWanted, record
from testbed.node.scenarios import Setting, scenarios
from testbed.paths import ROOT, TOOLS
from testbed.processes import ProgramFailed, end_on_signals, read, started
from testbed.programs import ProgramMissing, find_program
from testbed.prow.apiserver import start_apiserver
from testbed.prow.images import build_utility_images
from testbed.prow.servers import READY_SECONDS, ServerFailed, Servers, answers, free_ports
from testbed.served_repository import served_repository

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORDED = ROOT / "tests" / "integration" / "testbed" / "node" / "data" / "kubelet.json"
INSIDE = "KUBELET_ORACLE_INSIDE"
NODE = "oracle"
CGROUP = "k8s.io"
"""Where containerd puts containers whose kubelet makes no groups of its own."""
BASE = "debian-base:test"
PAUSE = "pause:local"
PAUSE_RECIPE = f'FROM {BASE}\nENTRYPOINT ["sleep", "infinity"]\n'
PROGRAMS = ("containerd", "containerd-shim-runc-v2", "ctr", "kubelet", "etcd", "kube-apiserver")

KERNEL_SETTINGS = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}
"""What a kubelet sets where it finds another value (pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables)."""

CONTAINERD = """\
version = 3
root = '{folder}/containerd-data'
state = '{folder}/containerd-state'
imports = []
[grpc]
address = '{folder}/containerd.sock'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = 'docker.io/library/{pause}'
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['{folder}/cni']
conf_dir = '{folder}/cni'
"""
"""Without CAP_SYS_RESOURCE nobody gets a lower oom_score_adj than containerd's own."""

NETWORK = {"cniVersion": "1.0.0", "name": "none", "plugins": [{"type": "none"}]}
"""A kubelet is not ready without a network; all pods are on the host's, so that this one is never made."""


def main(arguments: list[str]) -> int:
    """Record all courses, and write them into the file of the tests."""
    parser = argparse.ArgumentParser(prog="python -m hack.kubelet_oracle", description=__doc__)
    parser.add_argument("--output", type=Path, default=RECORDED, help="the file [default: the one of the tests]")
    parser.add_argument("--keep-logs", type=Path, help="a folder for the logs of all that was started")
    given = parser.parse_args(arguments)
    end_on_signals()
    if INSIDE not in os.environ:
        return _call_inside(arguments)
    folder = Path(tempfile.mkdtemp(prefix="oracle-"))
    try:
        write(given.output, _recorded(folder))
    except (ApiException, DaemonUnusable, NeverAsWanted, ProgramFailed, ProgramMissing, ServerFailed) as error:
        print(f"kubelet_oracle: {error}", file=sys.stderr)
        return 1
    finally:
        if given.keep_logs is not None:
            given.keep_logs.mkdir(parents=True, exist_ok=True)
            for log in folder.glob("*.log"):
                shutil.copy(log, given.keep_logs)
        # What is mounted would go with the namespace, but only what is not mounted can be removed.
        _unmount_below(folder)
        shutil.rmtree(folder, ignore_errors=True)
    print(f"kubelet_oracle: wrote {given.output}")
    return 0


def write(file: Path, recorded: Mapping[str, object]) -> None:
    """Write what was recorded, so that a difference can be read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(recorded, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _call_inside(arguments: list[str]) -> int:
    own = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    try:
        with started(
            [*own, sys.executable, "-m", "hack.kubelet_oracle", *arguments],
            env={**os.environ, INSIDE: "yes"},
            output=sys.stdout.fileno(),
        ) as child:
            return child.wait()
    finally:
        _remove_cgroups()


def _recorded(folder: Path) -> Mapping[str, object]:
    programs = {name: find_program(name) for name in PROGRAMS}
    repository = folder / "repository"
    repository.mkdir()
    utilities, archive = _images(folder)
    with served_repository(repository) as (url, sha), Servers(folder) as servers:
        kubeconfig = start_apiserver(servers, folder, etcd=programs["etcd"], kube_apiserver=programs["kube-apiserver"])
        servers.wait()
        _start_containerd(servers, folder, programs, archive)
        _start_kubelet(servers, folder, programs, kubeconfig)
        with contextlib.closing(Cluster(kubeconfig)) as cluster:
            versions = _wait_for_node(cluster)
            setting = Setting(BASE, utilities, url, sha, folder)
            courses = record(cluster, scenarios(setting), node=NODE, hostNetwork=True)
    text = json.dumps(courses).replace(str(folder), "FOLDER").replace(sha, "COMMIT").replace(url, "REPOSITORY")
    return {"made by": "python -m hack.kubelet_oracle", **versions, "courses": json.loads(text)}


def _images(folder: Path) -> tuple[Mapping[str, str], Path]:
    archive = folder / "images.tar"
    with docker_daemon(folder / "docker") as docker:
        docker.import_image(kept_base(TOOLS), BASE)
        utilities = build_utility_images(base=BASE, environment=docker.environment)
        recipe = folder / "pause"
        recipe.mkdir()
        (recipe / "Dockerfile").write_text(PAUSE_RECIPE, encoding="utf-8")
        docker.docker("build", "--quiet", "--network", "host", "--tag", PAUSE, recipe)
        docker.docker("save", "--output", archive, BASE, PAUSE, *utilities.values())
    return utilities, archive


def _start_containerd(servers: Servers, folder: Path, programs: Mapping[str, Path], archive: Path) -> None:
    configuration, socket, network = folder / "containerd.toml", folder / "containerd.sock", folder / "cni"
    configuration.write_text(CONTAINERD.format(folder=folder, pause=PAUSE), encoding="utf-8")
    network.mkdir()
    (network / "none.conflist").write_text(json.dumps(NETWORK), encoding="utf-8")
    servers.start(
        "containerd",
        [programs["containerd"], "--config", configuration],
        ready=socket.exists,
        environment=_environment(programs),
    )
    servers.wait("containerd")
    imported: list[str | Path] = ["--address", socket, "--namespace", "k8s.io", "images", "import", archive]
    read([programs["ctr"], *imported], env=_environment(programs))


def _start_kubelet(servers: Servers, folder: Path, programs: Mapping[str, Path], kubeconfig: Path) -> None:
    for name, value in KERNEL_SETTINGS.items():
        shown = folder / name.replace("/", ".")
        shown.write_text(f"{value}\n", encoding="utf-8")
        _mount("--bind", shown, Path("/proc/sys", name))
    # The node's name must lead the apiserver to it, and a kubelet links the logs of containers below /var/log.
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1\tlocalhost {NODE}\n", encoding="utf-8")
    _mount("--bind", hosts, Path("/etc/hosts"))
    _mount("--types", "tmpfs", Path("tmpfs"), Path("/var/log"))
    port, health = free_ports(2)
    configuration = folder / "kubelet.json"
    configuration.write_text(
        json.dumps(_kubelet_configuration(folder, port=port, health=health)),
        encoding="utf-8",
    )
    servers.start(
        "kubelet",
        [
            *(programs["kubelet"], "--config", configuration, "--kubeconfig", kubeconfig),
            *("--root-dir", folder / "kubelet", "--cert-dir", folder / "kubelet-certificates"),
            *("--hostname-override", NODE, "--v=2"),
        ],
        ready=answers(health, "/healthz"),
        environment=_environment(programs),
    )
    servers.wait("kubelet")


def _kubelet_configuration(folder: Path, *, port: int, health: int) -> Mapping[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "0.0.0.0",  # noqa: S104  # its certificate and its Node name the machine's address
        "port": port,
        "healthzPort": health,
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "oomScoreAdj": 0,
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "10Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "podLogsDir": str(folder / "pod-logs"),
        "volumePluginDir": str(folder / "volume-plugins"),
    }


def _wait_for_node(cluster: Cluster) -> Mapping[str, str]:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        for node in json.loads(cluster.core.list_node(_preload_content=False).data)["items"]:
            ready = [one["status"] for one in node["status"].get("conditions", []) if one["type"] == "Ready"]
            if ready == ["True"]:
                about = node["status"]["nodeInfo"]
                return {
                    "kubelet": pinned_version("kubelet"),
                    "runtime": about["containerRuntimeVersion"].partition("+")[0],
                }
        if time.monotonic() > deadline:
            raise ServerFailed(f"the kubelet's Node is not ready within {READY_SECONDS:.0f} s")
        time.sleep(0.5)


def pinned_version(tool: str) -> str:
    """The version of Kubernetes that a folder of hack/tools pins; a kubelet that is built of its module says none.

    Raises:
        ProgramMissing: it pins none.
    """
    module = (ROOT / "hack" / "tools" / tool / "go.mod").read_text(encoding="utf-8")
    found = re.search(r"^\tk8s\.io/kubernetes (v\S+)", module, flags=re.MULTILINE)
    if found is None:
        raise ProgramMissing(f"hack/tools/{tool}/go.mod pins no k8s.io/kubernetes")
    return found[1]


def _environment(programs: Mapping[str, Path]) -> Mapping[str, str]:
    # containerd looks for its shim, and the shim for runc.
    return {"PATH": f"{programs['containerd'].parent}:{os.environ['PATH']}:/usr/sbin:/sbin"}


def _mount(*arguments: str | Path) -> None:
    read(["mount", *arguments], env={"PATH": os.environ["PATH"]})


def _unmount_below(folder: Path) -> None:
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    for point in reversed([point for point in mounted if Path(point).is_relative_to(folder)]):
        with contextlib.suppress(ProgramFailed):
            read(["umount", "--lazy", point], env={"PATH": os.environ["PATH"]})


def _remove_cgroups() -> None:
    for parent in Path("/sys/fs/cgroup").glob(f"*/{CGROUP}"):
        for group in sorted(parent.glob("**/"), reverse=True):
            with contextlib.suppress(OSError):
                group.rmdir()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
