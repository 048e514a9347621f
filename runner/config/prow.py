"""The section ``prow`` of ``jobs.yaml``: how the release jobs run in Prow, and what one service changes of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from runner.config.decoration import DecorationSection
from runner.config.decoration import contradictions as decoration_contradictions
from runner.config.image import ExactImage  # noqa: TC001 - pydantic reads the annotations
from runner.config.kubernetes import (
    AmountsSection,
    Annotations,
    Duration,
    Labels,
    NodeLabels,
    ObjectName,
    ResourcesSection,
    SecretKey,
    TolerationSection,
    annotations_problem,
    filled,
    label_problem,
    seconds,
)
from runner.config.section import Listed, Section

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST_GRACE_SECONDS: Final = 15
"""A run that is ended spends two thirds of the grace period on its children and its reports, and two seconds on its
work folder (``runner.cli.session``)."""

PLACEHOLDER_IMAGE: Final = "public.ecr.aws/aws-controllers-k8s/ack-release:0.1.0"
"""What the checked-in ``jobs.yaml`` names until somebody has published an image of the runner."""

_ACCOUNT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
NAME_LENGTH: Final = 63
"""A job's longer name is cut in the label that jobs are found by (pkg/pod-utils/decorate/podspec.go)."""


def release_job(name: str) -> str:
    """The name of the postsubmit that releases the service, or all services of the repository, of this name."""
    return f"{name}-release"


def check_job(name: str) -> str:
    """The name of the presubmit beside ``release_job(name)``."""
    return f"{name}-release-check"


AUDIT_JOB: Final = "ack-release-audit"
"""The name of the periodic job, and of the file that it is in."""


def _account(text: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise ValueError(f"{text!r} is not a name on GitHub")
    return text


def _team(text: str) -> str:
    org, slash, slug = text.partition("/")
    if not slash or not _ACCOUNT.fullmatch(org) or not _ACCOUNT.fullmatch(slug):
        raise ValueError(f"{text!r} is not ORG/TEAM, the team written as in its address")
    return text


def _channel(text: str) -> str:
    if not re.fullmatch(r"#?[^\s#]{1,80}", text):
        raise ValueError(f"{text!r} is not a Slack channel")
    return text


def _absolute(text: str) -> str:
    if not text.startswith("/") or not text.isprintable() or ".." in text.split("/") or ":" in text:
        raise ValueError(f"{text!r} is not an absolute path")
    return text


_CRON_FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 6))
"""The fields of a schedule, with what each may be (github.com/robfig/cron, which Prow reads schedules with)."""
_CRON_PART: Final = re.compile(r"(?:\*|(?P<first>[0-9]{1,2})(?:-(?P<last>[0-9]{1,2}))?)(?:/(?P<step>[0-9]{1,2}))?")


def _cron(text: str) -> str:
    fields = text.split(" ")
    if len(fields) != len(_CRON_FIELDS):
        raise ValueError(f"{text!r} is not a schedule of five fields such as '0 6 * * *'")
    for field, (name, least, most) in zip(fields, _CRON_FIELDS, strict=True):
        for part in field.split(","):
            found = _CRON_PART.fullmatch(part)
            numbers = [int(found[key]) for key in ("first", "last") if found[key]] if found else []
            legal = found is not None and found["step"] != "0" and numbers == sorted(numbers)
            if not legal or any(not least <= number <= most for number in numbers):
                raise ValueError(f"{text!r} is not a schedule: the {name} {part!r} is not within {least}-{most}")
    return text


def _git_base(text: str) -> str:
    if not re.fullmatch(r"(?:https|file)://[^\s@]+|ssh://\S+", text):
        raise ValueError(f"{text!r} is not an address such as https://github.com/OWNER")
    return text


_Account = Annotated[str, AfterValidator(_account)]
_Team = Annotated[str, AfterValidator(_team)]
_Path = Annotated[str, AfterValidator(_absolute)]
_Known = Annotated[str, Field(min_length=1)]
_Id = Annotated[int, Field(ge=1, le=2**31 - 1)]


class SlackSection(Section):
    """Where Prow says how a job ended. Needs Prow's Slack reporter."""

    channel: Annotated[str, AfterValidator(_channel)] = Field(description="The channel.", examples=["#ack-releases"])
    states: Listed[Literal["triggered", "pending", "success", "failure", "aborted", "error"]] = Field(
        ("failure", "error"),
        description="Which results of a job are reported.",
        examples=[["failure", "error", "aborted"]],
    )


