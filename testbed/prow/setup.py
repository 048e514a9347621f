"""Writes what a Prow on one machine is configured with, and prepares what its jobs share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from runner.config.prow import ProwSection
from runner.prow.generate.folder import write_folder
from testbed.prow.documents import Limits, Place, generated_files, installation, jobs_yaml, plugins

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

GROUP = ProwSection.model_fields["group"].default


@dataclass(frozen=True)
class Configuration:
    """Where everything was written.

    Args:
        jobs_yaml: what the runner reads, and what the rest is made of.
        jobs: the folder of generated jobs.
        config: Prow's config.yaml.
        plugins: hook's plugins.yaml.
    """

    jobs_yaml: Path
    jobs: Path
    config: Path
    plugins: Path


def write_configuration(folder: Path, place: Place, services: Sequence[str], limits: Limits) -> Configuration:
    """Write it all into a folder that is there.

    Args:
        folder: where.
        place: this machine.
        services: what can be released, each in a repository of its own.
        limits: of a release.
    """
    generated = folder / "prowjobs"
    written = Configuration(folder / "jobs.yaml", generated / "jobs", folder / "config.yaml", folder / "plugins.yaml")
    text = jobs_yaml(place, services, limits)
    files = generated_files(text, written.jobs_yaml, place)
    write_folder(generated, files)
    repositories = [path.stem for path in written.jobs.iterdir()]
    for file, content in (
        (written.jobs_yaml, text),
        (written.config, yaml.safe_dump(installation(place, files["deck.yaml"]))),
        (written.plugins, yaml.safe_dump(plugins(repositories))),
    ):
        file.write_text(content, encoding="utf-8")
    return written


def share_cache(folder: Path) -> None:
    """Let the jobs' group write into a folder, which a kubelet does not do for a folder of the node."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chown(folder, -1, GROUP)
    folder.chmod(0o2770)
