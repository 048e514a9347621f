"""Configurations with Prow jobs, and Prow's own programs that judge what is made of them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from runner.config.load import parse_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.config.load import Config

BUCKET = "prow-logs"
IMAGE = "registry.example/ack-release:0.1.0"

INSTALLATION: Mapping[str, object] = {
    "plank": {
        "default_decoration_config_entries": [
            {
                "config": {
                    "utility_images": {
                        part: f"registry.example/{part}:1"
                        for part in ("clonerefs", "initupload", "entrypoint", "sidecar")
                    },
                    "gcs_configuration": {"bucket": f"s3://{BUCKET}", "path_strategy": "explicit"},
                }
            }
        ]
    }
}
"""The part of Prow's own configuration without which no decorated job loads."""


def jobs_of(text: str) -> Config:
    """Read a jobs.yaml that has the registry's line before ``text``."""
    return parse_config(f"registry: registry.example/ack\n{text}".encode(), Path("/clone/config/jobs.yaml"))


def with_prow(prow: str = "", services: str = "s3: {}") -> Config:
    """Read a jobs.yaml whose section prow has the image and these keys."""
    between = ", " if prow else ""
    return jobs_of(f"prow: {{image: '{IMAGE}'{between}{prow}}}\nservices: {{{services}}}\n")


def write_installation(folder: Path, deck: Path, **settings: object) -> Path:
    """Write Prow's own configuration with these lenses and settings, and return its path."""
    path = folder / "config.yaml"
    merged = {**INSTALLATION, **yaml.safe_load(deck.read_bytes()), **settings}
    path.write_text(yaml.safe_dump(merged), encoding="utf-8")
    return path


def run_checkconfig(checkconfig: Path, config: Path, jobs: Path) -> subprocess.CompletedProcess[str]:
    """Let Prow's checkconfig judge a folder of jobs; it exits 1 on a warning, too, and knows every field."""
    return subprocess.run(
        [
            checkconfig,
            f"--config-path={config}",
            f"--job-config-path={jobs}",
            "--strict",
            "--include-default-warnings",
            "--warnings=unknown-fields-all",
            "--exclude-warning=validate-cluster-field",  # it opens the bucket
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
