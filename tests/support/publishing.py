"""Publishing in memory: a destination in one registry, names, and small images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.oci.name import Name
from runner.published.observed import ABSENT, Observation
from runner.run.publish.registry import RegistryDestination
from testbed.base_images import base_layout, push
from testbed.memory.lifetime import MemoryLifetime
from testbed.memory.registry import MemoryRegistry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runner.oci.artifact import Artifact


NAME = Name.parse("registry.example/ns/controller:s3-v1.2.3")
TOO = Name.parse("registry.example/ns/controller:1.2.3")
OTHER = Name.parse("registry.example/ns/s3-controller:1.2.3")
TAG = f":{NAME.tag}"


class Run:
    """A destination in one registry, and all that it does and tells."""

    def __init__(self, registry: MemoryRegistry | None = None) -> None:
        self.registry = registry or MemoryRegistry()
        self.lifetime = MemoryLifetime()
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.written: dict[Name, str | None] = {}
        self.destination = RegistryDestination(
            self.registry,
            self.lifetime,
            lambda event, **values: self.told.append((event, values)),
            written=self.written.__setitem__,
            clock=self.lifetime.now,
        )

    def publish(self, artifact: Artifact, *names: Name, before: Observation = ABSENT) -> None:
        """Publish under these names, each of which held ``before`` when planning."""
        self.destination.publish(artifact, [(name, before) for name in names or (NAME,)])

    def holds(self, name: Name = NAME) -> str | None:
        """The digest under a name, as somebody else sees it."""
        manifest = self.registry.another().manifest(name.repository, name.tag)
        return None if manifest is None else manifest.digest

    def somebody_writes(self, artifact: Artifact, name: Name = NAME) -> Callable[[], None]:
        """What lets another run write this under a name."""
        return lambda: push(self.registry.another(), name.repository, name.tag, artifact)


def at(name: Name, digest: str) -> str:
    """A digest in the repository of a name."""
    return f"{name.repository}@{digest}"


def artifact_in(folder: Path, text: str) -> Artifact:
    """An image that differs by this text."""
    return base_layout(folder / text, top={"author": text})


def digests(artifact: Artifact) -> set[str]:
    """The digests of all that an artifact consists of."""
    manifests = {manifest.digest for manifest in (artifact.root, *artifact.children)}
    return manifests | {blob.descriptor.digest for blob in artifact.blobs}
