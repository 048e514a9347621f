"""What jobs.yaml may say of Prow's own containers."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from runner.config.decoration import SECRETS, DecorationSection, contradictions
from runner.config.prow import decoration_beside
from testbed.prow.job_configs import with_prow

EVERYTHING: dict[str, Any] = {
    "gcs_configuration": {"bucket": "s3://logs", "path_strategy": "single", "default_org": "o", "default_repo": "r"},
    "gcs_credentials_secret": "a.b",
    "s3_credentials_secret": "c",
    "oauth_token_secret": {"name": "token", "key": "token"},
    "cookiefile_secret": "cookies/key",
    "pod_pending_timeout": "10m",
}


def problem(**keys: object) -> str:
    with pytest.raises(ValidationError) as raised:
        DecorationSection.model_validate(keys)
    return str(raised.value)


def test_everything_is_taken() -> None:
    """What is given stays as it was given, and the rest stays unset."""
    section = DecorationSection.model_validate(EVERYTHING)
    assert section.model_dump(exclude_none=True) == EVERYTHING


@pytest.mark.parametrize("bucket", ["gs://prow-logs", "s3://a.b-c", "gs://under_score"])
def test_buckets(bucket: str) -> None:
    """A bucket of Google's or of S3 is taken by its address."""
    section = DecorationSection.model_validate({"gcs_configuration": {"bucket": bucket}})
    assert section.gcs_configuration is not None
    assert section.gcs_configuration.bucket == bucket


MISTAKES: dict[str, tuple[dict[str, object], str]] = {
    "bucket without a scheme": ({"gcs_configuration": {"bucket": "logs"}}, "is not gs://BUCKET or s3://BUCKET"),
    "folder in a bucket": ({"gcs_configuration": {"bucket": "gs://logs/a"}}, "a folder in it is path_prefix"),
    "another storage": ({"gcs_configuration": {"bucket": "azure://logs"}}, "is not gs://BUCKET or s3://BUCKET"),
    "prefix that leaves": ({"gcs_configuration": {"path_prefix": "../a"}}, "is not a path inside the bucket"),
    "strategy": ({"gcs_configuration": {"path_strategy": "flat"}}, "'explicit', 'legacy' or 'single'"),
    "strategy without a repository": (
        {"gcs_configuration": {"path_strategy": "legacy", "default_org": "o"}},
        "path_strategy legacy needs default_org and default_repo",
    ),
    "media type": ({"gcs_configuration": {"media_types": {"log": "text"}}}, "is not a media type"),
    "extension with a dot": (
        {"gcs_configuration": {"media_types": {".log": "text/plain"}}},
        "is not a file's extension",
    ),
    "address": ({"gcs_configuration": {"job_url_prefix": "prow.example"}}, "is not an address"),
    "image that can change": ({"utility_images": {"sidecar": "a.b/c:latest"}}, "is not exact"),
    "program that is none of Prow's": ({"utility_images": {"place_entrypoint": "a.b/c:1"}}, "place_entrypoint"),
    "more than the limit": (
        {"resources": {"sidecar": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}},
        "the request for cpu, 2, exceeds the limit 1",
    ),
    "duration": ({"pod_pending_timeout": "1d"}, "is not a duration"),
    "Secret that cannot be a volume": (
        {"oauth_token_secret": {"name": "a.b", "key": "k"}},
        "cannot be a volume's name too",
    ),
    "Secret that is called as a volume is": (
        {"oauth_token_secret": {"name": "credentials", "key": "k"}},
        "is the name of another volume of the pod",
    ),
    "two ways to clone": (
        {
            "oauth_token_secret": {"name": "a", "key": "k"},
            "github_app_id": "1",
            "github_app_private_key_secret": {"name": "b", "key": "k"},
        },
        "give either oauth_token_secret or a GitHub App",
    ),
    "App without its key": ({"github_app_id": "1"}, "are needed together"),
    "cookies": ({"cookiefile_secret": "a/../b"}, "is not a key of a Secret"),
    "censoring switched off": ({"censor_secrets": False}, "Extra inputs are not permitted"),
    "interrupted uploads": ({"upload_ignores_interrupts": False}, "Extra inputs are not permitted"),
    "no clone": ({"skip_cloning": True}, "Extra inputs are not permitted"),
}


@pytest.mark.parametrize(("keys", "said"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(keys: dict[str, object], said: str) -> None:
    """What Prow or Kubernetes would refuse, and what a release cannot do without, is refused by name."""
    assert said in problem(**keys)


@pytest.mark.parametrize(("running", "fits"), [("61m", False), ("61m30s", False), ("61m31s", True), ("48h", True)])
def test_time_of_a_running_pod(running: str, *, fits: bool) -> None:
    """A pod may run for longer than its job's timeout and grace period, else Prow aborts a run that ends in time."""
    section = DecorationSection(pod_running_timeout=running)
    assert (list(contradictions(section, timeout="1h", grace_period="90s")) == []) == fits


def test_secrets_are_left_out() -> None:
    """Without its Secrets a decoration has everything else, and no key that names one."""
    left = DecorationSection.model_validate(EVERYTHING).without_secrets().model_dump(exclude_none=True)
    assert left == {key: value for key, value in EVERYTHING.items() if key not in SECRETS}
    assert not [key for key in left if "secret" in key]


def test_every_secret_is_known() -> None:
    """Each key whose name speaks of a Secret is one that presubmits do not get by themselves."""
    assert {key for key in DecorationSection.model_fields if "secret" in key} <= set(SECRETS)


def test_decoration_of_a_presubmit() -> None:
    """A presubmit has the releases' decoration without its Secrets, unless it has one of its own."""
    given = "decoration: {s3_credentials_secret: writer, pod_pending_timeout: 9m}"
    for text, expected in {
        "": None,
        given: DecorationSection(pod_pending_timeout="9m"),
        f"{given}, check: {{decoration: {{s3_credentials_secret: other}}}}": DecorationSection(
            s3_credentials_secret="other"  # noqa: S106 - an object's name
        ),
        f"{given}, check: {{decoration: {{}}}}": DecorationSection(),
    }.items():
        prow = with_prow(text).prow
        assert prow is not None
        assert decoration_beside(prow, prow.check) == expected
