"""ProwJobs in memory, and what Prow keeps of them: no cluster and no bucket."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from runner.errors import JobUnknown
from runner.prow.operate.prowjob import read_prowjob

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runner.errors import ReleaseError
    from runner.prow.operate.prowjob import Place, ProwJob

Document = dict[str, Any]


def prowjob(
    name: str = "0b1c5d9e-0000-4000-8000-000000000001",
    *,
    service: str = "s3",
    ref: str = "v1.2.3",
    state: str = "failure",
    started: str = "2026-11-28T08:00:00Z",
    completed: str | None = "2026-11-28T08:02:05Z",
    args: Sequence[str] = ("run",),
    build: str = "2026112800001",
    **status: object,
) -> Document:
    """A ProwJob as the API gives it, of a generated job after a push."""
    over = {} if completed is None or state in {"scheduling", "triggered", "pending"} else {"completionTime": completed}
    return {
        "apiVersion": "prow.k8s.io/v1",
        "kind": "ProwJob",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "resourceVersion": "1",
            "creationTimestamp": started,
            "labels": {
                "created-by-prow": "true",
                "prow.k8s.io/type": "postsubmit",
                "prow.k8s.io/job": f"{service}-release",
                "prow.k8s.io/id": name,
                "prow.k8s.io/build-id": build,
                "event-GUID": "guid",
            },
            "annotations": {"prow.k8s.io/job": f"{service}-release", "prow.k8s.io/context": ""},
        },
        "spec": {
            "type": "postsubmit",
            "agent": "kubernetes",
            "cluster": "default",
            "job": f"{service}-release",
            "refs": {
                "org": "aws-controllers-k8s",
                "repo": f"{service}-controller",
                "repo_link": f"https://github.com/aws-controllers-k8s/{service}-controller",
                "base_ref": ref,
                "base_sha": "a" * 40,
            },
            "decoration_config": {"gcs_configuration": {"bucket": "s3://prow", "path_strategy": "explicit"}},
            "pod_spec": {
                "containers": [{"name": "", "image": "a.example/r:1", "command": ["ack-release"], "args": [*args]}]
            },
        },
        "status": {
            "state": state,
            "startTime": started,
            "pod_name": name,
            "build_id": build,
            "url": f"https://prow.example/view/s3/prow/logs/{service}-release/{build}",
            "description": "Job failed." if state == "failure" else "",
            **over,
            **status,
        },
    }


class MemoryJobs:
    """ProwJobs that change only by what is asked of them, and by ``later``.

    Args:
        documents: the ProwJobs.
        pods: their pods, by name.
        logs: what their own containers have printed, by name.
        later: what becomes of them as they are watched, one list for each watch.
        problem: what is raised instead of each answer about pods.
    """

    name = "memory"
    namespace = "default"

    def __init__(
        self,
        *documents: Document,
        pods: Mapping[str, Document] | None = None,
        logs: Mapping[str, Sequence[str]] | None = None,
        later: Sequence[Sequence[tuple[str, Document | None]]] = (),
        problem: ReleaseError | None = None,
    ) -> None:
        self.documents = {str(one["metadata"]["name"]): copy.deepcopy(one) for one in documents}
        self.pods = dict(pods or {})
        self.logs = dict(logs or {})
        self.problem = problem
        self.calls: list[tuple[str, str]] = []
        self._later = list(later)

    def jobs(self) -> tuple[list[ProwJob], str]:
        """All of them."""
        self.calls.append(("list", ""))
        return [read_prowjob(one) for one in self.documents.values()], "1"

    def changes(self, version: str) -> Iterator[tuple[str, ProwJob | None, str]]:
        """What becomes of them next."""
        self.calls.append(("watch", version))
        for event, document in self._later.pop(0):
            yield event, None if document is None else read_prowjob(document), "2" if document else ""

    def job(self, name: str) -> ProwJob:
        """One of them."""
        self.calls.append(("get", name))
        if name not in self.documents:
            raise JobUnknown(f"there is no job {name} in the namespace {self.namespace} of {self.name}")
        return read_prowjob(self.documents[name])

    def create(self, document: Mapping[str, Any]) -> ProwJob:
        """Make one."""
        name = str(document["metadata"]["name"])
        self.calls.append(("create", name))
        made = copy.deepcopy(dict(document))
        made["metadata"]["resourceVersion"] = "1"
        self.documents[name] = made
        return read_prowjob(made)

    def patch(self, name: str, change: Mapping[str, Any]) -> ProwJob | None:
        """Change one, unless it has changed."""
        self.calls.append(("patch", name))
        document = self.documents[name]
        if change["metadata"]["resourceVersion"] != document["metadata"]["resourceVersion"]:
            return None
        document["status"] |= change["status"]
        document["metadata"]["resourceVersion"] = str(int(document["metadata"]["resourceVersion"]) + 1)
        return read_prowjob(document)

    def pod(self, job: ProwJob) -> Document | None:
        """Its pod."""
        self.calls.append(("pod", job.name))
        if self.problem is not None:
            raise self.problem
        return self.pods.get(job.name)

    def pod_log(self, job: ProwJob, *, follow: bool) -> Iterator[str] | None:
        """What its container has printed."""
        self.calls.append(("follow" if follow else "log", job.name))
        if self.problem is not None:
            raise self.problem
        return iter(self.logs[job.name]) if job.name in self.logs else None


class MemoryBucket:
    """What is kept of jobs, by ``FOLDER/NAME``; ``problem`` is raised instead of each answer."""

    def __init__(self, kept: Mapping[str, bytes] | None = None, problem: ReleaseError | None = None) -> None:
        self.kept = dict(kept or {})
        self.problem = problem
        self.asked: list[str] = []

    def read(self, place: Place, name: str) -> bytes | None:
        """A file."""
        self.asked.append(f"{place.folder}/{name}")
        if self.problem is not None:
            raise self.problem
        return self.kept.get(f"{place.folder}/{name}")

    def lines(self, place: Place, name: str) -> Iterator[str] | None:
        """A file's lines."""
        content = self.read(place, name)
        return None if content is None else iter(content.decode().splitlines())
