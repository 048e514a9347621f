"""What a registry holds under tags: read, compared, and put into another one. It speaks to the registry itself."""

from __future__ import annotations

import http.client
import json
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from runner.oci.manifest import INDEX_TYPES, digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ACCEPT = ", ".join(
    (
        *sorted(INDEX_TYPES),
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
HISTORY_TIME = re.compile(r"(?<=-stable-)\d{8}T\d{6}Z(?=-)")


@dataclass(frozen=True)
class Stored:
    """A manifest as the registry returns it."""

    media_type: str
    body: bytes

    @property
    def digest(self) -> str:
        """Of its bytes."""
        return digest_of(self.body)

    @property
    def document(self) -> dict[str, Any]:
        """What it says."""
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def children(self) -> tuple[str, ...]:
        """The digests of the manifests that an index lists."""
        return tuple(row["digest"] for row in self.document.get("manifests", ()))

    @property
    def blobs(self) -> tuple[str, ...]:
        """The digests of config and layers."""
        document = self.document
        rows = [*([document["config"]] if "config" in document else []), *document.get("layers", ())]
        return tuple(row["digest"] for row in rows)


class Reader:
    """Asks a registry over one connection, one request after the other; a context manager.

    Args:
        host: ``HOST:PORT``, plain HTTP.
    """

    def __init__(self, host: str) -> None:
        self._connection = http.client.HTTPConnection(host, timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def tags(self) -> dict[str, str]:
        """Every tag, as ``REPOSITORY:TAG``, with the digest that it has."""
        return {
            f"{repository}:{tag}": stored.digest
            for repository in self._json("/v2/_catalog").get("repositories") or ()
            for tag in self._json(f"/v2/{repository}/tags/list").get("tags") or ()
            if (stored := self.manifest(repository, tag)) is not None
        }

    def manifest(self, repository: str, reference: str) -> Stored | None:
        """What a tag or digest holds; None when it does not answer."""
        status, media_type, body = self._ask("GET", f"/v2/{repository}/manifests/{reference}")
        return Stored(media_type, body) if status == http.client.OK else None

    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether a blob answers."""
        return self._ask("HEAD", f"/v2/{repository}/blobs/{digest}")[0] == http.client.OK

    def put(self, repository: str, reference: str, stored: Stored) -> None:
        """Write a manifest."""
        status, _, body = self._ask("PUT", f"/v2/{repository}/manifests/{reference}", stored)
        if status != http.client.CREATED:
            raise ValueError(f"the registry took no {repository}:{reference}: {status} {body.decode()}")

    def _json(self, path: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self._ask("GET", path)[2])
        return document

    def _ask(self, method: str, path: str, stored: Stored | None = None) -> tuple[int, str, bytes]:
        headers = {"Accept": ACCEPT} if stored is None else {"Content-Type": stored.media_type}
        self._connection.request(method, path, None if stored is None else stored.body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read()


@dataclass(frozen=True)
class Contents:
    """All that tags reach.

    Attributes:
        tags: the digest under each ``REPOSITORY:TAG``.
        manifests: what each ``REPOSITORY@DIGEST`` is, children before what lists them.
        blobs: a copy of the folder in which the registry keeps its blobs.
    """

    tags: Mapping[str, str]
    manifests: Mapping[str, Stored]
    blobs: Path

    @classmethod
    def read(cls, host: str, blobs: Path, copy: Path) -> Contents:
        """Read a registry, and copy its blobs.

        Args:
            host: the registry's.
            blobs: the folder in which it keeps them.
            copy: where to copy them; made.
        """
        shutil.copytree(blobs, copy)
        manifests: dict[str, Stored] = {}
        with Reader(host) as reader:
            tags = reader.tags()
            for name, digest in tags.items():
                repository = name.rpartition(":")[0]
                _collect(reader, repository, digest, manifests)
        return cls(tags, manifests, copy)

    @classmethod
    def nothing(cls, copy: Path) -> Contents:
        """What an empty registry holds; ``copy`` is an empty folder, made."""
        copy.mkdir(parents=True)
        return cls({}, {}, copy)

    def write(self, host: str, blobs: Path) -> None:
        """Put all of it into an empty registry that keeps its blobs in this folder."""
        shutil.copytree(self.blobs, blobs, dirs_exist_ok=True)
        with Reader(host) as reader:
            for name, stored in self.manifests.items():
                repository, _, digest = name.partition("@")
                reader.put(repository, digest, stored)
            for name, digest in self.tags.items():
                repository, _, tag = name.rpartition(":")
                reader.put(repository, tag, self.manifests[f"{repository}@{digest}"])


def comparable(tags: Mapping[str, str]) -> list[tuple[str, str]]:
    """Tags and digests, in order, without the times in history tags: two runs move stable at different times."""
    return sorted((HISTORY_TIME.sub("TIME", name), digest) for name, digest in tags.items())


def _collect(reader: Reader, repository: str, digest: str, into: dict[str, Stored]) -> None:
    stored = reader.manifest(repository, digest)
    if stored is None:
        raise ValueError(f"{repository}@{digest} has a tag and does not answer")
    for child in stored.children:
        _collect(reader, repository, child, into)
    into[f"{repository}@{digest}"] = stored
