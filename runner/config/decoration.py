"""What ``jobs.yaml`` may say of the containers that Prow puts around a job's own: Prow's ``decoration_config``.

A key that is left out has the value of Prow's own configuration (``plank.default_decoration_config_entries``). Names
and meanings are Prow's (pkg/apis/prowjobs/v1/types.go, DecorationConfig).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from runner.config.image import ExactImage  # noqa: TC001 - pydantic reads the annotations
from runner.config.kubernetes import Duration, ObjectName, ResourcesSection, SecretKey, object_name, seconds, secret_key
from runner.config.section import Listed, Section

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_HERE: Final = {
    "timeout": "prow.timeout and prow.check.timeout",
    "grace_period": "prow.grace_period and prow.check.grace_period",
    "censor_secrets": "always true: a job has the registry's login",
    "upload_ignores_interrupts": "always true: else the end of an aborted job's log is lost",
    "blobless_fetch": "a release reads the files of its whole clone without a network",
    "skip_cloning": "a release is made from its clone",
    "default_service_account_name": "prow.service_account",
    "run_as_user": "prow.user, of the whole pod",
    "run_as_group": "prow.group, of the whole pod",
    "fs_group": "prow.group, of the whole pod",
    "default_memory_request": "prow.resources",
    "set_limit_equals_memory_request": "prow.resources",
    "ssh_key_secrets": "jobs clone over HTTPS: a token, a GitHub App or a cookie file logs in",
    "ssh_host_fingerprints": "jobs clone over HTTPS",
}
"""What else Prow's DecorationConfig has, and what decides it instead."""

SECRETS: Final = (
    *("gcs_credentials_secret", "s3_credentials_secret"),
    *("oauth_token_secret", "cookiefile_secret", "github_app_id", "github_app_private_key_secret"),
)
"""The keys that give Prow's containers a Secret, with what is of no use without it."""

