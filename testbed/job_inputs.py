"""What Prow gives a job before the job's own program starts: a clone and an environment.

The sequence of git commands and the variables are those of Prow's clonerefs (pkg/pod-utils/clone) and downward API
(pkg/pod-utils/downwardapi).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from testbed.git import git
from testbed.sample_controller import HOST, OWNER, SampleRepository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def checkout_folder(workspace: Path, repository: SampleRepository) -> Path:
    """Where clonerefs puts a repository below its source root."""
    return workspace / "src" / HOST / OWNER / repository.name


def clone_as_prow(repository: SampleRepository, ref: str, destination: Path) -> str:
    """Clone as clonerefs does for the push of a tag or branch, and return PULL_BASE_SHA.

    The returned id is what the push event says: for an annotated tag that of the tag object.
    """
    tags = repository.git("for-each-ref", "--format=%(refname)", f"refs/tags/{ref}")
    sha = repository.resolve(tags or f"refs/heads/{ref}")
    clone_refs(repository.url, ref, sha, destination)
    return sha


def clone_refs(
    url: str,
    ref: str,
    sha: str,
    destination: Path,
    *,
    depth: int = 0,
    blobless: bool = False,
    skip_fetch_head: bool = False,
    skip_submodules: bool = False,
) -> None:
    """Clone as clonerefs does (its commandsForBaseRef).

    There is no remote; HEAD is on a local branch named like the ref, for a tag too; all tags are there unless
    ``skip_fetch_head``.

    Args:
        url: what is cloned.
        ref: short name of the tag or branch that was pushed.
        sha: what was pushed, for an annotated tag the tag object's id.
        destination: the clone's folder, which is made.
        depth: clone_depth.
        blobless: blobless_fetch.
        skip_fetch_head: likewise.
        skip_submodules: likewise.

    Raises:
        ProgramFailed: git failed.
    """
    fetch = ("fetch", *([f"--depth={depth}"] if depth else []), *(["--filter=blob:none"] if blobless else []), url)
    destination.mkdir(parents=True)
    for command in (
        ("init",),
        ("config", "user.name", "ci-robot"),
        ("config", "user.email", "ci-robot@k8s.io"),
        *(() if skip_fetch_head else ((*fetch, "--tags", "--prune"),)),
        (*fetch, sha),
        ("checkout", sha),
        ("branch", "--force", ref, sha),
        ("checkout", ref),
        *(() if skip_submodules else (("submodule", "update", "--init", "--recursive"),)),
    ):
        git(destination, *command)


def prow_environment(
    repository: SampleRepository, ref: str, sha: str, *, artifacts: Path, build_id: str = "1", job: str | None = None
) -> Mapping[str, str]:
    """Return the variables that a decorated postsubmit finds; ``job`` is its name, by default the repository's."""
    specification = {
        "type": "postsubmit",
        "job": job or f"{repository.name}-release",
        "buildid": build_id,
        "prowjobid": f"sample-{build_id}",
        "refs": {
            "org": OWNER,
            "repo": repository.name,
            "repo_link": f"https://{HOST}/{OWNER}/{repository.name}",
            "base_ref": ref,
            "base_sha": sha,
        },
        "decoration_config": {"timeout": "30m0s", "grace_period": "15s"},
    }
    return {**job_variables(specification), "ARTIFACTS": str(artifacts)}


def job_variables(specification: Mapping[str, Any]) -> dict[str, str]:
    """Return JOB_SPEC, and the flat variables that say the same of a postsubmit, a presubmit or a batch job."""
    refs = specification["refs"]
    pulls = refs.get("pulls", ())
    parts = [f"{refs['base_ref']}:{refs['base_sha']}", *(f"{pull['number']}:{pull['sha']}" for pull in pulls)]
    alone = {"PULL_NUMBER": str(pulls[0]["number"]), "PULL_PULL_SHA": pulls[0]["sha"]} if len(pulls) == 1 else {}
    return {
        "CI": "true",
        "JOB_NAME": specification["job"],
        "JOB_TYPE": specification["type"],
        "JOB_SPEC": json.dumps(specification),
        "BUILD_ID": specification["buildid"],
        "BUILD_NUMBER": specification["buildid"],
        "PROW_JOB_ID": specification["prowjobid"],
        "REPO_OWNER": refs["org"],
        "REPO_NAME": refs["repo"],
        "PULL_BASE_REF": refs["base_ref"],
        "PULL_BASE_SHA": refs["base_sha"],
        "PULL_REFS": ",".join(parts),
        **alone,
    }
