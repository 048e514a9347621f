"""What ECR Public keeps of repositories and images; the contents are the registry's behind it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_TAGS = 1000
"""Of an image, which cannot be raised."""


@dataclass(frozen=True)
class Image:
    """A manifest of any kind.

    Attributes:
        digest: its own.
        media_type: as it was pushed.
        artifact_type: its artifactType, or else its config's media type; None: it has neither.
        size: its own bytes, and those of its config and layers.
        pushed: seconds of the epoch.
        children: the manifests of an index.
    """

    digest: str
    media_type: str
    artifact_type: str | None
    size: int
    pushed: float
    children: tuple[str, ...] = ()


@dataclass
class Tag:
    """What a tag shows.

    Attributes:
        digest: what it was written with last.
        created: seconds of the epoch.
        before: what it showed before; None: nothing.
        visible: seconds of the epoch, from which it shows what was written.
        reads: how many more reads show what was there before.
    """

    digest: str
    created: float
    before: str | None = None
    visible: float = 0.0
    reads: int = 0


@dataclass
class Repository:
    """A repository of the account. ``name`` is without the registry's alias."""

    name: str
    created: float
    catalog: dict[str, Any] | None = None
    policy: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    images: dict[str, Image] = field(default_factory=dict)
    tags: dict[str, Tag] = field(default_factory=dict)
    blobs: set[str] = field(default_factory=set)
    unread: dict[str, int] = field(default_factory=dict)
    """By digest of a manifest: how many more reads do not find it."""

    def tags_of(self, digest: str) -> list[str]:
        """The tags that were written with this manifest last."""
        return [name for name, tag in self.tags.items() if tag.digest == digest]

    def referring(self, digest: str) -> list[str]:
        """The indexes that have this manifest as a child."""
        return [image.digest for image in self.images.values() if digest in image.children]


class TooManyTags(Exception):
    """An image has as many tags as it may have."""


class Repositories:
    """The repositories of one registry, by name.

    Args:
        clock: the time in seconds of the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self._repositories: dict[str, Repository] = {}

    def create(self, name: str) -> Repository | None:
        """Make a repository; None: there is one of that name."""
        with self.lock:
            if name in self._repositories:
                return None
            repository = self._repositories[name] = Repository(name, self.clock())
            return repository

    def find(self, name: str) -> Repository | None:
        """The repository of this name, or None."""
        with self.lock:
            return self._repositories.get(name)

    def remove(self, name: str) -> None:
        """Remove a repository with all that is in it."""
        with self.lock:
            del self._repositories[name]

    def all(self) -> list[Repository]:
        """All of them, the one made first first."""
        with self.lock:
            return list(self._repositories.values())

    def check_tag(self, repository: Repository, digest: str, tag: str) -> None:
        """Check that an image may have one more tag.

        Raises:
            TooManyTags: it may not.
        """
        with self.lock:
            there = repository.tags_of(digest)
            if tag not in there and len(there) >= MOST_TAGS:
                raise TooManyTags

    def put(
        self,
        repository: Repository,
        image: Image,
        tag: str | None,
        *,
        lag_seconds: float = 0,
        lag_reads: int = 0,
        digest_reads: int = 0,
    ) -> None:
        """Remember a manifest that was pushed, by its digest or under a tag.

        Args:
            repository: where.
            image: what.
            tag: under which name; None: by digest.
            lag_seconds: how long the tag still shows what it showed.
            lag_reads: how many reads of the tag still show what it showed.
            digest_reads: how many reads by digest do not find it.
        """
        with self.lock:
            now = self.clock()
            known = repository.images.get(image.digest)
            if known is None:
                repository.images[image.digest] = replace(image, pushed=now)
                if digest_reads:
                    repository.unread[image.digest] = digest_reads
            if tag is None:
                return
            written = repository.tags.get(tag)
            if written is not None and written.digest == image.digest:
                return
            repository.tags[tag] = Tag(
                image.digest,
                now,
                before=self._shown(written) if written is not None else None,
                visible=now + lag_seconds,
                reads=lag_reads,
            )

    def shows(self, repository: Repository, tag: str) -> str | None:
        """Return the digest that a reader of a tag is shown now; None: none. Counts as a read."""
        with self.lock:
            written = repository.tags.get(tag)
            if written is None:
                return None
            shown = self._shown(written)
            if written.reads:
                written.reads -= 1
            return shown

    def has(self, repository: Repository, digest: str) -> bool:
        """Whether a reader finds a manifest by its digest. Counts as a read."""
        with self.lock:
            if digest not in repository.images:
                return False
            left = repository.unread.get(digest, 0)
            if left > 1:
                repository.unread[digest] = left - 1
            else:
                repository.unread.pop(digest, None)
            return left == 0

    def visible_tags(self, repository: Repository) -> list[str]:
        """The tags that a reader is shown, sorted. Counts as a read of each."""
        with self.lock:
            return sorted(tag for tag in list(repository.tags) if self.shows(repository, tag) is not None)

    def untag(self, repository: Repository, tag: str) -> None:
        """Remove a tag, and the image with its last one."""
        with self.lock:
            digest = repository.tags.pop(tag).digest
            if not repository.tags_of(digest) and not repository.referring(digest):
                repository.images.pop(digest, None)

    def remove_image(self, repository: Repository, digest: str) -> None:
        """Remove an image and its tags."""
        with self.lock:
            for tag in repository.tags_of(digest):
                del repository.tags[tag]
            del repository.images[digest]

    def _shown(self, tag: Tag) -> str | None:
        waiting = tag.reads > 0 or self.clock() < tag.visible
        return tag.before if waiting else tag.digest