class RerunSection(Section):
    """Who may rerun and abort the jobs on Deck's page. A rerun changes nothing that is published."""

    allow_anyone: bool = Field(False, description="Anyone who can open Deck's page; not together with the lists.")
    users: Listed[_Account] | None = Field(None, description="GitHub users.", examples=[["octocat"]])
    teams: Listed[_Team] | None = Field(
        None, description="GitHub teams, ORG/TEAM.", examples=[["aws-controllers-k8s/release-managers"]]
    )
    orgs: Listed[_Account] | None = Field(
        None, description="GitHub organizations: every member.", examples=[["aws-controllers-k8s"]]
    )

    @model_validator(mode="after")
    def _anyone_needs_no_list(self) -> RerunSection:
        listed = self.users or self.teams or self.orgs
        if self.allow_anyone and listed:
            raise ValueError("allow_anyone cannot be combined with lists: remove it, or users, teams and orgs")
        if not self.allow_anyone and not listed:
            raise ValueError("nobody is named: give users, teams or orgs, or allow_anyone: true")
        return self


class BuildCacheSection(Section):
    """A volume that keeps Go's caches from one job to the next: a claim or a folder of the node."""

    claim: ObjectName | None = Field(None, description="A PersistentVolumeClaim.", examples=["ack-release-cache"])
    host_path: _Path | None = Field(
        None, description="A folder of the node that the job's group may write to.", examples=["/var/cache/ack-release"]
    )

    @model_validator(mode="after")
    def _one_volume(self) -> BuildCacheSection:
        if (self.claim is None) == (self.host_path is None):
            raise ValueError("give either claim or host_path")
        return self


class CredentialsSection(Section):
    """The Secret with the registry's credentials, as Docker's config file."""

    secret: ObjectName = Field(description="Its name.", examples=["ack-release-registry"])
    key: SecretKey = Field(
        ".dockerconfigjson",
        description="The key that holds the file; that of a Secret of type kubernetes.io/dockerconfigjson by default.",
        examples=["config.json"],
    )


class DockerSocketSection(Section):
    """The node's Docker daemon, for builds that need one. Whoever may write to its socket is root on the node."""

    path: _Path = Field("/var/run/docker.sock", description="The socket on the node.")
    group: _Id | None = Field(None, description="The id of the group that owns the socket.", examples=[998])


class CheckSection(Section):
    """The presubmit that says, before a merge, what a release of it would do."""

    enabled: bool = Field(True, description="Whether there is one.")
    labels: Labels = Field(
        {},
        description="Labels of the presubmits and their pods; those of the releases do not apply. {service} stands for"
        " the service.",
    )
    annotations: Annotations = Field(
        {},
        description="Annotations of the presubmits and their pods; those of the releases do not apply. {service} stands"
        " for the service.",
    )
    node_selector: NodeLabels = Field(
        {}, description="Labels of the nodes that the presubmits may run on; those for the releases do not apply."
    )
    tolerations: tuple[TolerationSection, ...] = Field(
        (), description="Taints of nodes that the presubmits may run on; those for the releases do not apply."
    )
    priority_class: ObjectName | None = Field(
        None, description="The priority class of the presubmits' pods; that of the releases does not apply."
    )
    decoration: DecorationSection | None = Field(
        None,
        description="Prow's own containers in the presubmits; if unset: as in the releases, but without their Secrets.",
    )
    optional: bool = Field(False, description="Whether a pull request may be merged when it fails.")
    timeout: Duration = Field("15m", description="After how long Prow ends it.")
    grace_period: Duration = Field("30s", description="How long it then may take to end.")
    resources: ResourcesSection = Field(
        ResourcesSection(
            requests=AmountsSection(cpu="500m", memory="512Mi"), limits=AmountsSection(cpu="2", memory="1Gi")
        ),
        description="What its container asks for, and may have at most.",
    )


