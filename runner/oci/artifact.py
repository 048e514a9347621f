"""What every builder and the chart packager produce: manifests, and where to read each blob.

Nothing downstream knows which of them made an artifact.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.foreign.files import open_file

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from pathlib import Path

    from runner.oci.manifest import Descriptor, Manifest
    from runner.oci.name import Repository

CHUNK = 256 * 1024


@dataclass(frozen=True)
class FileSource:
    """A blob that is a file on this machine."""

    path: Path


@dataclass(frozen=True)
class RemoteSource:
    """A blob that is already in a registry, under its digest in this repository."""

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
    """Pass content on, and hold its last piece back until the whole is known to have the right size and digest.

    Args:
        chunks: the content, piece by piece.
        descriptor: the size and digest that it must have.
        wrong: makes the error to raise from a description of what is wrong.
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
        raise wrong(f"the blob was cut short: {size} of {descriptor.size} bytes")
    digest = f"sha256:{hashed.hexdigest()}"
    if digest != descriptor.digest:
        raise wrong(f"the blob has the digest {digest}, not {descriptor.digest}")
    if held:
        yield held


def read_file(source: FileSource, descriptor: Descriptor) -> Generator[bytes, None, None]:
    """The content of a file, piece by piece; ValueError when it does not match the descriptor."""

    def wrong(problem: str) -> ValueError:
        return ValueError(f"{source.path}: {problem}")

    with open_file(source.path) as file:
        yield from verified(iter(lambda: file.read(CHUNK), b""), descriptor, wrong)
