"""What every builder and the chart packager give: manifests, and where each blob can be read.

Nothing downstream knows who made a layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from runner.oci.media import Descriptor, Manifest, Repository


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
class Layout:
    """One artifact: its root manifest (an index or a single manifest), the index's children, and all blobs."""

    root: Manifest
    children: tuple[Manifest, ...]
    blobs: tuple[Blob, ...]
