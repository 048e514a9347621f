"""A ProwJob as a value, read from what the Kubernetes API gives. Pure.

The fields are those of Prow's own type (pkg/apis/prowjobs/v1/types.go). Whatever is missing or of another type is
empty: other programs write ProwJobs, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JobState = Literal["scheduling", "triggered", "pending", "success", "failure", "aborted", "error"]
STATES: Final[tuple[JobState, ...]] = get_args(JobState)
UNFINISHED: Final = frozenset({"scheduling", "triggered", "pending"})
FAILED: Final = frozenset({"failure", "error"})

CONTAINER: Final = "test"
"""The container of a decorated job's pod that runs the job (pkg/kube/constants.go)."""

PROGRAM: Final = "ack-release"
RELEASE_SUFFIX: Final = re.compile(r"-release(-check)?$")

_VIEW: Final = re.compile(r"^(?P<deck>https?://.+?)/view/(?P<provider>[a-z0-9]+)/(?P<bucket>[^/]+)/(?P<path>.+?)/?$")


@dataclass(frozen=True)
class Place:
    """Where a job's log and artifacts are kept: a provider by the scheme of its addresses, a bucket, and a folder."""

    provider: str
    bucket: str
    folder: str

    def __str__(self) -> str:
        return f"{self.provider}://{self.bucket}/{self.folder}"


@dataclass(frozen=True)
class ProwJob:
    """What is known of a job.

    Attributes:
        name: the ProwJob's.
        job: its job's in Prow's configuration.
        type: postsubmit, presubmit, periodic or batch.
        state: one of ``STATES``.
        description: what Prow says of the state.
        org: the repository's owner.
        repo: the repository.
        link: the repository's page.
        ref: the pushed branch or tag.
        commit: the object that was pushed.
        pulls: the numbers of pull requests that are tested.
        services: what it releases, from its arguments, else from its name.
        is_release: whether it runs this program's ``run``, as generated jobs do.
        started: when it was made.
        completed: when it had ended.
        url: Prow's page of it.
        build_id: of its pod.
        pod: its pod's name.
        cluster: Prow's name of the cluster that the pod runs in.
        place: where its log and artifacts are kept, if that is known.
        document: the ProwJob as the API gave it.
    """

    name: str
    job: str
    type: str
    state: str
    description: str
    org: str
    repo: str
    link: str
    ref: str
    commit: str
    pulls: tuple[str, ...]
    services: tuple[str, ...]
    is_release: bool
    started: datetime | None
    completed: datetime | None
    url: str
    build_id: str
    pod: str
    cluster: str
    place: Place | None
    document: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def is_unfinished(self) -> bool:
        """Whether it waits, runs, or has been aborted and not ended yet."""
        return self.state in UNFINISHED or (self.completed is None and self.state == "aborted")

    @property
    def service(self) -> str:
        """What it releases, in words."""
        return ",".join(self.services) or self.job

    @property
    def of(self) -> str:
        """What was pushed: the ref, and the pull requests that are merged into it."""
        return f"{self.ref} #{','.join(self.pulls)}" if self.pulls else self.ref

    @property
    def deck(self) -> str | None:
        """The address of Prow's page for all jobs, without a slash at the end."""
        found = _VIEW.match(self.url)
        return found["deck"] if found else None


def read_prowjob(document: Mapping[str, Any]) -> ProwJob:
    """Read a ProwJob."""
    spec, status = _mapping(document, "spec"), _mapping(document, "status")
    refs = _mapping(spec, "refs")
    job = _text(spec, "job")
    arguments = _arguments(spec)
    return ProwJob(
        name=_text(_mapping(document, "metadata"), "name"),
        job=job,
        type=_text(spec, "type"),
        state=_text(status, "state") or "triggered",
        description=_text(status, "description"),
        org=_text(refs, "org"),
        repo=_text(refs, "repo"),
        link=_text(refs, "repo_link"),
        ref=_text(refs, "base_ref"),
        commit=_text(refs, "base_sha"),
        pulls=tuple(str(pull.get("number", "")) for pull in _mappings(refs, "pulls")),
        services=_services(job, arguments),
        is_release=arguments[:2] == (PROGRAM, "run"),
        started=_time(status, "startTime") or _time(_mapping(document, "metadata"), "creationTimestamp"),
        completed=_time(status, "completionTime"),
        url=_text(status, "url"),
        build_id=_text(status, "build_id"),
        pod=_text(status, "pod_name") or _text(_mapping(document, "metadata"), "name"),
        cluster=_text(spec, "cluster") or "default",
        place=_place(spec, status),
        document=document,
    )


def _arguments(spec: Mapping[str, Any]) -> tuple[str, ...]:
    for container in _mappings(_mapping(spec, "pod_spec"), "containers"):
        argv = [*_texts(container, "command"), *_texts(container, "args")]
        if argv[:1] == [PROGRAM]:
            return tuple(argv)
    return ()


def _services(job: str, arguments: tuple[str, ...]) -> tuple[str, ...]:
    if not arguments:
        return ()
    named = tuple(value for option, value in pairwise(arguments) if option == "--service")
    return named or (RELEASE_SUFFIX.sub("", job),)


def _place(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Place | None:
    """Where Prow says it keeps what the job leaves; of postsubmits also before it has said so.

    The folder of a postsubmit is that of Prow's PathForSpec (pkg/pod-utils/gcs/target.go).
    """
    if found := _VIEW.match(_text(status, "url")):
        provider = {"gcs": "gs"}.get(found["provider"], found["provider"])
        return Place(provider, found["bucket"], found["path"])
    kept = _mapping(_mapping(spec, "decoration_config"), "gcs_configuration")
    bucket, build = _text(kept, "bucket"), _text(status, "build_id")
    if not bucket or not build or _text(spec, "type") != "postsubmit":
        return None
    scheme, separator, name = bucket.partition("://")
    provider, name = (scheme, name) if separator else ("gs", bucket)
    folder = "/".join(filter(None, (_text(kept, "path_prefix"), "logs", _text(spec, "job"), build)))
    return Place(provider, name, folder)


def _mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def _mappings(document: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    found = document.get(key)
    yield from (one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()


def _text(document: Mapping[str, Any], key: str) -> str:
    found = document.get(key)
    return found if isinstance(found, str) else ""


def _texts(document: Mapping[str, Any], key: str) -> Iterator[str]:
    found = document.get(key)
    yield from (one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def _time(document: Mapping[str, Any], key: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(_text(document, key))
    except ValueError:
        return None
    return found if found.tzinfo else None
