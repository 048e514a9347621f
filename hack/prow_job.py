"""What Prow gives a postsubmit before the job's own program starts: a clone and an environment.

The sequence of git commands and the variables are those of Prow's clonerefs (pkg/pod-utils/clone) and downward API
(pkg/pod-utils/downwardapi).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hack.sample_controller import HOST, OWNER, SampleRepository, git

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def checkout_folder(workspace: Path, repository: SampleRepository) -> Path:
    """Where clonerefs puts a repository below its source root."""
    return workspace / "src" / HOST / OWNER / repository.name


def clone_as_prow(repository: SampleRepository, ref: str, destination: Path) -> str:
    """Clone as clonerefs does for the push of a tag or branch, and return PULL_BASE_SHA.

    There is no remote in the clone. HEAD is on a local branch named like the ref, for a tag too. The returned id is
    what the push event says: for an annotated tag that of the tag object.
    """
    tags = repository.git("for-each-ref", "--format=%(refname)", f"refs/tags/{ref}")
    sha = repository.resolve(tags or f"refs/heads/{ref}")
    destination.mkdir(parents=True)
    git(destination, "init", "--quiet")
    git(destination, "config", "user.name", "ci-robot")
    git(destination, "config", "user.email", "ci-robot@k8s.io")
    git(destination, "fetch", "--quiet", repository.url, "--tags", "--prune")
    git(destination, "fetch", "--quiet", repository.url, sha)
    git(destination, "-c", "advice.detachedHead=false", "checkout", "--quiet", sha)
    git(destination, "branch", "--force", ref, sha)
    git(destination, "checkout", "--quiet", ref)
    return sha


def prow_environment(
    repository: SampleRepository, ref: str, sha: str, *, artifacts: Path, build_id: str = "1", job: str | None = None
) -> Mapping[str, str]:
    """Return the variables that a decorated postsubmit finds; ``job`` is its name, by default the repository's."""
    job = job or f"{repository.name}-release"
    refs = {
        "org": OWNER,
        "repo": repository.name,
        "repo_link": f"https://{HOST}/{OWNER}/{repository.name}",
        "base_ref": ref,
        "base_sha": sha,
    }
    specification = {
        "type": "postsubmit",
        "job": job,
        "buildid": build_id,
        "prowjobid": f"sample-{build_id}",
        "refs": refs,
        "decoration_config": {"timeout": "30m0s", "grace_period": "15s"},
    }
    return {
        "CI": "true",
        "JOB_NAME": job,
        "JOB_TYPE": "postsubmit",
        "JOB_SPEC": json.dumps(specification),
        "BUILD_ID": build_id,
        "BUILD_NUMBER": build_id,
        "PROW_JOB_ID": f"sample-{build_id}",
        "REPO_OWNER": OWNER,
        "REPO_NAME": repository.name,
        "PULL_BASE_REF": ref,
        "PULL_BASE_SHA": sha,
        "PULL_REFS": f"{ref}:{sha}",
        "ARTIFACTS": str(artifacts),
    }
