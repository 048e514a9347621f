"""Whole runs of a repository that holds several services."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from testbed.release_harness import ReleaseHarness, open_harness
from testbed.sample_controller import SampleRepository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

MONOREPO = "community"
MONOREPO_CONFIG = """\
registry: {registry}
naming: repo-per-service-v
platforms: [linux/amd64, linux/arm64]
build:
  base_image: scratch
  helm: {helm}
  parallel: {parallel}
services:
"""


@contextlib.contextmanager
def open_monorepo(folder: Path, *services: str, parallel: int = 2) -> Iterator[ReleaseHarness]:
    """Make a harness whose repository holds these services, each with image and chart repositories of its own."""
    rows = monorepo_services(services).replace("{", "{{").replace("}", "}}")
    with open_harness(folder, config=MONOREPO_CONFIG.replace("{parallel}", str(parallel)) + rows) as harness:
        harness.repository = make_monorepo(folder / MONOREPO, services[0], harness.repository.registry)
        yield harness


def monorepo_services(services: Iterable[str]) -> str:
    """The lines of jobs.yaml for services that live in the repository."""
    return "".join(f'  {service}: {{repo: {MONOREPO}, path: "services/{service}"}}\n' for service in services)


def make_monorepo(folder: Path, service: str, registry: str) -> SampleRepository:
    """Make a repository of several services with a first commit, and return the part that this one has of it.

    Args:
        folder: the repository's, which is made.
        service: one of them.
        registry: ``HOST/NAMESPACE`` that they are released to.
    """
    repository = SampleRepository(folder, service, registry, "repo-per-service-v", f"{service}-chart", MONOREPO)
    folder.mkdir(parents=True)
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.commit("Begin", {"README.md": "# ACK service controllers\n"})
    return repository


def part(repository: SampleRepository, service: str) -> SampleRepository:
    """Return the part that a service has of a repository of several."""
    return replace(repository, service=service, chart_name=f"{service}-chart")


def write(
    harness: ReleaseHarness, versions: Mapping[str, str], edits: Mapping[str, Callable[[str], str]] | None = None
) -> None:
    """Commit the release artifacts of these services, each of its version."""
    write_artifacts(harness.repository, versions, edits)


def write_artifacts(
    repository: SampleRepository, versions: Mapping[str, str], edits: Mapping[str, Callable[[str], str]] | None = None
) -> None:
    """Commit the release artifacts of these services, each of its version."""
    for service, version in versions.items():
        part(repository, service).write_release(version)
    repository.commit("Release artifacts", edits)


def rows(document: Mapping[str, Any]) -> dict[str, tuple[bool, str]]:
    """What a record or a plan says of each service of the repository."""
    return {row["name"]: (row["selected"], row["reason"]) for row in document["services"]}
