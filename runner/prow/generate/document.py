"""The parts of Prow's and Kubernetes' documents that are generated, as models; each is written as YAML.

Names and meanings are those of Prow (pkg/config/jobs.go, pkg/apis/prowjobs/v1/types.go) and of Kubernetes' core/v1 and
rbac.authorization.k8s.io/v1. Tests hold them against Prow's own programs.
"""

from __future__ import annotations

from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

WIDTH = 120


class ProwModel(BaseModel):
    """Base of what Prow reads: keys in snake case."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class KubernetesModel(BaseModel):
    """Base of what Kubernetes reads: keys in camel case."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=False,
    )


# --- core/v1 ---------------------------------------------------------------------------------------------------------


class EnvVar(KubernetesModel):
    """A variable of a container."""

    name: str
    value: str


class VolumeMount(KubernetesModel):
    """Where a container finds a volume."""

    name: str
    mount_path: str
    read_only: bool | None = None


class KeyToPath(KubernetesModel):
    """Which key of a Secret is written to which file."""

    key: str
    path: str


class SecretVolume(KubernetesModel):
    """A Secret's keys as files; ``default_mode`` is their mode."""

    secret_name: str
    items: tuple[KeyToPath, ...]
    default_mode: int


class ClaimVolume(KubernetesModel):
    """A PersistentVolumeClaim."""

    claim_name: str


class HostPathVolume(KubernetesModel):
    """A path of the node; the pod is not started when it is not of this type."""

    path: str
    type: Literal["Directory", "Socket"]


class EmptyDirVolume(KubernetesModel):
    """A folder that lives as long as the pod."""


class Volume(KubernetesModel):
    """A volume of a pod, of one kind."""

    name: str
    empty_dir: EmptyDirVolume | None = None
    secret: SecretVolume | None = None
    persistent_volume_claim: ClaimVolume | None = None
    host_path: HostPathVolume | None = None


class ResourceRequirements(KubernetesModel):
    """What a container asks for and may have at most, by resource."""

    requests: dict[str, str] | None
    limits: dict[str, str] | None


class Capabilities(KubernetesModel):
    """Linux capabilities that a container does without."""

    drop: tuple[str, ...]


class SecurityContext(KubernetesModel):
    """What a container may not do."""

    allow_privilege_escalation: bool
    capabilities: Capabilities
    privileged: bool
    read_only_root_filesystem: bool


class SeccompProfile(KubernetesModel):
    """Which system calls are allowed."""

    type: Literal["RuntimeDefault"]


class PodSecurityContext(KubernetesModel):
    """As whom the containers of a pod run, Prow's own included."""

    run_as_non_root: bool
    run_as_user: int
    run_as_group: int
    fs_group: int
    supplemental_groups: tuple[int, ...] | None
    seccomp_profile: SeccompProfile


class Container(KubernetesModel):
    """The container that the job's program runs in."""

    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: tuple[EnvVar, ...] | None
    resources: ResourceRequirements
    security_context: SecurityContext
    volume_mounts: tuple[VolumeMount, ...]


class Toleration(KubernetesModel):
    """A taint of nodes that a pod may run on nevertheless."""

    key: str | None
    operator: Literal["Equal", "Exists"]
    value: str | None
    effect: str | None
    toleration_seconds: int | None


class LocalObjectReference(KubernetesModel):
    """An object of the pod's namespace."""

    name: str


class PodSpec(KubernetesModel):
    """A pod, as far as the job decides it."""

    service_account_name: str | None
    automount_service_account_token: bool
    image_pull_secrets: tuple[LocalObjectReference, ...] | None
    node_selector: dict[str, str] | None
    tolerations: tuple[Toleration, ...] | None
    priority_class_name: str | None
    security_context: PodSecurityContext
    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...]


# --- Prow's job configuration ----------------------------------------------------------------------------------------


class GcsConfiguration(ProwModel):
    """Where logs and artifacts go: a bucket of Google's, or one of S3."""

    bucket: str | None
    path_prefix: str | None
    path_strategy: str | None
    default_org: str | None
    default_repo: str | None
    media_types: dict[str, str] | None = Field(serialization_alias="mediaTypes")
    job_url_prefix: str | None
    compress_file_types: tuple[str, ...] | None


class UtilityImages(ProwModel):
    """The images of Prow's own programs."""

    clonerefs: str | None
    initupload: str | None
    entrypoint: str | None
    sidecar: str | None


class UtilityResources(ProwModel):
    """What Prow's own containers ask for and may have at most."""

    clonerefs: ResourceRequirements | None
    initupload: ResourceRequirements | None
    place_entrypoint: ResourceRequirements | None
    sidecar: ResourceRequirements | None


class CensoringOptions(ProwModel):
    """How secrets are censored in logs and artifacts."""

    censoring_concurrency: int | None
    censoring_buffer_size: int | None
    include_directories: tuple[str, ...] | None
    exclude_directories: tuple[str, ...] | None


class SecretKey(ProwModel):
    """One key of a Secret."""

    name: str
    key: str


