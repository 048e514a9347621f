"""What whole runs share: a Docker daemon with the runner's image, made once for all tests that need it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from hack.debian_base import kept_base
from hack.docker_daemon import DockerDaemon, docker_daemon
from hack.image import Built, build_image
from tests.support.docker import DEBIAN_BASE, require_docker
from tests.support.left_overs import SECRET, SECRET_VARIABLE
from tests.support.tools import BUILT, require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerDaemon]:
    """A daemon that has the base image, as DEBIAN_BASE."""
    require_docker()
    require_tool("debootstrap")
    archive = kept_base(BUILT.parent)
    data = tmp_path_factory.mktemp("docker")
    with docker_daemon(data) as daemon:
        daemon.import_image(archive, DEBIAN_BASE)
        yield daemon
    shutil.rmtree(data)


@pytest.fixture(scope="session")
def runner_image(docker: DockerDaemon) -> Built:
    """The runner's image with the checked-in jobs.yaml, built where a secret is in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SECRET_VARIABLE, SECRET)
        return build_image("ack-release:test", base=DEBIAN_BASE, environment=docker.environment)
