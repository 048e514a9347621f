"""What is attached to a manifest: signatures, bills of materials and the like, found and listed as OCI 1.1 says.

A registry with the referrers API lists them itself. One without it keeps the list as an index under a tag that is made
of the digest, which whoever attaches something writes (distribution-spec 1.1, Referrers Tag Schema). Two that write it
at once can lose an entry: here one thread writes at a time, and the list is read back after each write.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from runner.errors import NotVisibleYet, RegistryAnswerWrong, TagChanged
from runner.oci.manifest import OCI_INDEX, Manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.oci.manifest import Descriptor
    from runner.oci.name import Repository
    from runner.oci.registry import Registry

ATTEMPTS = 5
"""How often an entry is added to a list that others write at the same time."""
READS = 8
"""How often a list that was written is read before what it held before counts as written by somebody else."""


def list_tag(digest: str) -> str:
    """The tag that holds the list of what is attached to a manifest, where the registry has no referrers API."""
    return digest.replace(":", "-")


class Referrers:
    """Finds and lists what is attached to manifests; thread-safe.

    Args:
        registry: any registry's client.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._writing = threading.Lock()

    def of(self, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
        """Return what is attached to a manifest, from the registry's list or, where it has none, from the tag's.

        Raises:
            RegistryFailed, RegistryAnswerWrong, CredentialsRefused, RunEnded: it could not be read.
        """
        listed = self._registry.referrers(repository, digest)
        return self._tagged(repository, digest)[1] if listed is None else listed

    def list(self, repository: Repository, attached: Manifest) -> None:
        """Let a manifest, which the repository has, be found as attached to its subject.

        Args:
            repository: where both are.
            attached: the manifest; ``subject`` says to what it is attached.

        Raises:
            ValueError: it is attached to nothing.
            TagChanged: others write the list again and again, and drop this entry.
            RegistryFailed, RegistryAnswerWrong, CredentialsRefused, RunEnded: it could not be listed.
        """
        subject = attached.subject
        if subject is None:
            raise ValueError(f"{attached.digest} is attached to nothing")
        if self._registry.referrers(repository, subject) is not None:
            return
        with self._writing:
            for _ in range(ATTEMPTS):
                before, entries = self._tagged(repository, subject)
                if attached.digest in {one.digest for one in entries}:
                    return
                self._write(repository, subject, (*entries, attached.listed()), before)
        raise TagChanged(
            f"{repository}:{list_tag(subject)} does not keep {attached.digest}: others write this list at the same time"
        )

    def _tagged(self, repository: Repository, digest: str) -> tuple[str | None, tuple[Descriptor, ...]]:
        """What the tag of a manifest's list holds, and the entries."""
        tag = list_tag(digest)
        found = self._registry.manifest(repository, tag)
        if found is None:
            return None, ()
        if not found.is_index:
            raise RegistryAnswerWrong(f"{repository}:{tag} is not a list of what is attached to {digest}")
        return found.digest, found.children

    def _write(self, repository: Repository, digest: str, entries: Sequence[Descriptor], before: str | None) -> None:
        documents = [one.document() for one in entries]
        index = Manifest.write(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": documents})
        tag = list_tag(digest)
        try:
            self._registry.put_manifest(repository, tag, index, replacing=before)
            self._registry.await_tag(repository, tag, index.digest, before=before, attempts=READS)
        except (TagChanged, NotVisibleYet):
            # Somebody else has written it: whoever lists looks at it anew.
            return
