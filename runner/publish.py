"""The one publisher: content by digest first, the tag last, each read back.

The order of writes is a promise: blobs, child manifests, root by digest, read back, read the tag again, tag, read
back. Killed anywhere, it leaves either no tag or a complete artifact under it.

OCI registries have no compare-and-swap. The window that remains between reading the tag and writing it is one round
trip.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.errors import RegistryAnswerWrong, TagChanged
from runner.observe import Observation, Published
from runner.oci.layout import Blob, Layout, RemoteSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runner.lifetime import Lifetime
    from runner.oci.media import Manifest, Name, Repository
    from runner.oci.registry import Registry

PARALLEL_BLOBS = 4
READ_BACK_SECONDS = 60.0
"""How long a registry may go on serving what was under a tag before: ECR Public's reads lag behind its writes."""


@dataclass(frozen=True)
class Sent:
    """A name that holds what this run meant it to hold."""

    name: Name
    digest: str


class Publisher:
    """Writes layouts to a registry.

    Args:
        registry: where to.
        lifetime: ends every wait.
        report: told one line of what was done, with its values.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        registry: Registry,
        lifetime: Lifetime,
        report: Callable[..., object],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._lifetime = lifetime
        self._report = report
        self._clock = clock

    def send(self, layout: Layout, repository: Repository) -> None:
        """Make the whole artifact answer by digest in this repository, under no tag yet.

        Raises:
            RegistryFailed, RegistryAnswerWrong, CredentialsRefused: not all of it is there.
        """
        began = self._clock()
        blobs = {blob.descriptor.digest: blob for blob in layout.blobs}
        with ThreadPoolExecutor(PARALLEL_BLOBS, thread_name_prefix="blobs") as pool:
            outcomes = list(pool.map(lambda blob: self._registry.send_blob(repository, blob), blobs.values()))
        for manifest in (*layout.children, layout.root):
            self._lifetime.check()
            self._registry.put_manifest(repository, manifest.digest, manifest)
        if self._registry.manifest(repository, layout.root.digest) is None:
            raise RegistryAnswerWrong(f"{repository}@{layout.root.digest} was sent and does not answer")
        counts = {f"blobs_{outcome}": outcomes.count(outcome) for outcome in sorted(set(outcomes))}
        self._report(
            "content sent",
            repository=str(repository),
            digest=layout.root.digest,
            bytes=sum(blob.descriptor.size for blob in blobs.values()),
            seconds=round(self._clock() - began, 3),
            **counts,
        )

    def tag(self, name: Name, manifest: Manifest, before: Observation) -> Sent:
        """Let the name hold this manifest, whose content answers already.

        Args:
            name: what to write.
            manifest: what it will hold.
            before: what was observed under the name when planning.

        Raises:
            TagChanged: the name holds neither that nor this manifest.
        """
        expected = before.digest if isinstance(before, Published) else None
        found = self._digest_of(name)
        if found == manifest.digest:
            self._report("tag is there already", name=str(name), digest=found)
            return Sent(name, manifest.digest)
        if found != expected:
            raise TagChanged(
                f"{name} held {expected or 'nothing'} when this run planned, and holds {found or 'nothing'} now"
            )
        self._lifetime.check()
        self._registry.put_manifest(name.repository, name.tag, manifest)
        self._read_back(name, manifest.digest, expected)
        self._report("tag written", name=str(name), digest=manifest.digest)
        return Sent(name, manifest.digest)

    def verify(self, sent: Iterable[Sent]) -> None:
        """Read every name written in this run once more.

        Raises:
            TagChanged: one holds something else now.
        """
        for one in sent:
            found = self._digest_of(one.name)
            if found != one.digest:
                raise TagChanged(f"{one.name} was written as {one.digest} and holds {found or 'nothing'} at the end")

    def _read_back(self, name: Name, digest: str, before: str | None) -> None:
        pause, deadline = 0.1, self._clock() + READ_BACK_SECONDS
        while (found := self._digest_of(name)) != digest:
            if found not in {before, None}:
                raise TagChanged(f"{name} was written as {digest} and holds {found} directly after")
            if self._clock() >= deadline:
                raise RegistryAnswerWrong(
                    f"{name} was written as {digest} and still answers with {found or 'nothing'}"
                    f" after {READ_BACK_SECONDS:.0f} s"
                )
            self._lifetime.wait(pause)
            pause = min(pause * 2, 5.0)

    def _digest_of(self, name: Name) -> str | None:
        manifest = self._registry.manifest(name.repository, name.tag)
        return None if manifest is None else manifest.digest


def published_layout(name: Name, found: Published, registry: Registry) -> Layout:
    """Describe what is published under a name as a layout whose blobs are in the registry.

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
    return Layout(found.manifest, children, tuple(blobs.values()))


def _child(repository: Repository, digest: str, registry: Registry) -> Manifest:
    manifest = registry.manifest(repository, digest)
    if manifest is None:
        raise RegistryAnswerWrong(f"{repository}@{digest} is listed by a published index and does not answer")
    return manifest
