"""The release jobs of all services, as Prow's job configuration. Pure.

For each repository one postsubmit per service, or one for all, started by the tags and the branch that are released,
and beside it a presubmit that plans what a merge would release.
"""

from __future__ import annotations

import posixpath
import re
from itertools import groupby
from typing import TYPE_CHECKING, Final

from runner.config.kubernetes import filled
from runner.config.prow import AUDIT_JOB, RerunSection, check_job, decoration_beside, merged, release_job
from runner.errors import ConfigurationInvalid
from runner.prow.generate.document import (
    Capabilities,
    ClaimVolume,
    Container,
    DecorationConfig,
    EmptyDirVolume,
    EnvVar,
    HostPathVolume,
    JobConfig,
    KeyToPath,
    LocalObjectReference,
    Periodic,
    PeriodicConfig,
    PodSecurityContext,
    PodSpec,
    Postsubmit,
    Presubmit,
    ReporterConfig,
    RerunAuthConfig,
    ResourceRequirements,
    SeccompProfile,
    SecretVolume,
    SecurityContext,
    SlackReporterConfig,
    TeamSlug,
    Toleration,
    UtilityResources,
    Volume,
    VolumeMount,
)
from runner.source.route import STABLE
from runner.versions import RELEASE_TAGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from runner.config.decoration import DecorationSection
    from runner.config.kubernetes import ResourcesSection, TolerationSection
    from runner.config.load import Config, Service
    from runner.config.prow import AuditSection, CheckSection, JobSection, ProwSection

RELEASED_REFS: Final = (RELEASE_TAGS, f"^{STABLE}$")
"""What a push must be to; Prow searches these in the ref's short name, a tag's like a branch's."""

TEMPORARY: Final = "/tmp"  # noqa: S108 - the pod's own volume
CREDENTIALS: Final = "/etc/ack-release-credentials"
BUILD_CACHE: Final = "/var/cache/ack-release"
DOCKER_SOCKET: Final = "/var/run/docker.sock"

_SECRET_MODE: Final = 0o440
"""Readable for the pod's group, which owns the volume (fsGroup), and for nobody else."""


def job_config(config: Config) -> dict[str, JobConfig]:
    """Return the jobs of every repository, by the repository's name.

    Raises:
        ConfigurationInvalid: the file has no section prow.
    """
    if config.prow is None:
        raise ConfigurationInvalid(
            f"{config.path}: the key 'prow', which configures the release jobs, is missing",
            remedy="Add prow: with the runner's image to jobs.yaml; ack-release schema prints what it may hold.",
        )
    repositories = groupby(sorted(config.services.values(), key=lambda one: (one.repo, one.name)), lambda one: one.repo)
    return {repo: _repository(repo, tuple(services), config.prow) for repo, services in repositories}


def _repository(repo: str, services: tuple[Service, ...], prow: ProwSection) -> JobConfig:
    groups: list[tuple[str, tuple[Service, ...], ProwSection]]
    if len(services) == 1 or prow.monorepo == "one-job-per-service":
        groups = [(service.name, (service,), merged(prow, service.prow)) for service in services]
    else:
        groups = [(repo, services, prow)]
    alone = len(groups) == 1
    key = f"{prow.org}/{repo}"
    checks = tuple(_check(name, of, alone=alone, job=job) for name, of, job in groups if job.check.enabled)
    return JobConfig(
        presubmits={key: checks} if checks else None,
        postsubmits={key: tuple(_release(name, of, alone=alone, job=job) for name, of, job in groups)},
    )


def _release(name: str, services: tuple[Service, ...], *, alone: bool, job: ProwSection) -> Postsubmit:
    volumes = tuple(_volumes(job))
    return Postsubmit(
        name=release_job(name),
        cluster=job.cluster,
        branches=RELEASED_REFS,
        max_concurrency=1,
        # A commit status cannot be set on an annotated tag, whose object the push event names; Prow would try.
        skip_report=True,
        decorate=True,
        decoration_config=_decoration(job, job.decoration),
        labels=filled(job.labels, name) or None,
        annotations=filled(job.annotations, name) or None,
        rerun_auth_config=_rerun(job),
        reporter_config=_reporter(job),
        spec=_pod(
            job,
            args=("run", *_only(services, alone=alone)),
            own=job,
            service_account=job.service_account,
            volumes=volumes,
        ),
    )


