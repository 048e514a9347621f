"""The registry client and what it speaks to: registries of two makers, and a proxy that makes faults."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from runner.oci.credentials import Anonymous
from runner.oci.manifest import OCI_CONFIG, OCI_LAYER
from runner.oci.registry import Registry
from runner.oci.retries import RetryPolicy
from runner.oci.transport import Transport
from runner.runtime.lifetime import Lifetime
from testbed.base_images import write_blob
from testbed.faults.proxy import FaultProxy
from tests.integration.registry.sample import CONTENT, at, publish
from tests.support.registry import crane_registry, docker_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.oci.artifact import Blob
    from runner.oci.credentials import Credentials
    from testbed.registries import LocalRegistry
    from tests.integration.registry.sample import Connect

SERVERS = {"crane": crane_registry, "docker": docker_registry}
QUICK = RetryPolicy(attempts=4, first_pause=0.01, longest_pause=0.02, longest_retry_after=0.05)


@pytest.fixture(params=["crane", "docker"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalRegistry]:
    with SERVERS[request.param](tmp_path / "registry") as registry:
        yield registry


@pytest.fixture
def proxy(server: LocalRegistry) -> Iterator[FaultProxy]:
    with FaultProxy(server.host) as proxy:
        yield proxy


@pytest.fixture(scope="package")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    """One docker-registry for all tests here, holding MANIFEST as v1 of team/image, beside what tests write."""
    folder = tmp_path_factory.mktemp("filled")
    with docker_registry(folder / "registry") as server, Transport(Lifetime(), {}) as transport:
        blobs = write_blob(folder, OCI_LAYER, CONTENT), write_blob(folder, OCI_CONFIG, b"{}")
        publish(Registry(transport, Anonymous()), at(server.host), *blobs)
        yield server


@pytest.fixture
def faulty(filled: LocalRegistry) -> Iterator[FaultProxy]:
    with FaultProxy(filled.host) as proxy:
        yield proxy


@pytest.fixture
def connect() -> Iterator[Connect]:
    with contextlib.ExitStack() as stack:

        def connect(
            credentials: Credentials | None = None,
            environment: dict[str, str] | None = None,
            lifetime: Lifetime | None = None,
            **options: Any,
        ) -> Registry:
            options.setdefault("retries", QUICK)
            transport = stack.enter_context(Transport(lifetime or Lifetime(), environment or {}, **options))
            return Registry(transport, credentials or Anonymous())

        yield connect


@pytest.fixture
def layer(tmp_path: Path) -> Blob:
    return write_blob(tmp_path, OCI_LAYER, CONTENT)


@pytest.fixture
def config(tmp_path: Path) -> Blob:
    return write_blob(tmp_path, OCI_CONFIG, b"{}")
