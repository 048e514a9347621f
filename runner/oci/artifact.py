"""What every builder and the chart packager give: manifests, and where each blob can be read.

Nothing downstream knows who made an artifact.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from pathlib import Path

    from runner.oci.manifest import Descriptor, Manifest
    from runner.oci.name import Repository

CHUNK = 256 * 1024


@dataclass(frozen=True)
class FileSource:
    """The blob is a file on this machine."""

    path: Path


@dataclass(frozen=True)
class RemoteSource:
    """The blob is in a registry already, under its digest in this repository."""

    repository: Repository


@dataclass(frozen=True)
class Blob:
    """A config or layer, and where to read it."""

    descriptor: Descriptor
    source: FileSource | RemoteSource


@dataclass(frozen=True)
class Artifact:
    """One artifact: its root manifest (an index or a single manifest), the index's children, and all blobs."""

    root: Manifest
    children: tuple[Manifest, ...]
    blobs: tuple[Blob, ...]


def verified(
    chunks: Iterable[bytes], descriptor: Descriptor, wrong: Callable[[str], Exception]
) -> Generator[bytes, None, None]:
    """Pass content on, its last piece only once the whole has the size and digest that it should have.

    Args:
        chunks: the content.
        descriptor: what it should be.
        wrong: makes the error to raise, from what is wrong in words.
    """
    hashed = hashlib.sha256()
    size = 0
    held = b""
    for chunk in chunks:
        size += len(chunk)
        if size > descriptor.size:
            raise wrong(f"the blob is longer than its {descriptor.size} bytes")
        if held:
            yield held
        hashed.update(chunk)
        held = chunk
    if size != descriptor.size:
        raise wrong(f"the blob was cut: {size} of {descriptor.size} bytes")
    digest = f"sha256:{hashed.hexdigest()}"
    if digest != descriptor.digest:
        raise wrong(f"the blob has the digest {digest}, not {descriptor.digest}")
    if held:
        yield held


def read_file(source: FileSource, descriptor: Descriptor) -> Generator[bytes, None, None]:
    """The content of a file, piece by piece; ValueError where it is not what the descriptor says."""

    def wrong(problem: str) -> ValueError:
        return ValueError(f"{source.path}: {problem}")

    with source.path.open("rb") as file:
        yield from verified(iter(lambda: file.read(CHUNK), b""), descriptor, wrong)
