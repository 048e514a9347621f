"""What is published already, as an artifact that can be published again under another name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import RegistryAnswerWrong
from runner.oci.artifact import Artifact, Blob, RemoteSource

if TYPE_CHECKING:
    from runner.oci.manifest import Manifest
    from runner.oci.name import Name, Repository
    from runner.oci.registry import Registry
    from runner.published.observed import Published


def published_artifact(name: Name, found: Published, registry: Registry) -> Artifact:
    """Describe what is published under a name as an artifact whose blobs are in the registry.

    Raises:
        RegistryAnswerWrong: a child of its index does not answer.
    """
    children = tuple(_child(name.repository, child.digest, registry) for child in found.manifest.children)
    source = RemoteSource(name.repository)
    blobs = {
        descriptor.digest: Blob(descriptor, source)
        for manifest in (found.manifest, *children)
        for descriptor in manifest.blobs
    }
    return Artifact(found.manifest, children, tuple(blobs.values()))


def _child(repository: Repository, digest: str, registry: Registry) -> Manifest:
    manifest = registry.manifest(repository, digest)
    if manifest is None:
        raise RegistryAnswerWrong(f"{repository}@{digest} is listed by a published index but cannot be read")
    return manifest
