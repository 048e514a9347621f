"""What the local Prow is configured with, judged by Prow's own checkconfig."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import yaml

from testbed.prow.documents import STANDARD, Place
from testbed.prow.job_configs import run_checkconfig
from testbed.prow.setup import Configuration, write_configuration

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path) -> Configuration:
    place = Place(
        registry="127.0.0.1:5000/demo",
        image="localhost/ack-release:local",
        utility_images={name: f"prow-{name}:local" for name in ("clonerefs", "entrypoint", "initupload", "sidecar")},
        bucket="s3://prow",
        repositories="git://127.0.0.1:9418",
        deck="http://127.0.0.1:8080",
        cache=folder / "cache",
        cpus=os.cpu_count() or 1,
    )
    return write_configuration(folder, place, ["widget", "gadget"], STANDARD)


def test_checkconfig_takes_it(tmp_path: Path, checkconfig: Path) -> None:
    """Prow's checkconfig finds nothing to say about configuration and jobs, and would find an unknown key."""
    configuration = written(tmp_path)
    judged = run_checkconfig(checkconfig, configuration.config, configuration.jobs)
    assert judged.returncode == 0, judged.stdout
    file = configuration.jobs / "widget-controller.yaml"
    file.write_text(file.read_text().replace("clone_uri", "clone_uris"))
    assert "clone_uris" in run_checkconfig(checkconfig, configuration.config, configuration.jobs).stdout


def test_every_repository_starts_jobs(tmp_path: Path) -> None:
    """Hook's plugin is on for the repository of each service."""
    configuration = written(tmp_path)
    assert set(yaml.safe_load(configuration.plugins.read_text())["plugins"]) == {
        "aws-controllers-k8s/widget-controller",
        "aws-controllers-k8s/gadget-controller",
    }
