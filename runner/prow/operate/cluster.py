"""All that the commands ask of the Kubernetes API. The only caller of its client."""

from __future__ import annotations

import json
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import kubernetes.client
import urllib3
from kubernetes.client.exceptions import ApiException
from kubernetes.watch import Watch

from runner.errors import ClusterFailed, JobUnknown
from runner.oci.problem import describe
from runner.prow.operate.problem import GROUP, Asked, may_pass, refusal
from runner.prow.operate.prowjob import CONTAINER, read_prowjob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runner.errors import ReleaseError
    from runner.prow.operate.kubeconfig import Reached
    from runner.prow.operate.prowjob import ProwJob
    from runner.report.console import Log
    from runner.runtime.lifetime import Lifetime

T = TypeVar("T")
Document = dict[str, Any]

VERSION: Final = "v1"
CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 60
SILENT_SECONDS: Final = 4 * 3600
"""How long a job that is followed may print nothing: as long as a kubelet waits (streamingConnectionIdleTimeout)."""

WATCH_SECONDS: Final = 10
"""How long one watch goes on: what is shown is drawn anew at least that often."""

ATTEMPTS: Final = 3
PAUSE_SECONDS: Final = 1.0
PAGE: Final = 200
"""How many ProwJobs an answer holds; each has some 10 kB."""

CHUNK: Final = 8192
EXPIRED: Final = "expired"


class Jobs(Protocol):
    """The ProwJobs of a namespace, and their pods."""

    name: str
    namespace: str

    def jobs(self) -> tuple[list[ProwJob], str]:
        """All of them, and the version that they are of."""
        ...

    def changes(self, version: str) -> Iterator[tuple[str, ProwJob | None, str]]:
        """What becomes of them from a version on: ADDED, MODIFIED or DELETED, the job, and the new version."""
        ...

    def job(self, name: str) -> ProwJob:
        """One of them."""
        ...

    def create(self, document: Mapping[str, Any]) -> ProwJob:
        """Make one."""
        ...

    def patch(self, name: str, change: Mapping[str, Any]) -> ProwJob | None:
        """Change one; None where it was changed by somebody else since it was read."""
        ...

    def pod(self, job: ProwJob) -> Document | None:
        """The pod of one; None where there is none."""
        ...

    def pod_log(self, job: ProwJob, *, follow: bool) -> Iterator[str] | None:
        """The lines that a job's own container has printed; None where there is no log."""
        ...


