"""What whole runs share: a harness of one test; and made once for all, the runner's image and a Prow that runs it."""

from __future__ import annotations

import contextlib
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from testbed.faults.proxy import FaultProxy
from testbed.node.api import Cluster
from testbed.paths import TOOLS
from testbed.programs import ProwPrograms
from testbed.prow import storage
from testbed.prow.images import build_utility_images
from testbed.prow.stack import Parts, local_prow
from testbed.release_harness import ReleaseHarness, open_harness
from testbed.runner_image import Built, build_image
from tests.support.docker import DEBIAN_BASE
from tests.support.left_overs import SECRET, SECRET_VARIABLE
from tests.support.prow_harness import SERVICES, ProwHarness
from tests.support.registry import crane_registry
from tests.support.tools import require_deck_pages, require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from testbed.docker_daemon import DockerDaemon


@pytest.fixture(scope="session", autouse=True)
def _programs() -> None:
    """What every whole run needs."""
    for name in ("crane", "git", "go", "helm4"):
        require_tool(name)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ReleaseHarness]:
    """A repository with a first release, and a registry for it that counts."""
    with open_harness(tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def runner_image(docker: DockerDaemon) -> Built:
    """The runner's image with the checked-in jobs.yaml, built where a secret is in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SECRET_VARIABLE, SECRET)
        return build_image("ack-release:test", base=DEBIAN_BASE, environment=docker.environment)


@pytest.fixture(scope="session")
def utility_images(docker: DockerDaemon) -> Mapping[str, str]:
    """The images of Prow's own programs."""
    return build_utility_images(base=DEBIAN_BASE, environment=docker.environment)


@pytest.fixture(scope="module")
def whole_prow(
    docker: DockerDaemon,
    runner_image: Built,
    utility_images: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ProwHarness]:
    """A whole Prow, with the generated jobs of services that its tests share out among them.

    It ends with the module: Deck has ports that others need.
    """
    programs = ProwPrograms(
        **{field.name: require_tool(field.name.replace("_", "-")) for field in fields(ProwPrograms)}
    )
    folder = tmp_path_factory.mktemp("prow")
    with (
        crane_registry(folder / "registry") as registry,
        FaultProxy(registry.host) as proxy,
        storage.serve(require_tool("moto_server"), folder / "storage") as bucket,
        local_prow(
            folder / "prow",
            Parts(
                programs=programs,
                pages=require_deck_pages(),
                daemon=docker,
                runner_image=runner_image.tag,
                utility_images=utility_images,
                storage=bucket,
                registry=f"{proxy.host}/ack",
                cache=TOOLS / "go-cache-of-jobs",
            ),
            SERVICES,
        ) as running,
        contextlib.closing(Cluster(running.kubeconfig)) as pods,
    ):
        yield ProwHarness(running, proxy, docker, pods, folder / "repositories")


@pytest.fixture
def prow(whole_prow: ProwHarness) -> ProwHarness:
    """The Prow, with a registry that behaves and has counted nothing yet."""
    whole_prow.proxy.clear()
    return whole_prow
