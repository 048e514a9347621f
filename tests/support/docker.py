"""Docker for tests: a daemon of their own, or the test is skipped with a reason; in CI a missing one is a failure."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import pytest

from testbed.docker_daemon import DaemonUnusable, DockerDaemon, check_usable
from testbed.paths import TOOLS
from testbed.prow.images import bake_jobs

DEBIAN_BASE = "debian-base:test"
GO_CACHE = TOOLS / "go-cache-of-containers"
ANYBODY = 0o777


def require_docker() -> None:
    """Skip where no Docker daemon can be started, or fail in CI."""
    try:
        check_usable()
    except DaemonUnusable as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


def with_jobs(daemon: DockerDaemon, image: str, tag: str, jobs: str) -> str:
    """Make an image that differs from another only in the jobs.yaml that is baked in, and return its name."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "jobs.yaml")
        file.write_text(jobs, encoding="utf-8")
        bake_jobs(image, tag, file, environment=daemon.environment)
    return tag


def go_cache() -> Path:
    """A folder for GOCACHE that every user may write, kept between runs: the standard library is compiled once."""
    GO_CACHE.mkdir(parents=True, exist_ok=True)
    # Go makes these folders itself, but for its own user only.
    for folder in (GO_CACHE, *(GO_CACHE / f"{number:02x}" for number in range(256))):
        folder.mkdir(exist_ok=True)
        with contextlib.suppress(PermissionError):
            folder.chmod(ANYBODY)
    return GO_CACHE