class AuditSection(Section):
    """The periodic job that compares git's tags with the registry. It has no credentials: it only reads."""

    cron: Annotated[str, AfterValidator(_cron)] = Field(
        "0 6 * * *", description="When it runs, UTC: minute, hour, day, month, weekday.", examples=["0 6 * * 1-5"]
    )
    deep: bool = Field(False, description="Whether everything that is published is read, older versions too.")
    git_base: Annotated[str, AfterValidator(_git_base)] | None = Field(
        None,
        description="What the repositories are below; if unset: https://github.com/ and org.",
        examples=["https://git.example/aws-controllers-k8s"],
    )
    labels: Labels = Field({}, description="Labels of the job and its pod; those of the releases do not apply.")
    annotations: Annotations = Field(
        {}, description="Annotations of the job and its pod; those of the releases do not apply."
    )
    node_selector: NodeLabels = Field(
        {}, description="Labels of the nodes that it may run on; those for the releases do not apply."
    )
    tolerations: tuple[TolerationSection, ...] = Field(
        (), description="Taints of nodes that it may run on; those for the releases do not apply."
    )
    priority_class: ObjectName | None = Field(
        None, description="The priority class of its pod; that of the releases does not apply."
    )
    decoration: DecorationSection | None = Field(
        None, description="Prow's own containers in it; if unset: as in the releases, but without their Secrets."
    )
    timeout: Duration = Field("1h", description="After how long Prow ends it.")
    grace_period: Duration = Field("30s", description="How long it then may take to end.")
    resources: ResourcesSection = Field(
        ResourcesSection(
            requests=AmountsSection(cpu="500m", memory="512Mi"), limits=AmountsSection(cpu="2", memory="1Gi")
        ),
        description="What its container asks for, and may have at most.",
    )


class JobSection(Section):
    """How a release job runs. A key set for a service replaces the common one as a whole."""

    image: ExactImage | None = Field(
        None,
        description="The runner's image, by exact tag or digest.",
        examples=["public.ecr.aws/aws-controllers-k8s/ack-release:0.1.0", "registry.example/ack-release@sha256:…"],
    )
    timeout: Duration = Field(
        "1h", description="After how long Prow ends a release; the run ends itself shortly before."
    )
    grace_period: Duration = Field(
        "90s", description="How long a release that is ended may take to finish its reports, before it is killed."
    )
    resources: ResourcesSection = Field(
        ResourcesSection(requests=AmountsSection(cpu="2", memory="5Gi"), limits=AmountsSection(cpu="8", memory="5Gi")),
        description="What the release's container asks for, and may have at most.",
    )
    service_account: ObjectName | None = Field(
        None,
        description="The service account of the release's pod. Its token is not mounted; an AWS role is given by the "
        "cluster's own webhook.",
        examples=["ack-release"],
    )
    user: _Id = Field(65532, description="The uid that the job runs as.")
    group: _Id = Field(65532, description="The gid that the job runs as, which also owns its volumes.")
    cluster: ObjectName = Field("default", description="Prow's name for the build cluster that the pods run in.")
    rerun: RerunSection | None = Field(
        None, description="Who may rerun and abort on Deck's page; if unset: every member of org."
    )
    slack: SlackSection | None = Field(None, description="Report to a Slack channel how releases end; if unset: none.")
    build_cache: BuildCacheSection | None = Field(
        None, description="A volume that keeps Go's caches; if unset: every job compiles from nothing."
    )
    credentials: CredentialsSection | None = Field(
        None, description="The registry's credentials, mounted read-only into the release; if unset: none."
    )
    docker_socket: DockerSocketSection | None = Field(
        None, description="Mount the node's Docker socket into the release; if unset: no daemon."
    )
    labels: Labels = Field(
        {},
        description="Labels of the releases and their pods. A preset that they select does not apply to the "
        "presubmits, which run a pull request's content. {service} stands for the service.",
        examples=[{"preset-proxy": "true", "team": "ack-{service}"}],
    )
    annotations: Annotations = Field(
        {},
        description="Annotations of the releases and their pods; in some clusters they give a pod an AWS role."
        " {service} stands for the service.",
        examples=[{"testgrid-dashboards": "ack-releases", "testgrid-tab-name": "{service}-release"}],
    )
    node_selector: NodeLabels = Field(
        {}, description="Labels of the nodes that the releases may run on.", examples=[{"pool": "releases"}]
    )
    tolerations: tuple[TolerationSection, ...] = Field(
        (),
        description="Taints of nodes that the releases may run on nevertheless.",
        examples=[[{"key": "dedicated", "value": "releases", "effect": "NoSchedule"}]],
    )
    priority_class: ObjectName | None = Field(
        None, description="The priority class of the releases' pods.", examples=["release-jobs"]
    )
    image_pull_secrets: Listed[ObjectName] | None = Field(
        None,
        description="Secrets that the node pulls the images of a job with, also those of the presubmits: only the"
        " kubelet reads them, no container does.",
        examples=[["ack-release-pull"]],
    )
    decoration: DecorationSection | None = Field(
        None, description="Prow's own containers around the job's: the bucket, their images and resources, and more."
    )
    check: CheckSection = Field(CheckSection(), description="The presubmit.")


