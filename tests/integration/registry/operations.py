"""The registry client's operations, each with the request that it makes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.integration.registry.sample import CONTENT, LAYER, MANIFEST, at

if TYPE_CHECKING:
    from runner.oci.artifact import Blob
    from runner.oci.name import Repository
    from runner.oci.registry import Registry


def read_manifest(registry: Registry, repository: Repository, _: Blob) -> None:
    assert registry.manifest(repository, "v1") == MANIFEST


def read_tags(registry: Registry, repository: Repository, _: Blob) -> None:
    assert "v1" in registry.tags(repository)


def read_blob(registry: Registry, repository: Repository, _: Blob) -> None:
    assert registry.read_blob(repository, LAYER) == CONTENT


def find_blob(registry: Registry, repository: Repository, _: Blob) -> None:
    assert registry.has_blob(repository, LAYER.digest)


def send_blob(registry: Registry, repository: Repository, blob: Blob) -> None:
    assert registry.send_blob(at(repository.host, "team/other"), blob) in {"uploaded", "exists"}


def put_manifest(registry: Registry, repository: Repository, _: Blob) -> None:
    tag = f"written-{os.urandom(4).hex()}"
    registry.put_manifest(repository, tag, MANIFEST)
    assert registry.manifest(repository, tag) == MANIFEST


OPERATIONS = {
    "manifest": (read_manifest, "GET", "/manifests/v1"),
    "tags": (read_tags, "GET", "/tags/list"),
    "read blob": (read_blob, "GET", "/blobs/sha256:"),
    "has blob": (find_blob, "HEAD", "/blobs/sha256:"),
    "probe": (send_blob, "GET", r"/v2/$"),
    "put manifest": (put_manifest, "PUT", "/manifests/written-"),
}
