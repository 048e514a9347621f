"""What registries have accepted from this process, and therefore have, whatever their next answers say."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.oci.manifest import Manifest
    from runner.oci.name import Repository


class Accepted:
    """The digests that were accepted, by repository; thread-safe.

    Registries whose reads lag behind their writes may not know for a while what they have accepted: ECR Public's users
    have seen minutes. Such an answer is waited for, where the same answer about something else ends the step.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._digests: dict[Repository, set[str]] = {}

    def add(self, repository: Repository, digest: str) -> None:
        """Remember a blob or manifest that the repository has."""
        with self._lock:
            self._digests.setdefault(repository, set()).add(digest)

    def __contains__(self, item: tuple[Repository, str]) -> bool:
        repository, digest = item
        with self._lock:
            return digest in self._digests.get(repository, ())

    def has_all_of(self, repository: Repository, manifest: Manifest) -> bool:
        """Whether everything was accepted that a manifest refers to."""
        try:
            digests = [one.digest for one in (*manifest.blobs, *manifest.children)]
        except ValueError:
            return False
        return all((repository, digest) in self for digest in digests)
