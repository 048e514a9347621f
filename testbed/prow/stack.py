"""A whole Prow on this machine; ``local_prow`` lists what is started, in order."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING

from testbed.paths import ROOT
from testbed.prow import components
from testbed.prow.apiserver import start_apiserver
from testbed.prow.components import Ports, Shared
from testbed.prow.deck import ADDRESS, check_ports, of_cluster, start_deck
from testbed.prow.documents import NAMESPACE, STANDARD, Limits, Place, storage_secret
from testbed.prow.git_server import Repositories, start_repositories
from testbed.prow.hook import Hook, start_hook
from testbed.prow.images import bake_jobs
from testbed.prow.prowjobs import ProwCluster
from testbed.prow.servers import Servers, answers, free_ports, listens
from testbed.prow.setup import share_cache, write_configuration
from testbed.sample_controller import OWNER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from testbed.docker_daemon import DockerDaemon
    from testbed.programs import ProwPrograms
    from testbed.prow.storage import Storage
    from testbed.sample_controller import SampleRepository

ACCEPTED = 200
NODE = "local"


class PushRefused(Exception):
    """Hook did not take a push event; the message says what it answered."""


@dataclass(frozen=True)
class Parts:
    """What has to be there already.

    Args:
        programs: what is run.
        pages: what Deck shows in a browser, of ``hack/build-deck-pages``.
        daemon: the Docker daemon that pods run in; it has the images.
        runner_image: the runner's image, with any jobs.yaml.
        utility_images: Prow's own images, by program.
        storage: the bucket.
        registry: ``HOST/NAMESPACE`` that is released to.
        cache: a folder for Go's caches, kept from one Prow to the next; made where it is missing.
    """

    programs: ProwPrograms
    pages: Path
    daemon: DockerDaemon
    runner_image: str
    utility_images: Mapping[str, str]
    storage: Storage
    registry: str
    cache: Path


@dataclass(frozen=True)
class LocalProw:
    """A Prow that takes pushes.

    Args:
        folder: where its configuration, data and logs are.
        place: what it is configured with.
        kubeconfig: how its apiserver is reached.
        cluster: the same, as a client.
        repositories: what is cloned.
        storage: where its logs go.
        hook: what takes the events of pushes.
        servers: its programs.
    """

    folder: Path
    place: Place
    kubeconfig: Path
    cluster: ProwCluster
    repositories: Repositories
    storage: Storage
    hook: Hook
    servers: Servers

    def push(self, source: SampleRepository, ref: str) -> str:
        """Push a full ref name, tell hook as GitHub does, and return the object that was pushed.

        Raises:
            PushRefused: hook does not take the event.
            ProgramFailed: git failed.
        """
        self.repositories.push(source, ref)
        sha = source.resolve(ref)
        status = self.hook.push(source.name, ref, sha)
        if status != ACCEPTED:
            raise PushRefused(f"hook answered {status} to the push of {ref}; its log is {self.servers.logs}/hook.log")
        return sha

    def take_pushes(self, source: SampleRepository) -> None:
        """From now on let ``git push origin`` in a repository's folder tell hook, too.

        Raises:
            ProgramFailed: git failed.
        """
        self.repositories.tell_of_pushes(
            source,
            *("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "testbed.prow.push"),
            *(self.hook.address, self.hook.secret_file, OWNER, source.name),
        )


@contextlib.contextmanager
def local_prow(
    folder: Path,
    parts: Parts,
    services: Sequence[str],
    *,
    limits: Limits = STANDARD,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[LocalProw]:
    """Start a Prow, and end it with the block.

    Args:
        folder: an empty one, for configuration, data and logs.
        parts: what is there already.
        services: what can be released, each in a repository of its own.
        limits: of a release.
        tell: called with what happens, a line each.

    Raises:
        ServerFailed: a program ended, or does not answer in time.
        PortTaken: a port that cannot be chosen is taken.
        ProgramFailed: one of the programs that make something failed.
    """
    check_ports()
    logs = folder / "logs"
    logs.mkdir(parents=True)
    programs, storage = parts.programs, parts.storage
    with Servers(logs) as servers:
        tell("etcd, kube-apiserver, repositories")
        kubeconfig = start_apiserver(
            servers, _new(folder / "apiserver"), etcd=programs.etcd, kube_apiserver=programs.kube_apiserver
        )
        repositories = start_repositories(servers, folder / "repositories")
        image = f"localhost/ack-release:{token_hex(4)}"
        share_cache(parts.cache)
        place = _place(parts, repositories, image)
        configured = write_configuration(folder, place, services, limits)
        shared = Shared(kubeconfig, configured.config, configured.jobs)
        jobs_yaml = configured.jobs_yaml.read_text(encoding="utf-8")
        bake_jobs(parts.runner_image, image, jobs_yaml, environment=parts.daemon.environment)
        servers.wait()
        with contextlib.closing(ProwCluster(kubeconfig, NAMESPACE)) as cluster:
            tell("the ProwJob definition")
            cluster.prepare(storage_secret(storage.credentials.read_bytes()))
            tell("node, hook, plank, crier, Deck")
            _start_node(servers, folder, kubeconfig, parts.daemon)
            hook = start_hook(servers, folder, programs.hook, shared, configured.plugins)
            _start_watchers(servers, programs, shared, storage)
            start_deck(
                servers,
                programs.deck,
                parts.pages,
                storage,
                of_cluster(kubeconfig),
                config=shared.config,
                jobs=shared.jobs,
            )
            servers.wait()
            yield LocalProw(folder, place, kubeconfig, cluster, repositories, storage, hook, servers)


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _place(parts: Parts, repositories: Repositories, image: str) -> Place:
    return Place(
        registry=parts.registry,
        image=image,
        utility_images=parts.utility_images,
        bucket=parts.storage.address,
        repositories=repositories.address,
        deck=ADDRESS,
        cache=parts.cache,
        cpus=os.cpu_count() or 1,
    )


def _ports() -> Ports:
    return Ports(*free_ports(3))


def _start_node(servers: Servers, folder: Path, kubeconfig: Path, daemon: DockerDaemon) -> None:
    servers.start(
        "node",
        [
            *(sys.executable, "-m", "testbed.node", "--kubeconfig", kubeconfig, "--docker-host", daemon.host),
            *("--node-name", NODE, "--data", _new(folder / "node")),
        ],
        ready=lambda: "node: ready" in (servers.logs / "node.log").read_text(encoding="utf-8"),
        environment={"PYTHONPATH": str(ROOT)},
    )


def _start_watchers(servers: Servers, programs: ProwPrograms, shared: Shared, storage: Storage) -> None:
    ports = _ports()
    servers.start(
        "plank",
        components.plank(programs.prow_controller_manager, shared, ports),
        ready=answers(ports.health, "/healthz/ready"),
    )
    ports = _ports()
    servers.start(
        "crier",
        components.crier(programs.crier, shared, ports, storage=storage.credentials),
        ready=listens(ports.profiles),
    )
