"""What is attached, in registries that list it themselves and in those that keep a tag for it."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from runner.oci.referrers import Referrers
from testbed.attachments import EMPTY, SIGNATURE, attached_to
from testbed.base_images import base_layout, push
from testbed.registries import serve_referrers_registry
from tests.integration.registry.sample import at
from tests.support.registry import crane_registry, docker_registry
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.oci.artifact import Artifact
    from runner.oci.name import Repository
    from runner.oci.registry import Registry
    from testbed.registries import LocalRegistry
    from tests.integration.registry.sample import Connect


@contextlib.contextmanager
def referrers_registry(folder: Path) -> Iterator[LocalRegistry]:
    with serve_referrers_registry(require_tool("registry"), folder) as registry:
        yield registry


SERVERS = {"referrers": referrers_registry, "crane": crane_registry, "docker": docker_registry}


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalRegistry]:
    with SERVERS[request.param](tmp_path / "registry") as registry:
        yield registry


def attach(registry: Registry, repository: Repository, attached: Artifact) -> None:
    for blob in attached.blobs:
        registry.send_blob(repository, blob)
    registry.put_manifest(repository, attached.root.digest, attached.root)


def test_real_registries(server: LocalRegistry, connect: Connect, tmp_path: Path) -> None:
    """What several threads attach to an image and to its child is found again, by another client, whole."""
    image = base_layout(tmp_path / "image")
    repository, registry = at(server.host), connect()
    push(registry, repository, "v1", image)
    texts = [f"signature {number}" for number in range(6)]
    to_index = [attached_to(tmp_path / text, image.root, text) for text in texts]
    to_child = attached_to(tmp_path / "child", image.children[0], "of a child")
    for one in (*to_index, to_child):
        attach(registry, repository, one)
    referrers = Referrers(registry)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: referrers.list(repository, one.root), (*to_index, to_child)))
    other = Referrers(connect())
    found = other.of(repository, image.root.digest)
    assert {entry.digest for entry in found} == {one.root.digest for one in to_index}
    # go-containerregistry lists the config's media type in place of the artifact's own.
    assert {entry.artifact_type for entry in found} <= {SIGNATURE, EMPTY}
    assert [entry.digest for entry in other.of(repository, to_child.root.subject or "")] == [to_child.root.digest]
    assert other.of(repository, image.children[1].digest) == ()
