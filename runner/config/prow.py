"""The section ``prow`` of ``jobs.yaml``: how the release jobs run in Prow, and what one service changes of it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from runner.config.section import Listed, Section
from runner.oci.name import DIGEST, HOST, REPOSITORY_PATH, TAG

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST_GRACE_SECONDS: Final = 15
"""A run that is ended spends two thirds of the grace period on its children and its reports, and two seconds on its
work folder (``runner.cli.session``)."""

_DURATION = re.compile(r"(?=[1-9])(?:(?P<h>[0-9]{1,4})h)?(?:(?P<m>[0-9]{1,4})m)?(?:(?P<s>[0-9]{1,5})s)?")
_QUANTITY = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]{1,3})?)(?P<unit>m|k|Ki|M|Mi|G|Gi|T|Ti)?")
_UNITS: Final = {
    unit: Decimal(base) ** power
    for base, step, units in ((10, 3, "kMGT"), (2, 10, ("Ki", "Mi", "Gi", "Ti")))
    for unit, power in zip(units, range(step, 5 * step, step), strict=True)
} | {"m": Decimal("0.001")}
_OBJECT = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_LABEL = re.compile(r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?)?")
_KEY = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?")
_ACCOUNT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_RESERVED_LABELS = ("created-by-prow", "prow.k8s.io/type", "prow.k8s.io/id")
"""Labels that Prow sets itself and refuses in a job (pkg/config/config.go, validateLabels)."""


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


def seconds(duration: str) -> int:
    """Return the seconds of a duration such as ``1h30m``."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(f"{duration!r} is not a duration such as 1h30m, 15m or 90s")
    return sum(int(match[unit] or 0) * factor for unit, factor in (("h", 3600), ("m", 60), ("s", 1)))


def amount(quantity: str) -> Decimal:
    """Return the number that a Kubernetes quantity such as ``500m`` or ``2Gi`` stands for."""
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        raise ValueError(f"{quantity!r} is not a quantity such as 2, 500m or 4Gi")
    return Decimal(match["number"]) * _UNITS.get(match["unit"], 1)


def _image(text: str) -> str:
    name, at, digest = text.partition("@")
    host, _, rest = name.partition("/")
    repository, colon, tag = rest.partition(":")
    legal = HOST.fullmatch(host) and REPOSITORY_PATH.fullmatch(repository)
    if not legal or (colon and not TAG.fullmatch(tag)) or (at and not DIGEST.fullmatch(digest)):
        raise ValueError(f"{text!r} is neither HOST/REPOSITORY:TAG nor HOST/REPOSITORY@sha256:…")
    if not (colon or at):
        raise ValueError(f"{text!r} names neither a tag nor a digest, so a rerun could run another program")
    if tag == "latest" and not at:
        raise ValueError(f"{text!r} is not exact: name a version's tag or a digest")
    return text


def _duration(text: str) -> str:
    seconds(text)
    return text


def _quantity(text: str) -> str:
    amount(text)
    return text


def _object_name(text: str) -> str:
    if not _OBJECT.fullmatch(text):
        raise ValueError(f"{text!r} is not a Kubernetes object's name (lower-case letters, digits, - and .)")
    return text


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