class DecorationConfig(ProwModel):
    """How Prow's own containers wrap the job's; what is left out is the installation's default."""

    timeout: str
    grace_period: str
    censor_secrets: bool
    upload_ignores_interrupts: bool
    gcs_configuration: GcsConfiguration | None = None
    gcs_credentials_secret: str | None = None
    s3_credentials_secret: str | None = None
    utility_images: UtilityImages | None = None
    resources: UtilityResources | None = None
    pod_pending_timeout: str | None = None
    pod_running_timeout: str | None = None
    pod_unscheduled_timeout: str | None = None
    censoring_options: CensoringOptions | None = None
    oauth_token_secret: SecretKey | None = None
    cookiefile_secret: str | None = None
    github_api_endpoints: tuple[str, ...] | None = None
    github_app_id: str | None = None
    github_app_private_key_secret: SecretKey | None = None


class TeamSlug(ProwModel):
    """A GitHub team."""

    org: str
    slug: str


class RerunAuthConfig(ProwModel):
    """Who may rerun and abort a job on Deck's page."""

    allow_anyone: bool | None = None
    github_users: tuple[str, ...] | None = None
    github_team_slugs: tuple[TeamSlug, ...] | None = None
    github_orgs: tuple[str, ...] | None = None


class SlackReporterConfig(ProwModel):
    """Which results of a job are reported to a Slack channel."""

    channel: str
    job_states_to_report: tuple[str, ...]


class ReporterConfig(ProwModel):
    """How a job's result is reported."""

    slack: SlackReporterConfig


class Job(ProwModel):
    """What all jobs have in common."""

    name: str
    cluster: str
    decorate: bool
    decoration_config: DecorationConfig
    max_concurrency: int | None = None
    labels: dict[str, str] | None
    annotations: dict[str, str] | None
    rerun_auth_config: RerunAuthConfig


class Postsubmit(Job):
    """A job that runs on a push to a branch or tag that matches one of ``branches``."""

    branches: tuple[str, ...]
    skip_report: bool
    reporter_config: ReporterConfig | None
    spec: PodSpec


class Presubmit(Job):
    """A job that runs on a pull request that changes a path which ``run_if_changed`` matches."""

    run_if_changed: str
    optional: bool | None
    spec: PodSpec


class Periodic(Job):
    """A job that runs at certain times, for no repository."""

    cron: str
    reporter_config: ReporterConfig | None
    spec: PodSpec


class PeriodicConfig(ProwModel):
    """A file of periodic jobs."""

    periodics: tuple[Periodic, ...]


class JobConfig(ProwModel):
    """A file of jobs, by ``org/repo``."""

    presubmits: dict[str, tuple[Presubmit, ...]] | None
    postsubmits: dict[str, tuple[Postsubmit, ...]]


# --- Deck ------------------------------------------------------------------------------------------------------------


class LensConfig(ProwModel):
    """A lens and its own configuration."""

    name: str
    config: dict[str, Any] | None = None


class LensFileConfig(ProwModel):
    """A lens, and which files it is for: paths below the job's folder, as Go's regular expressions."""

    required_files: tuple[str, ...]
    optional_files: tuple[str, ...] | None = None
    lens: LensConfig


class Spyglass(ProwModel):
    """The page of a job."""

    lenses: tuple[LensFileConfig, ...]


class Deck(ProwModel):
    """Prow's web pages."""

    spyglass: Spyglass


class DeckConfig(ProwModel):
    """The part of Prow's configuration that is about its web pages."""

    deck: Deck


# --- rbac.authorization.k8s.io/v1 ------------------------------------------------------------------------------------


class Metadata(KubernetesModel):
    """An object's name."""

    name: str
    namespace: str


class PolicyRule(KubernetesModel):
    """What may be done with which resources."""

    api_groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]


class Role(KubernetesModel):
    """What may be done in one namespace."""

    api_version: Literal["rbac.authorization.k8s.io/v1"] = "rbac.authorization.k8s.io/v1"
    kind: Literal["Role"] = "Role"
    metadata: Metadata
    rules: tuple[PolicyRule, ...]


class RoleRef(KubernetesModel):
    """The role that is bound."""

    api_group: Literal["rbac.authorization.k8s.io"] = "rbac.authorization.k8s.io"
    kind: Literal["Role"] = "Role"
    name: str


class Subject(KubernetesModel):
    """A user or a group."""

    api_group: Literal["rbac.authorization.k8s.io"] = "rbac.authorization.k8s.io"
    kind: Literal["User", "Group"]
    name: str


class RoleBinding(KubernetesModel):
    """Who has a role."""

    api_version: Literal["rbac.authorization.k8s.io/v1"] = "rbac.authorization.k8s.io/v1"
    kind: Literal["RoleBinding"] = "RoleBinding"
    metadata: Metadata
    role_ref: RoleRef
    subjects: tuple[Subject, ...]


def to_yaml(*documents: BaseModel) -> str:
    """Return the documents as YAML, keys in the order of the models, nothing for what is None."""
    return yaml.dump_all(
        [document.model_dump(mode="json", by_alias=True, exclude_none=True) for document in documents],
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=WIDTH,
    )


class _Dumper(yaml.CSafeDumper):
    """Writes every value out: a reader of a diff should not have to look for an anchor."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True
