"""A whole Prow for tests: repositories to push to, a registry that counts, and what became of jobs."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from testbed.process_table import Process, process_tree
from testbed.processes import ProgramFailed
from testbed.prow.documents import NAMESPACE
from testbed.sample_controller import SampleRepository, make_repository
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.docker_daemon import DockerDaemon
    from testbed.faults.proxy import FaultProxy
    from testbed.node.api import Cluster
    from testbed.prow.stack import LocalProw

SERVICES = tuple(f"tool{number}" for number in range(1, 25))
"""What can be released: each test takes one that no other has."""
JOB_SECONDS = 180.0
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Job:
    """A ProwJob that is complete. ``prefix`` is that of its keys in the bucket."""

    harness: ProwHarness
    document: dict[str, Any]

    @property
    def name(self) -> str:
        """The ProwJob's name."""
        return str(self.document["metadata"]["name"])

    @property
    def state(self) -> str:
        """What became of it."""
        return str(self.document["status"]["state"])

    @property
    def prefix(self) -> str:
        """What its keys in the bucket begin with."""
        return f"logs/{self.document['spec']['job']}/{self.document['status']['build_id']}/"

    @property
    def keys(self) -> set[str]:
        """Its keys in the bucket, without the prefix."""
        return {key.removeprefix(self.prefix) for key in self.harness.prow.storage.keys(self.prefix)}

    def read(self, key: str) -> str:
        """What the bucket has under a key."""
        return self.harness.prow.storage.read(self.prefix + key).decode()

    def json(self, key: str) -> dict[str, Any]:
        """What the bucket has under a key, as a document."""
        found: dict[str, Any] = json.loads(self.read(key))
        return found

    @property
    def lines(self) -> list[str]:
        """The build log."""
        return self.read("build-log.txt").splitlines()


class ProwHarness:
    """A Prow, and the registry that its jobs release to."""

    def __init__(self, prow: LocalProw, proxy: FaultProxy, daemon: DockerDaemon, pods: Cluster, folder: Path) -> None:
        self.prow, self.proxy, self.daemon, self.pods, self._folder = prow, proxy, daemon, pods, folder
        self._services = iter(SERVICES)

    def repository(self, version: str | None = "1.2.3") -> SampleRepository:
        """A repository that no other test has, with its branch main pushed."""
        service = next(self._services)
        made = make_repository(
            self._folder / service, service=service, registry=self.prow.place.registry, version=version
        )
        self.prow.repositories.push(made, "refs/heads/main")
        return made

    def pod(self, name: str) -> dict[str, Any]:
        """The pod of a ProwJob."""
        found = self.pods.pod(NAMESPACE, name)
        assert found is not None
        return found

    def processes(self, name: str) -> list[Process]:
        """The processes of the job's own container, those of Prow's entrypoint first; none where it does not run."""
        pod = self.pods.pod(NAMESPACE, name)
        if pod is None:
            return []
        try:
            state = container(self.daemon, pod["metadata"]["uid"], "test")["State"]
        except ProgramFailed:
            return []
        return process_tree(state["Pid"]) if state["Running"] else []

    def jobs(self, repository: SampleRepository) -> list[dict[str, Any]]:
        """The ProwJobs of a repository, the newest last."""
        found = [job for job in self.prow.cluster.jobs() if job["spec"]["refs"]["repo"] == repository.name]
        return sorted(found, key=lambda job: (job["metadata"]["creationTimestamp"], job["metadata"]["name"]))

    def started(self, repository: SampleRepository, sha: str) -> str:
        """Wait for a ProwJob for this object, and return its name."""

        def found() -> str | None:
            jobs = [job for job in self.jobs(repository) if job["spec"]["refs"]["base_sha"] == sha]
            return str(jobs[-1]["metadata"]["name"]) if jobs else None

        return until(found, pause=LOOK_SECONDS)

    def ended(self, name: str) -> Job:
        """Wait until a ProwJob is complete and reported."""

        def complete() -> dict[str, Any] | None:
            self.prow.servers.check()
            document = self.prow.cluster.job(name)
            reported = document["status"].get("prev_report_states", {})
            state = document["status"]["state"]
            over = "completionTime" in document["status"] and set(reported.values()) == {state}
            return document if over else None

        return Job(self, until(complete, pause=LOOK_SECONDS))

    def release(self, repository: SampleRepository, ref: str) -> Job:
        """Push a full ref name, and wait for the end of the job that it starts."""
        return self.ended(self.started(repository, self.prow.push(repository, ref)))

    def rerun(self, name: str, *, mode: str = "original") -> str:
        """Have Deck run a ProwJob again, as its page does, and return the name of the new one."""
        before = self._named()
        said = self._post(f"/rerun?mode={mode}&prowjob={name}")
        assert said.startswith("Job successfully triggered"), said
        [new] = self._named() - before
        return new

    def _named(self) -> set[str]:
        return {str(job["metadata"]["name"]) for job in self.prow.cluster.jobs()}

    def abort(self, name: str) -> Job:
        """Have Deck abort a ProwJob, as its page does, and wait until its pod is gone, too.

        Prow calls it complete as soon as the pod has been told to end.
        """
        self._post(f"/abort?prowjob={name}")
        job = self.ended(name)
        until(lambda: self.pods.pod(NAMESPACE, name) is None, pause=LOOK_SECONDS)
        return job

    def _post(self, path: str) -> str:
        request = urllib.request.Request(f"{self.prow.place.deck}{path}", method="POST")  # noqa: S310 - the loopback
        with urllib.request.urlopen(request, timeout=JOB_SECONDS) as answer:  # noqa: S310 - as above
            text: str = answer.read().decode()
            return text


def container(daemon: DockerDaemon, uid: str, name: str) -> dict[str, Any]:
    """What dockerd says of a container of the pod with this uid."""
    [found] = json.loads(daemon.docker("inspect", f"{name}_{uid}"))
    return dict(found)