def _secret_key(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", text) or text.startswith(".."):
        raise ValueError(f"{text!r} is not a key of a Secret")
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


def _labels(labels: dict[str, str]) -> dict[str, str]:
    for key, value in labels.items():
        if not _KEY.fullmatch(key) or not _LABEL.fullmatch(value):
            raise ValueError(f"{key!r}: {value!r} is not a label")
        if key in _RESERVED_LABELS:
            raise ValueError(f"the label {key!r} is set by Prow itself")
    return labels


def _annotations(annotations: dict[str, str]) -> dict[str, str]:
    for key in annotations:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is not an annotation's key")
    return annotations


def _written_as_text(value: object) -> object:
    return str(value) if type(value) is int and value >= 0 else value


_Duration = Annotated[str, AfterValidator(_duration), Field(json_schema_extra={"pattern": r"^([0-9]+[hms])+$"})]
_Quantity = Annotated[
    str,
    BeforeValidator(_written_as_text),
    AfterValidator(_quantity),
    Field(json_schema_extra={"type": ["string", "integer"]}),
]
_Name = Annotated[str, AfterValidator(_object_name)]
_Account = Annotated[str, AfterValidator(_account)]
_Team = Annotated[str, AfterValidator(_team)]
_Path = Annotated[str, AfterValidator(_absolute)]
_Known = Annotated[str, Field(min_length=1)]
_Id = Annotated[int, Field(ge=1, le=2**31 - 1)]


class AmountsSection(Section):
    """Amounts in Kubernetes' notation."""

    cpu: _Quantity | None = Field(None, description="Processors.", examples=[2, "500m"])
    memory: _Quantity | None = Field(None, description="Memory.", examples=["5Gi"])
    ephemeral_storage: _Quantity | None = Field(None, description="Disk for /tmp and the artifacts.", examples=["10Gi"])

    def given(self) -> dict[str, str]:
        """The amounts that are given, by Kubernetes' name of the resource."""
        said = {"cpu": self.cpu, "memory": self.memory, "ephemeral-storage": self.ephemeral_storage}
        return {name: quantity for name, quantity in said.items() if quantity is not None}


class ResourcesSection(Section):
    """What the job's container asks for, and may have at most."""

    requests: AmountsSection | None = Field(None, description="What the node must have free.")
    limits: AmountsSection | None = Field(None, description="What the container may use at most.")

    @model_validator(mode="after")
    def _no_request_above_its_limit(self) -> ResourcesSection:
        wanted = self.requests.given() if self.requests else {}
        for name, most in (self.limits.given() if self.limits else {}).items():
            if name in wanted and amount(wanted[name]) > amount(most):
                raise ValueError(f"the request for {name}, {wanted[name]}, exceeds the limit {most}")
        return self


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

    claim: _Name | None = Field(None, description="A PersistentVolumeClaim.", examples=["ack-release-cache"])
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

    secret: _Name = Field(description="Its name.", examples=["ack-release-registry"])
    key: Annotated[str, AfterValidator(_secret_key)] = Field(
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
    labels: Annotated[dict[str, str], AfterValidator(_labels)] = Field(
        {}, description="Labels of the presubmits and their pods; those of the releases do not apply."
    )
    annotations: Annotated[dict[str, str], AfterValidator(_annotations)] = Field(
        {}, description="Annotations of the presubmits and their pods; those of the releases do not apply."
    )
    optional: bool = Field(False, description="Whether a pull request may be merged when it fails.")
    timeout: _Duration = Field("15m", description="After how long Prow ends it.")
    grace_period: _Duration = Field("30s", description="How long it then may take to end.")
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
    labels: Annotated[dict[str, str], AfterValidator(_labels)] = Field(
        {}, description="Labels of the job and its pod; those of the releases do not apply."
    )
    annotations: Annotated[dict[str, str], AfterValidator(_annotations)] = Field(
        {}, description="Annotations of the job and its pod; those of the releases do not apply."
    )
    timeout: _Duration = Field("1h", description="After how long Prow ends it.")
    grace_period: _Duration = Field("30s", description="How long it then may take to end.")
    resources: ResourcesSection = Field(
        ResourcesSection(
            requests=AmountsSection(cpu="500m", memory="512Mi"), limits=AmountsSection(cpu="2", memory="1Gi")
        ),
        description="What its container asks for, and may have at most.",
    )


class JobSection(Section):
    """How a release job runs. A key set for a service replaces the common one as a whole."""

    image: Annotated[str, AfterValidator(_image)] | None = Field(
        None,
        description="The runner's image, by exact tag or digest.",
        examples=["public.ecr.aws/aws-controllers-k8s/ack-release:0.1.0", "registry.example/ack-release@sha256:…"],
    )
    timeout: _Duration = Field(
        "1h", description="After how long Prow ends a release; the run ends itself shortly before."
    )
    grace_period: _Duration = Field(
        "90s", description="How long a release that is ended may take to finish its reports, before it is killed."
    )
    resources: ResourcesSection = Field(
        ResourcesSection(requests=AmountsSection(cpu="2", memory="5Gi"), limits=AmountsSection(cpu="8", memory="5Gi")),
        description="What the release's container asks for, and may have at most.",
    )
    service_account: _Name | None = Field(
        None,
        description="The service account of the release's pod. Its token is not mounted; an AWS role is given by the "
        "cluster's own webhook.",
        examples=["ack-release"],
    )
    user: _Id = Field(65532, description="The uid that the job runs as.")
    group: _Id = Field(65532, description="The gid that the job runs as, which also owns its volumes.")
    cluster: _Name = Field("default", description="Prow's name for the build cluster that the pods run in.")
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
    labels: Annotated[dict[str, str], AfterValidator(_labels)] = Field(
        {},
        description="Labels of the releases and their pods. A preset that they select does not apply to the "
        "presubmits, which run a pull request's content.",
        examples=[{"preset-proxy": "true"}],
    )
    annotations: Annotated[dict[str, str], AfterValidator(_annotations)] = Field(
        {},
        description="Annotations of the releases and their pods; in some clusters they give a pod an AWS role.",
        examples=[{"testgrid-dashboards": "ack-releases"}],
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

    image: Annotated[str, AfterValidator(_image)] = Field(
        description="The runner's image, by exact tag or digest.",
        examples=["public.ecr.aws/aws-controllers-k8s/ack-release:0.1.0", "registry.example/ack-release@sha256:…"],
    )
    org: _Account = Field("aws-controllers-k8s", description="The GitHub organization that the repositories are in.")
    monorepo: Literal["one-job-per-service", "one-job"] = Field(
        "one-job-per-service",
        description="For a repository with several services: a job for each, so that Prow spreads a tag's services "
        "over the cluster, or one job that releases them all.",
    )
    prowjob_namespace: _Name = Field("default", description="Where Prow keeps its ProwJobs; as in Prow's own config.")
    pod_namespace: _Name = Field("default", description="Where Prow starts pods; as in Prow's own config.")
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
