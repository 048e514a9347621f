"""Releases as Prow runs them: the push's event, hook, plank, a pod with Prow's own utilities, the bucket, Deck."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.releases import crane

if TYPE_CHECKING:
    from tests.support.prowbench import ProwBench

pytestmark = pytest.mark.exclusive

TAG = "refs/tags/v1.2.3"
STABLE = "refs/heads/stable"
ARTIFACTS = {f"artifacts/{name}" for name in ("record.json", "metadata.json", "junit_release.xml", "release-log.jsonl")}
OF_PROW = {"started.json", "finished.json", "build-log.txt", "clone-records.json", "prowjob.json", "podinfo.json"}


def test_a_tag_then_stable(prow: ProwBench) -> None:
    """The push of a tag releases image and chart, and that of stable moves the chart; both say so in finished.json."""
    repository = prow.repository()
    released = prow.release(repository, TAG)
    finished = released.json("finished.json")
    assert (released.state, finished["result"], finished["passed"]) == ("success", "SUCCESS", True), released.lines
    assert finished["revision"] == repository.resolve(TAG), "the tag object"
    metadata = finished["metadata"]
    assert metadata["commit"] == repository.resolve(f"{TAG}^{{commit}}")
    assert (metadata["ref"], metadata["version"], metadata["path"]) == ("v1.2.3", "1.2.3", "release")
    assert metadata == released.json("artifacts/metadata.json")
    assert released.keys >= ARTIFACTS | OF_PROW
    assert released.lines[-1].startswith(f"RELEASED: {repository.service} 1.2.3 (release, 3 names written)")
    crane("validate", "--insecure", "--remote", ":".join(repository.image("1.2.3")))

    repository.stable("1.2.3")
    moved = prow.release(repository, STABLE)
    finished = moved.json("finished.json")
    assert (moved.state, finished["result"]) == ("success", "SUCCESS"), moved.lines
    assert (finished["metadata"]["path"], finished["metadata"]["ref"]) == ("stable", "stable")
    assert moved.lines[-1].startswith(f"RELEASED: {repository.service} ")
    assert crane("digest", "--insecure", f"{prow.prow.place.registry}/{repository.service}-chart:v1-stable")


def test_unstable_starts_nothing(prow: ProwBench) -> None:
    """A push to a branch that is only like stable starts no job, while the tag that is pushed after it starts one."""
    repository = prow.repository()
    repository.git("branch", "unstable")
    prow.prow.push(repository, "refs/heads/unstable")
    released = prow.release(repository, TAG)
    assert [job["metadata"]["name"] for job in prow.jobs(repository)] == [released.name]