_BUCKET = re.compile(r"(?:gs|s3)://[a-z0-9](?:[a-z0-9._-]{1,220}[a-z0-9])")
_VOLUME = re.compile(r"(?=.{1,63}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
VOLUMES: Final = (
    *("logs", "code", "tools", "output", "gcs-credentials", "s3-credentials", "cookiefile", "clonerefs-tmp"),
    *("tmp", "credentials", "build-cache", "docker-socket"),
)
"""The volumes of a pod: Prow's (pkg/pod-utils/decorate/podspec.go) and a job's own (``runner.prow.generate.jobs``)."""


def _bucket(text: str) -> str:
    if not _BUCKET.fullmatch(text):
        raise ValueError(f"{text!r} is not gs://BUCKET or s3://BUCKET; a folder in it is path_prefix")
    return text


def _inside(text: str) -> str:
    if not text.isprintable() or text.startswith("/") or ".." in text.split("/"):
        raise ValueError(f"{text!r} is not a path inside the bucket")
    return text


def _media_types(types: dict[str, str]) -> dict[str, str]:
    for extension, kind in types.items():
        if not re.fullmatch(r"[A-Za-z0-9_-]+", extension):
            raise ValueError(f"{extension!r} is not a file's extension, written without its dot")
        if not re.fullmatch(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+(; *[a-z0-9_.-]+=[A-Za-z0-9_.-]+)*", kind):
            raise ValueError(f"{extension!r}: {kind!r} is not a media type such as text/plain")
    return types


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(/[!-~]*)?", text):
        raise ValueError(f"{text!r} is not an address such as https://prow.example")
    return text


def _cookie_file(text: str) -> str:
    name, slash, key = text.partition("/")
    object_name(name)
    if slash:
        secret_key(key)
    return text


def _volume(text: str) -> str:
    # Prow calls the volume like the Secret, and a volume's name has no dots (pkg/pod-utils/decorate/podspec.go).
    if not _VOLUME.fullmatch(text):
        raise ValueError(f"{text!r} cannot be a volume's name too, as Prow needs it (no dots, at most 63 characters)")
    if text in VOLUMES:
        raise ValueError(f"{text!r} is the name of another volume of the pod: call the Secret otherwise")
    return text


_Url = Annotated[str, AfterValidator(_url)]
_Path = Annotated[str, AfterValidator(_inside)]
_Text = Annotated[str, Field(min_length=1)]
_Count = Annotated[int, Field(ge=1, le=2**31 - 1)]


class GcsConfigurationSection(Section):
    """Where logs and artifacts go: a bucket of Google's, or one of S3."""

    bucket: Annotated[str, AfterValidator(_bucket)] | None = Field(
        None, description="The bucket, gs://BUCKET or s3://BUCKET.", examples=["s3://prow-logs"]
    )
    path_prefix: _Path | None = Field(None, description="A folder in the bucket.", examples=["releases"])
    path_strategy: Literal["explicit", "legacy", "single"] | None = Field(
        None,
        description="How organization and repository are part of an artifact's path; explicit: always. Deck's links"
        " follow it.",
    )
    default_org: _Text | None = Field(None, description="The organization that legacy and single leave out.")
    default_repo: _Text | None = Field(None, description="The repository that legacy and single leave out.")
    media_types: Annotated[dict[str, str], AfterValidator(_media_types)] | None = Field(
        None, description="Media types by extension, beside the usual ones.", examples=[{"log": "text/plain"}]
    )
    job_url_prefix: _Url | None = Field(
        None,
        description="The address of Deck's pages of runs, if not Prow's own.",
        examples=["https://prow.example/view/"],
    )
    compress_file_types: Listed[_Text] | None = Field(
        None, description="Extensions of files that are compressed; '*' for all.", examples=[["txt", "json"]]
    )

    @model_validator(mode="after")
    def _what_a_strategy_leaves_out(self) -> GcsConfigurationSection:
        if self.path_strategy in {"legacy", "single"} and not (self.default_org and self.default_repo):
            raise ValueError(f"path_strategy {self.path_strategy} needs default_org and default_repo")
        return self


class UtilityImagesSection(Section):
    """The images of Prow's own programs, by exact tag or digest."""

    clonerefs: ExactImage | None = Field(None, description="Clones the repository.")
    initupload: ExactImage | None = Field(None, description="Uploads that the job has started.")
    entrypoint: ExactImage | None = Field(None, description="Starts the job's program.")
    sidecar: ExactImage | None = Field(None, description="Waits for the job's program and uploads what it leaves.")


class UtilityResourcesSection(Section):
    """What Prow's own containers ask for, and may have at most."""

    clonerefs: ResourcesSection | None = Field(None, description="Clones the repository.")
    initupload: ResourcesSection | None = Field(None, description="Uploads that the job has started.")
    place_entrypoint: ResourcesSection | None = Field(None, description="Copies the program that starts the job's.")
    sidecar: ResourcesSection | None = Field(
        None, description="Waits for the job's program and uploads what it leaves."
    )


class CensoringSection(Section):
    """How secrets are censored in logs and artifacts; that they are cannot be changed."""

    censoring_concurrency: _Count | None = Field(None, description="How many files at once; Prow's default: 10.")
    censoring_buffer_size: Annotated[int, Field(ge=1024, le=2**31 - 1)] | None = Field(
        None, description="Bytes of memory for each file, at least twice the largest secret; Prow's default: 10 MiB."
    )
    include_directories: Listed[_Text] | None = Field(
        None, description="Only these folders of the artifacts are censored; patterns of paths."
    )
    exclude_directories: Listed[_Text] | None = Field(
        None, description="These folders of the artifacts are not censored; patterns of paths."
    )


class SecretKeySection(Section):
    """One key of a Secret."""

    name: Annotated[ObjectName, AfterValidator(_volume)] = Field(
        description="The Secret's name, without dots, since Prow gives it to a volume, too.", examples=["github-token"]
    )
    key: SecretKey = Field(description="The key in it.", examples=["token"])


class DecorationSection(Section):
    """Prow's own containers around the job's; a key that is left out is as in Prow's own configuration."""

    gcs_configuration: GcsConfigurationSection | None = Field(None, description="Where logs and artifacts go.")
    gcs_credentials_secret: ObjectName | None = Field(
        None, description="The Secret whose key service-account.json may write to the bucket of Google's."
    )
    s3_credentials_secret: ObjectName | None = Field(
        None, description="The Secret whose key service-account.json says how the bucket of S3 is written to."
    )
    utility_images: UtilityImagesSection | None = Field(None, description="The images of Prow's own programs.")
    resources: UtilityResourcesSection | None = Field(None, description="What their containers ask for.")
    pod_pending_timeout: Duration | None = Field(None, description="How long a pod may be pending.", examples=["15m"])
    pod_running_timeout: Duration | None = Field(
        None, description="How long a pod may run; longer than timeout and grace_period.", examples=["48h"]
    )
    pod_unscheduled_timeout: Duration | None = Field(
        None, description="How long a pod may wait for a node.", examples=["5m"]
    )
    censoring_options: CensoringSection | None = Field(None, description="How secrets are censored.")
    oauth_token_secret: SecretKeySection | None = Field(
        None, description="GitHub's token that clones a private repository."
    )
    cookiefile_secret: Annotated[str, AfterValidator(_cookie_file)] | None = Field(
        None, description="The Secret with git's file of cookies, NAME or NAME/KEY.", examples=["git-cookies/cookies"]
    )
    github_api_endpoints: Listed[_Url] | None = Field(
        None, description="GitHub's API, if not the public one.", examples=[["https://github.example/api/v3"]]
    )
    github_app_id: _Text | None = Field(None, description="The GitHub App that clones a private repository.")
    github_app_private_key_secret: SecretKeySection | None = Field(None, description="The private key of that App.")

    @model_validator(mode="after")
    def _one_way_to_clone(self) -> DecorationSection:
        if (self.github_app_id is None) != (self.github_app_private_key_secret is None):
            raise ValueError("github_app_id and github_app_private_key_secret are needed together")
        if self.oauth_token_secret and self.github_app_private_key_secret:
            raise ValueError("give either oauth_token_secret or a GitHub App")
        return self

    def without_secrets(self) -> DecorationSection:
        """Return the same without what gives a container a Secret."""
        return self.model_copy(update=dict.fromkeys(SECRETS))


def contradictions(decoration: DecorationSection, *, timeout: str, grace_period: str) -> Iterator[str]:
    """Say what in a decoration cannot be together with a job's timeout and grace period."""
    running = decoration.pod_running_timeout
    if running is not None and seconds(running) <= seconds(timeout) + seconds(grace_period):
        yield (
            f"pod_running_timeout {running} is not longer than timeout {timeout} and grace_period {grace_period}"
            " together: Prow would abort a run that ends in time"
        )
