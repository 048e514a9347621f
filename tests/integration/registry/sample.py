"""What the tests of the registry client publish."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias

from runner.oci.manifest import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Descriptor, Manifest, digest_of
from runner.oci.name import Repository

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.oci.artifact import Blob
    from runner.oci.registry import Registry


CONTENT = os.urandom(300_000)
LAYER = Descriptor(OCI_LAYER, digest_of(CONTENT), len(CONTENT))
CONFIG = Descriptor(OCI_CONFIG, digest_of(b"{}"), 2)
MANIFEST = Manifest.write(
    OCI_MANIFEST,
    {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": CONFIG.document(),
        "layers": [LAYER.document()],
        "annotations": {"org.example.word": "é"},
    },
)
Connect: TypeAlias = "Callable[..., Registry]"


def at(host: str, path: str = "team/image") -> Repository:
    return Repository(host, path)


def publish(registry: Registry, repository: Repository, *blobs: Blob) -> None:
    for blob in blobs:
        registry.send_blob(repository, blob)
    registry.put_manifest(repository, MANIFEST.digest, MANIFEST)
    registry.put_manifest(repository, "v1", MANIFEST)