def _check(name: str, services: tuple[Service, ...], *, alone: bool, job: ProwSection) -> Presubmit:
    check = job.check
    return Presubmit(
        name=check_job(name),
        cluster=job.cluster,
        run_if_changed=release_files(services),
        optional=check.optional or None,
        decorate=True,
        decoration_config=_decoration(check, decoration_beside(job, check)),
        labels=filled(check.labels, name) or None,
        annotations=filled(check.annotations, name) or None,
        rerun_auth_config=_rerun(job),
        # A pull request is anybody's: neither credentials nor a service account nor a volume that releases use, nor
        # their nodes, which may have a role. Pull secrets are read by the kubelet alone, before anything runs.
        spec=_pod(
            job,
            args=("plan", "--as-tag", "from-chart", *_only(services, alone=alone)),
            own=check,
        ),
    )


def audit_config(prow: ProwSection) -> PeriodicConfig | None:
    """Return the job that audits all services; None where there is to be none."""
    audit = prow.audit
    if audit is None:
        return None
    base = () if audit.git_base is None else ("--git-base", audit.git_base)
    deep = ("--deep",) if audit.deep else ()
    job = Periodic(
        name=AUDIT_JOB,
        cluster=prow.cluster,
        cron=audit.cron,
        max_concurrency=1,
        decorate=True,
        decoration_config=_decoration(audit, decoration_beside(prow, audit)),
        labels=filled(audit.labels, AUDIT_JOB) or None,
        annotations=filled(audit.annotations, AUDIT_JOB) or None,
        rerun_auth_config=_rerun(prow),
        reporter_config=_reporter(prow),
        # It only reads: neither credentials nor a service account nor a volume that releases use.
        spec=_pod(prow, args=("audit", *base, *deep), own=audit),
    )
    return PeriodicConfig(periodics=(job,))


def _decoration(job: JobSection | CheckSection | AuditSection, own: DecorationSection | None) -> DecorationConfig:
    given = own.model_dump(exclude={"resources"}) if own is not None else {}
    # Without this, an abort makes sidecar censor a log that is still being written, by replacing it with a copy: what
    # the job logs after that, including why it ended, would be lost (pkg/sidecar/run.go, handleFile in censor.go).
    return DecorationConfig(
        timeout=job.timeout,
        grace_period=job.grace_period,
        censor_secrets=True,
        upload_ignores_interrupts=True,
        resources=_utility_resources(own),
        **given,
    )


def _utility_resources(own: DecorationSection | None) -> UtilityResources | None:
    if own is None or own.resources is None:
        return None
    wanted = {name: getattr(own.resources, name) for name in type(own.resources).model_fields}
    return UtilityResources(**{name: one and _requirements(one) for name, one in wanted.items()})


def _requirements(resources: ResourcesSection) -> ResourceRequirements:
    return ResourceRequirements(
        requests=resources.requests.given() if resources.requests else None,
        limits=resources.limits.given() if resources.limits else None,
    )


def _tolerations(tolerations: Iterable[TolerationSection]) -> tuple[Toleration, ...]:
    return tuple(Toleration(**toleration.model_dump()) for toleration in tolerations)


def _only(services: Iterable[Service], *, alone: bool) -> Iterator[str]:
    if not alone:
        for service in services:
            yield from ("--service", service.name)


def release_files(services: Iterable[Service]) -> str:
    """The regular expression of the paths that a release's author changes: chart and the image's tag in config."""
    paths: list[str] = []
    for service in services:
        if service.chart_folder == ".":
            return "."
        kustomization = posixpath.normpath(posixpath.join(service.path, "config/controller/kustomization.yaml"))
        paths += [f"{_literal(service.chart_folder)}/", f"{_literal(kustomization)}$"]
    return f"^({'|'.join(paths)})"


def _literal(text: str) -> str:
    return re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", text)


