"""What whole runs share: the runner's image, made once for all tests that need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hack.image import Built, build_image
from tests.support.docker import DEBIAN_BASE
from tests.support.left_overs import SECRET, SECRET_VARIABLE

if TYPE_CHECKING:
    from hack.docker_daemon import DockerDaemon


@pytest.fixture(scope="session")
def runner_image(docker: DockerDaemon) -> Built:
    """The runner's image with the checked-in jobs.yaml, built where a secret is in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SECRET_VARIABLE, SECRET)
        return build_image("ack-release:test", base=DEBIAN_BASE, environment=docker.environment)
