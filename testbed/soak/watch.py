"""What must hold in a registry at every moment of a release, looked at after every write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.annotations import RELEASE_IMAGE
from testbed.soak.contents import Reader

if TYPE_CHECKING:
    from testbed.faults.rules import Seen
    from testbed.soak.contents import Stored

MOVING = re.compile(r"(?:^|-)v\d+-stable$")
"""Tags that may change: those of stable. Their history, and releases, never do."""
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class RegistryWatch:
    """Looks at a registry after each write (``FaultProxy.watch``), and collects what must never be.

    - a tag on a manifest of which a child or a blob is missing;
    - a chart's tag while the image that the chart names does not answer by digest, whole;
    - a tag of a release, or of stable's history, that changes or vanishes.

    Args:
        host: the registry itself, not the proxy before it.

    ``violations`` is what was found, each after the request that showed it; ``looked`` counts the looks.
    """

    def __init__(self, host: str) -> None:
        self._reader = Reader(host)
        self._tags: dict[str, str] = {}
        self._whole: set[tuple[str, str]] = set()
        self.looked = 0
        self.violations: list[str] = []

    def __call__(self, seen: Seen) -> None:
        """Look, if the request was one that writes."""
        if seen.method in WRITES:
            self.look(f"after {seen.method} {seen.path}")

    def look(self, when: str) -> None:
        """Look at every tag."""
        self.looked += 1
        tags = self._reader.tags()
        self.violations += [f"{when}: {problem}" for problem in (*self._changed(tags), *self._incomplete(tags))]
        self._tags = tags

    def close(self) -> None:
        """Close the connection to the registry."""
        self._reader.close()

    def _changed(self, tags: dict[str, str]) -> list[str]:
        return [
            f"{name} held {before} and holds {tags.get(name, 'nothing')}"
            for name, before in self._tags.items()
            if tags.get(name) != before and not (MOVING.search(name.rpartition(":")[2]) and name in tags)
        ]

    def _incomplete(self, tags: dict[str, str]) -> list[str]:
        problems: list[str] = []
        for name, digest in tags.items():
            repository = name.rpartition(":")[0]
            problems += [f"{name} lacks {missing}" for missing in self._missing(repository, digest)]
        return problems

    def _missing(self, repository: str, digest: str) -> list[str]:
        # What is whole stays so: nothing is deleted by digest, and a look for it is most of the time spent here.
        if (repository, digest) in self._whole:
            return []
        stored = self._reader.manifest(repository, digest)
        if stored is None:
            return [f"{repository}@{digest}"]
        missing = [
            *(lack for child in stored.children for lack in self._missing(repository, child)),
            *(f"{repository}@{blob}" for blob in stored.blobs if not self._reader.has_blob(repository, blob)),
            *self._missing_image(stored),
        ]
        if not missing:
            self._whole.add((repository, digest))
        return missing

    def _missing_image(self, stored: Stored) -> list[str]:
        named = stored.document.get("annotations", {}).get(RELEASE_IMAGE)
        if named is None:
            return []
        repository, _, digest = named.partition("@")
        return self._missing(repository.partition("/")[2], digest)
