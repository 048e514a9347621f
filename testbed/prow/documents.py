"""What a Prow on one machine is configured with. Pure.

The jobs are those that ``ack-release prowjobs generate`` writes, of a jobs.yaml for this machine. What a cluster's
administrator would write beside them is here: where utility images, bucket and pages are, and who may press *Rerun*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from runner.config.load import parse_config
from runner.prow.generate.files import prow_files
from testbed.sample_controller import OWNER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

NAMESPACE = "default"
JOBS = "jobs/"
STORAGE_SECRET = "storage"  # noqa: S105 - its name
STORAGE_KEY = "service-account.json"
"""The key that Prow mounts of the Secret with the bucket's credentials (pkg/pod-utils/decorate/podspec.go)."""


@dataclass(frozen=True)
class Place:
    """Where things are on this machine.

    Args:
        registry: ``HOST/NAMESPACE`` that is released to.
        image: the runner's image, which has to be in the node's Docker daemon.
        utility_images: Prow's own, by program.
        bucket: the bucket's address, as ``s3://NAME``.
        repositories: what stands before ``/OWNER/NAME.git`` of a clone's address.
        deck: Deck's address, without a slash at the end.
        cache: a folder for Go's caches that the jobs' group may write.
        cpus: how many processors this machine has.
    """

    registry: str
    image: str
    utility_images: Mapping[str, str]
    bucket: str
    repositories: str
    deck: str
    cache: Path
    cpus: int


@dataclass(frozen=True)
class Limits:
    """How long a release may take, and how long its end, as durations such as ``90s``."""

    timeout: str = "15m"
    grace_period: str = "30s"


STANDARD = Limits()


def jobs_yaml(place: Place, services: Sequence[str], limits: Limits = Limits()) -> str:
    """The jobs.yaml of this machine: production is the registry here, and a base image cannot be pulled."""
    return yaml.safe_dump(
        {
            "registry": place.registry,
            "naming": "seed",
            "platforms": ["linux/amd64", "linux/arm64"],
            "build": {"base_image": "scratch"},
            "prow": {
                "image": place.image,
                "org": OWNER,
                "timeout": limits.timeout,
                "grace_period": limits.grace_period,
                # What production asks for is more than a small machine has.
                "resources": {
                    "requests": {"cpu": "100m", "memory": "256Mi"},
                    "limits": {"cpu": place.cpus, "memory": "4Gi"},
                },
                # Members of an organization are known to GitHub alone.
                "rerun": {"allow_anyone": True},
                "build_cache": {"host_path": str(place.cache)},
            },
            "services": {service: {} for service in services},
        },
        sort_keys=False,
    )


def generated_files(text: str, file: Path, place: Place) -> dict[str, str]:
    """What ``ack-release prowjobs generate`` makes of a jobs.yaml, by path, with the address of each clone.

    Nothing else is changed: a clone's address cannot be said for all jobs in one place, and Prow's default is GitHub.

    Args:
        text: of jobs.yaml.
        file: where it lies; the generated files lie in ``prowjobs`` beside it.
        place: this machine.

    Raises:
        ReleaseError: jobs.yaml is wrong.
    """
    files = prow_files(parse_config(text.encode(), file), file.parent / "prowjobs")
    return {path: _cloned_here(one, place) if path.startswith(JOBS) else one for path, one in files.items()}


def _cloned_here(text: str, place: Place) -> str:
    document = yaml.safe_load(text)
    for kind in ("presubmits", "postsubmits"):
        for repository, jobs in document.get(kind, {}).items():
            for job in jobs:
                job["clone_uri"] = f"{place.repositories}/{repository}.git"
    return yaml.safe_dump(document, sort_keys=False)


def installation(place: Place, deck: str) -> dict[str, Any]:
    """Prow's own configuration, config.yaml.

    Args:
        place: this machine.
        deck: the text of the generated deck.yaml, which is merged in.
    """
    configuration: dict[str, Any] = {
        "prowjob_namespace": NAMESPACE,
        "pod_namespace": NAMESPACE,
        "plank": {
            "job_url_prefix_config": {"*": f"{place.deck}/view/"},
            "default_decoration_config_entries": [
                {
                    "config": {
                        "utility_images": dict(place.utility_images),
                        # A job is told of a prefix that stands here, so that its page leads to Deck.
                        "gcs_configuration": {
                            "bucket": place.bucket,
                            "path_strategy": "explicit",
                            "job_url_prefix": f"{place.deck}/view/",
                        },
                        "s3_credentials_secret": STORAGE_SECRET,
                    }
                }
            ],
        },
        "deck": {"rerun_auth_configs": {"*": {"allow_anyone": True}}},
    }
    return merged(configuration, yaml.safe_load(deck))


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two documents as one: mappings are merged, and of anything else that both have ``above`` counts."""
    both = {
        key: merged(below[key], value) if isinstance(value, dict) and isinstance(below.get(key), dict) else value
        for key, value in above.items()
    }
    return {**below, **both}


def plugins(repositories: Iterable[str]) -> dict[str, Any]:
    """Hook's plugins.yaml: the one plugin that starts jobs for pushes, in each of these repositories."""
    return {"plugins": {f"{OWNER}/{repository}": {"plugins": ["trigger"]} for repository in repositories}}


def storage_secret(credentials: bytes) -> dict[str, Any]:
    """The Secret through which pods get the bucket's credentials."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": STORAGE_SECRET, "namespace": NAMESPACE},
        "stringData": {STORAGE_KEY: credentials.decode()},
    }