class OperatorsSection(Section):
    """Users and groups that are bound to the operators' roles."""

    users: Listed[_Known] | None = Field(None, description="Users, as the cluster knows them.", examples=[["alice"]])
    groups: Listed[_Known] | None = Field(
        None, description="Groups, as the cluster knows them.", examples=[["ack-release-operators"]]
    )

    @model_validator(mode="after")
    def _somebody(self) -> OperatorsSection:
        if not self.users and not self.groups:
            raise ValueError("nobody is named: give users or groups")
        return self


class ProwSection(JobSection):
    """The release jobs in Prow: all that is generated into prowjobs/."""

    image: ExactImage = Field(
        description="The runner's image, by exact tag or digest.",
        examples=["public.ecr.aws/aws-controllers-k8s/ack-release:0.1.0", "registry.example/ack-release@sha256:…"],
    )
    org: _Account = Field("aws-controllers-k8s", description="The GitHub organization that the repositories are in.")
    monorepo: Literal["one-job-per-service", "one-job"] = Field(
        "one-job-per-service",
        description="For a repository with several services: a job for each, so that Prow spreads a tag's services "
        "over the cluster, or one job that releases them all.",
    )
    prowjob_namespace: ObjectName = Field(
        "default", description="Where Prow keeps its ProwJobs; as in Prow's own config."
    )
    pod_namespace: ObjectName = Field("default", description="Where Prow starts pods; as in Prow's own config.")
    audit: AuditSection | None = Field(
        None, description="The periodic job that compares git's tags with the registry; if unset: none."
    )
    operators: OperatorsSection = Field(
        OperatorsSection(groups=("ack-release-operators",)),
        description="Who may list, follow, rerun and abort release jobs through the Kubernetes API.",
    )


def _without_defaults(schema: dict[str, Any]) -> None:
    """A key that a service omits has the common value, not the default."""
    for key in schema["properties"].values():
        key.pop("default", None)


class ServiceProwSection(JobSection):
    """What is different for the jobs of one service; each key replaces the common one as a whole."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


def decoration_beside(job: JobSection, own: CheckSection | AuditSection) -> DecorationSection | None:
    """What holds for Prow's own containers in a job beside the releases: never a Secret that only these were given."""
    if own.decoration is not None or job.decoration is None:
        return own.decoration
    return job.decoration.without_secrets()


def merged(prow: ProwSection, own: JobSection | None) -> ProwSection:
    """Return what holds for a service that has these keys of its own."""
    if own is None:
        return prow
    given = {key: getattr(own, key) for key in own.model_fields_set if key != "image" or own.image is not None}
    return prow.model_copy(update=given)


def contradictions(prow: JobSection) -> Iterator[str]:
    """Say what in a section cannot be together."""
    audit = prow.audit if isinstance(prow, ProwSection) else None
    for where, job in (("", prow), ("check.", prow.check), ("audit.", audit)):
        if job is None:
            continue
        if seconds(job.grace_period) < SHORTEST_GRACE_SECONDS:
            yield (
                f"{where}grace_period {job.grace_period} is too short for a run to end cleanly: at least"
                f" {SHORTEST_GRACE_SECONDS}s"
            )
        if seconds(job.timeout) <= seconds(job.grace_period):
            yield f"{where}timeout {job.timeout} is not longer than {where}grace_period {job.grace_period}"
        if job.decoration is not None:
            found = decoration_contradictions(job.decoration, timeout=job.timeout, grace_period=job.grace_period)
            yield from (f"{where}decoration.{text}" for text in found)


def filled_problems(prow: JobSection, name: str) -> Iterator[str]:
    """Say which labels and annotations cannot be, once ``{service}`` is ``name`` in them."""
    for where, job in (("", prow), ("check.", prow.check)):
        found = (label_problem(key, value) for key, value in filled(job.labels, name).items())
        yield from (f"{where}labels: {problem}" for problem in found if problem is not None)
        if problem := annotations_problem(filled(job.annotations, name)):
            yield f"{where}annotations: {problem}"
