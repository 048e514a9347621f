"""Whole runs of a repository that holds several services."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from testbed.release_harness import ReleaseHarness, open_harness
from testbed.sample_controller import SampleRepository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
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
    config = MONOREPO_CONFIG.replace("{parallel}", str(parallel)) + "".join(
        f'  {service}: {{{{repo: {MONOREPO}, path: "services/{{{{service}}}}"}}}}\n' for service in services
    )
    with open_harness(folder, config=config) as harness:
        first = SampleRepository(
            folder / MONOREPO, services[0], harness.repository.registry, "repo-per-service-v", "", monorepo=MONOREPO
        )
        first.folder.mkdir()
        first.git("init", "--quiet", "--initial-branch=main")
        first.commit("Begin", {"README.md": "# ACK service controllers\n"})
        harness.repository = first
        yield harness


def part(repository: SampleRepository, service: str) -> SampleRepository:
    """Return the part that a service has of a repository of several."""
    return replace(repository, service=service, chart_name=f"{service}-chart")


def write(
    harness: ReleaseHarness, versions: Mapping[str, str], edits: Mapping[str, Callable[[str], str]] | None = None
) -> None:
    """Commit the release artifacts of these services, each of its version."""
    for service, version in versions.items():
        part(harness.repository, service).write_release(version)
    harness.repository.commit("Release artifacts", edits)


def rows(document: Mapping[str, Any]) -> dict[str, tuple[bool, str]]:
    """What a record or a plan says of each service of the repository."""
    return {row["name"]: (row["selected"], row["reason"]) for row in document["services"]}
