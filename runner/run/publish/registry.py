"""The one publisher: content by digest first, the tag last, each read back.

The order of writes is a promise: blobs, child manifests, root by digest, read back, what is attached, read the tag
again, tag, read back. Killed anywhere, it leaves either no tag or a complete artifact under it, with its attachments.

OCI registries have no compare-and-swap. The window that remains between reading the tag and writing it is one round
trip.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from runner.errors import NotVisibleYet, RegistryAnswerWrong, TagChanged
from runner.oci.referrers import Referrers
from runner.published.observed import Observation, Published, unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.oci.artifact import Artifact
    from runner.oci.manifest import Manifest
    from runner.oci.name import Name, Repository
    from runner.oci.registry import Registry
    from runner.run.publish.anonymous import AnonymousReader
    from runner.runtime.lifetime import Lifetime

PARALLEL_BLOBS = 4
READS_AT_THE_END = 8
"""How often a tag that was seen with what this run wrote is read before something else under it counts."""


class RegistryDestination:
    """Writes artifacts to their registry.

    Args:
        registry: where to.
        lifetime: ends every wait.
        report: called with what was done: an event in words, and its values.
        written: called with each name whose write the registry has accepted and the digest that it holds; once more,
            with None, where somebody else has written it directly after.
        anonymous: reads names in the end as their users do; None where they log in.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        registry: Registry,
        lifetime: Lifetime,
        report: Callable[..., object],
        *,
        written: Callable[[Name, str | None], object] = lambda *_: None,
        anonymous: AnonymousReader | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._lifetime = lifetime
        self._report = report
        self._tell_written = written
        self._anonymous = anonymous
        self._clock = clock
        self._referrers = Referrers(registry)
        self._written: list[tuple[Name, str]] = []
        self._replaced: dict[Name, str | None] = {}

    reads_files_at_the_end = False

    def publish(
        self,
        artifact: Artifact,
        names: Sequence[tuple[Name, Observation]],
        *,
        attached: Sequence[Artifact] = (),
    ) -> None:
        """Make the artifact answer by digest in every repository, attach, then write the names in order.

        Raises:
            RegistryFailed, RegistryForbids, RegistryAnswerWrong, CredentialsRefused: not all of it is there; no name
                holds a part.
            NotVisibleYet: the registry has accepted it, but does not show it in time.
            TagImmutable: the registry's rules do not let a name be written.
            TagChanged: a name holds neither what was observed nor this artifact.
        """
        for repository in dict.fromkeys(name.repository for name, _ in names):
            self._send(artifact, repository)
            for one in attached:
                self._send(one, repository)
                self._referrers.list(repository, one.root)
        for name, before in names:
            self._tag(name, artifact.root, before)

    def missing(self, image: Name, manifest: Manifest) -> tuple[str, ...]:
        """Ask the registry for the manifest and, of an index, for every child."""
        return unanswered(image, manifest, self._registry)

    def finish(self) -> None:
        """Read every name written in this run once more, also as its users do.

        Raises:
            TagChanged: one holds something else now.
            NotPublic, NotPublicYet: one cannot be read without credentials.
        """
        for name, digest in self._written:
            found: str | None
            try:
                found = self._registry.await_tag(
                    name.repository, name.tag, digest, before=self._replaced[name], attempts=READS_AT_THE_END
                )
            except NotVisibleYet:
                found = self._digest_of(name)
            if found != digest:
                raise TagChanged(f"{name} was written as {digest} but holds {found or 'nothing'} at the end of the run")
        read = () if self._anonymous is None else self._anonymous.check(self._written)
        if read:
            self._report("read without credentials", names=", ".join(map(str, read)))

    def _send(self, artifact: Artifact, repository: Repository) -> None:
        began = self._clock()
        blobs = {blob.descriptor.digest: blob for blob in artifact.blobs}
        with ThreadPoolExecutor(PARALLEL_BLOBS, thread_name_prefix="blobs") as pool:
            outcomes = list(pool.map(lambda blob: self._registry.send_blob(repository, blob), blobs.values()))
        for manifest in (*artifact.children, artifact.root):
            self._lifetime.check()
            self._registry.put_manifest(repository, manifest.digest, manifest)
        if self._registry.manifest(repository, artifact.root.digest) is None:
            raise RegistryAnswerWrong(f"{repository}@{artifact.root.digest} was sent but cannot be read back")
        counts = {f"blobs_{outcome}": outcomes.count(outcome) for outcome in sorted(set(outcomes))}
        self._report(
            "content sent",
            repository=str(repository),
            digest=artifact.root.digest,
            bytes=sum(blob.descriptor.size for blob in blobs.values()),
            seconds=round(self._clock() - began, 3),
            **counts,
        )

    def _tag(self, name: Name, manifest: Manifest, before: Observation) -> None:
        expected = before.digest if isinstance(before, Published) else None
        found = self._digest_of(name)
        if found == manifest.digest:
            self._report("tag already there", name=str(name), digest=found)
            return
        if found != expected:
            raise TagChanged(
                f"{name} held {expected or 'nothing'} when this run planned, but now holds {found or 'nothing'}"
            )
        self._lifetime.check()
        self._registry.put_manifest(name.repository, name.tag, manifest, replacing=expected)
        # Told before it is read back: whatever ends the run meanwhile, the name holds this.
        self._tell_written(name, manifest.digest)
        try:
            self._read_back(name, manifest.digest, expected)
        except TagChanged:
            self._tell_written(name, None)
            raise
        self._replaced[name] = expected
        self._written.append((name, manifest.digest))
        self._report("tag written", name=str(name), digest=manifest.digest)

    def _read_back(self, name: Name, digest: str, before: str | None) -> None:
        found = self._registry.await_tag(name.repository, name.tag, digest, before=before)
        if found != digest:
            raise TagChanged(f"{name} was written as {digest} and holds {found} directly after")

    def _digest_of(self, name: Name) -> str | None:
        manifest = self._registry.manifest(name.repository, name.tag)
        return None if manifest is None else manifest.digest