class Cluster:
    """The ProwJobs of a namespace of a real cluster.

    Args:
        reached: the cluster that Prow runs in.
        pods_of: gives the cluster that pods of Prow's cluster of this name run in; None where it is not known.
        namespace: of ProwJobs.
        pod_namespace: of their pods.
        lifetime: whose end ends what waits.
        log: is told of each request.

    Every method may raise ClusterCredentialsRefused, ClusterPermissionMissing, ClusterUnusable and ClusterFailed.
    """

    def __init__(
        self,
        reached: Reached,
        pods_of: Callable[[str], Reached | None],
        *,
        namespace: str,
        pod_namespace: str,
        lifetime: Lifetime,
        log: Log,
    ) -> None:
        self.name = reached.name
        self.namespace = namespace
        self._pod_namespace = pod_namespace
        self._pods_of = pods_of
        self._lifetime = lifetime
        self._log = log
        self._objects: Any = kubernetes.client.CustomObjectsApi(reached.api)
        self._where = (GROUP, VERSION, namespace, "prowjobs")

    def jobs(self) -> tuple[list[ProwJob], str]:
        """All ProwJobs, and the version that they are of."""
        found: list[ProwJob] = []
        more: dict[str, str] = {}
        while True:
            page = self._ask(self._asked("list"), partial(self._page, more))
            found += map(read_prowjob, page["items"])
            token = page["metadata"].get("continue")
            if not token:
                return found, str(page["metadata"].get("resourceVersion", ""))
            more = {"_continue": token}

    def _page(self, more: Mapping[str, str]) -> Document:
        found: Document = self._objects.list_namespaced_custom_object(
            *self._where, limit=PAGE, _request_timeout=(CONNECT_SECONDS, READ_SECONDS), **more
        )
        return found

    def changes(self, version: str) -> Iterator[tuple[str, ProwJob | None, str]]:
        """What becomes of ProwJobs from a version on, for some seconds: what, the job, and the version after it.

        The last is (EXPIRED, None, "") where the version is too old to go on from.
        """
        asked = self._asked("watch")
        self._log.debug("request", asked=str(asked), cluster=self.name)
        try:
            for event in Watch().stream(
                self._objects.list_namespaced_custom_object,
                *self._where,
                resource_version=version,
                timeout_seconds=WATCH_SECONDS,
                _request_timeout=(CONNECT_SECONDS, WATCH_SECONDS + READ_SECONDS),
            ):
                found = event["raw_object"]
                yield event["type"], read_prowjob(found), str(found["metadata"].get("resourceVersion", version))
        except ApiException as error:
            if error.status != HTTPStatus.GONE:
                raise _refusal(error, asked) from error
            yield EXPIRED, None, ""
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unanswered(asked, error) from error

    def job(self, name: str) -> ProwJob:
        """A ProwJob by its whole name.

        Raises:
            JobUnknown: there is none.
        """

        def read() -> Document:
            found: Document = self._objects.get_namespaced_custom_object(
                *self._where, name, _request_timeout=(CONNECT_SECONDS, READ_SECONDS)
            )
            return found

        found = self._ask(self._asked("get"), _or_none(read, HTTPStatus.NOT_FOUND))
        if found is None:
            raise JobUnknown(f"there is no job {name} in the namespace {self.namespace} of {self.name}")
        return read_prowjob(found)

    def create(self, document: Mapping[str, Any]) -> ProwJob:
        """Make a ProwJob. It has a name of its own, so that one whose answer was lost is not made twice."""
        name = str(document["metadata"]["name"])

        def make() -> Document:
            try:
                made: Document = self._objects.create_namespaced_custom_object(
                    *self._where, dict(document), _request_timeout=(CONNECT_SECONDS, READ_SECONDS)
                )
            except ApiException as error:
                if error.status != HTTPStatus.CONFLICT:
                    raise
                made = self._objects.get_namespaced_custom_object(*self._where, name)
            return made

        return read_prowjob(self._ask(self._asked("create"), make))

    def patch(self, name: str, change: Mapping[str, Any]) -> ProwJob | None:
        """Change a ProwJob; None where somebody else has changed it since the version that the change names."""

        def change_it() -> Document:
            found: Document = self._objects.patch_namespaced_custom_object(
                *self._where,
                name,
                dict(change),
                _content_type="application/merge-patch+json",
                _request_timeout=(CONNECT_SECONDS, READ_SECONDS),
            )
            return found

        found = self._ask(self._asked("patch"), _or_none(change_it, HTTPStatus.CONFLICT))
        return None if found is None else read_prowjob(found)

    def pod(self, job: ProwJob) -> Document | None:
        """The pod of a job; None where there is none, or where it is not known how its cluster is reached."""
        core = self._core(job)
        if core is None:
            return None
        asked = Asked("get", "pods", self._pod_namespace, self._pod_cluster(job))

        def read() -> Any:  # noqa: ANN401 - an answer of the client's
            return core.read_namespaced_pod(
                job.pod, self._pod_namespace, _preload_content=False, _request_timeout=(CONNECT_SECONDS, READ_SECONDS)
            )

        answer = self._ask(asked, _or_none(read, HTTPStatus.NOT_FOUND))
        if answer is None:
            return None
        found: Document = json.loads(answer.data)
        return found

    def pod_log(self, job: ProwJob, *, follow: bool) -> Iterator[str] | None:
        """The lines that a job's own container has printed, and with ``follow`` those that it will print.

        None where there is no pod, it has no log yet, or it is not known how its cluster is reached.
        """
        core = self._core(job)
        if core is None:
            return None
        asked = Asked("get", "pods/log", self._pod_namespace, self._pod_cluster(job))

        def read() -> Any:  # noqa: ANN401 - as above
            return core.read_namespaced_pod_log(
                job.pod,
                self._pod_namespace,
                container=CONTAINER,
                follow=follow,
                _preload_content=False,
                _request_timeout=(CONNECT_SECONDS, SILENT_SECONDS if follow else READ_SECONDS),
            )

        # A container that has not started is a bad request.
        answer = self._ask(asked, _or_none(read, HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST))
        return None if answer is None else self._lines(asked, answer)

    def _lines(self, asked: Asked, answer: Any) -> Iterator[str]:  # noqa: ANN401 - as above
        rest = b""
        try:
            for chunk in answer.stream(CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield line.decode(errors="replace")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unanswered(asked, error) from error
        if rest:
            yield rest.decode(errors="replace")

    def _core(self, job: ProwJob) -> Any:  # noqa: ANN401 - the client's types do not know that it gives plain JSON
        reached = self._pods_of(job.cluster)
        return None if reached is None else kubernetes.client.CoreV1Api(reached.api)

    def _pod_cluster(self, job: ProwJob) -> str:
        reached = self._pods_of(job.cluster)
        return reached.name if reached else job.cluster

    def _asked(self, verb: str) -> Asked:
        return Asked(verb, "prowjobs", self.namespace, self.name, GROUP)

    def _ask(self, asked: Asked, call: Callable[[], T]) -> T:
        """Ask, and again where another answer may come."""
        for attempt in range(1, ATTEMPTS + 1):
            self._lifetime.check()
            self._log.debug("request", asked=str(asked), cluster=asked.cluster, attempt=attempt)
            try:
                return call()
            except ApiException as error:
                if not may_pass(error.status or 0) or attempt == ATTEMPTS:
                    raise _refusal(error, asked) from error
            except (urllib3.exceptions.HTTPError, OSError) as error:
                if attempt == ATTEMPTS:
                    raise self._unanswered(asked, error) from error
            self._lifetime.wait(PAUSE_SECONDS * attempt)
        raise AssertionError("the last attempt returns or raises")

    def _unanswered(self, asked: Asked, error: BaseException) -> ClusterFailed:
        return ClusterFailed(f"{asked.cluster} cannot be asked to {asked}: {describe(error)}")


def _refusal(error: ApiException, asked: Asked) -> ReleaseError:
    body: Any = error.body
    said = body.decode(errors="replace") if isinstance(body, bytes) else body
    return refusal(error.status or 0, str(said or error.reason or ""), asked)


def _or_none(call: Callable[[], T], *statuses: HTTPStatus) -> Callable[[], T | None]:
    """Make a call that gives None where the answer is one of these."""

    def ask() -> T | None:
        try:
            return call()
        except ApiException as error:
            if error.status in statuses:
                return None
            raise

    return ask