def _rerun(job: ProwSection) -> RerunAuthConfig:
    rerun = job.rerun or RerunSection(orgs=(job.org,))
    teams = tuple(TeamSlug(org=team.partition("/")[0], slug=team.partition("/")[2]) for team in rerun.teams or ())
    return RerunAuthConfig(
        allow_anyone=rerun.allow_anyone or None,
        github_users=rerun.users,
        github_team_slugs=teams or None,
        github_orgs=rerun.orgs,
    )


def _reporter(job: ProwSection) -> ReporterConfig | None:
    if job.slack is None:
        return None
    return ReporterConfig(slack=SlackReporterConfig(channel=job.slack.channel, job_states_to_report=job.slack.states))


class _Mounted:
    """A volume, where the container finds it, and which variables say so."""

    def __init__(
        self, volume: Volume, path: str, env: Mapping[str, str] | None = None, *, read_only: bool = False
    ) -> None:
        self.volume = volume
        self.mount = VolumeMount(name=volume.name, mount_path=path, read_only=read_only or None)
        self.env = tuple(EnvVar(name=name, value=value) for name, value in (env or {}).items())


def _volumes(job: ProwSection) -> Iterator[_Mounted]:
    if job.credentials is not None:
        key = job.credentials.key
        # The second name is the one whose fields Prow's sidecar censors one by one (pkg/sidecar/censor.go).
        items = tuple(KeyToPath(key=key, path=path) for path in ("config.json", ".dockerconfigjson"))
        secret = SecretVolume(secret_name=job.credentials.secret, items=items, default_mode=_SECRET_MODE)
        yield _Mounted(
            Volume(name="credentials", secret=secret), CREDENTIALS, {"DOCKER_CONFIG": CREDENTIALS}, read_only=True
        )
    if job.build_cache is not None:
        claim, path = job.build_cache.claim, job.build_cache.host_path
        yield _Mounted(
            Volume(
                name="build-cache",
                persistent_volume_claim=None if claim is None else ClaimVolume(claim_name=claim),
                host_path=None if path is None else HostPathVolume(path=path, type="Directory"),
            ),
            BUILD_CACHE,
            {"GOCACHE": f"{BUILD_CACHE}/build", "GOMODCACHE": f"{BUILD_CACHE}/modules"},
        )
    if job.docker_socket is not None:
        socket = HostPathVolume(path=job.docker_socket.path, type="Socket")
        yield _Mounted(
            Volume(name="docker-socket", host_path=socket), DOCKER_SOCKET, {"DOCKER_HOST": f"unix://{DOCKER_SOCKET}"}
        )


def _pod(
    job: ProwSection,
    *,
    args: tuple[str, ...],
    own: JobSection | CheckSection | AuditSection,
    service_account: str | None = None,
    volumes: tuple[_Mounted, ...] = (),
) -> PodSpec:
    temporary = _Mounted(Volume(name="tmp", empty_dir=EmptyDirVolume()), TEMPORARY)
    mounted = (temporary, *volumes)
    env = tuple(variable for one in mounted for variable in one.env)
    socket = job.docker_socket if any(one.volume.name == "docker-socket" for one in volumes) else None
    return PodSpec(
        service_account_name=service_account,
        automount_service_account_token=False,
        image_pull_secrets=tuple(LocalObjectReference(name=name) for name in job.image_pull_secrets or ()) or None,
        node_selector=dict(own.node_selector) or None,
        tolerations=_tolerations(own.tolerations) or None,
        priority_class_name=own.priority_class,
        security_context=PodSecurityContext(
            run_as_non_root=True,
            run_as_user=job.user,
            run_as_group=job.group,
            fs_group=job.group,
            supplemental_groups=(socket.group,) if socket is not None and socket.group is not None else None,
            seccomp_profile=SeccompProfile(type="RuntimeDefault"),
        ),
        containers=(
            Container(
                image=str(job.image),
                command=("ack-release",),
                args=args,
                env=env or None,
                resources=_requirements(own.resources),
                security_context=SecurityContext(
                    allow_privilege_escalation=False,
                    capabilities=Capabilities(drop=("ALL",)),
                    privileged=False,
                    read_only_root_filesystem=True,
                ),
                volume_mounts=tuple(one.mount for one in mounted),
            ),
        ),
        volumes=tuple(one.volume for one in mounted),
    )
