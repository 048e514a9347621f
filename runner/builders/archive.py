"""Layers as archives whose bytes follow from their members alone: nothing of the clock, the machine or its users."""

from __future__ import annotations

import hashlib
import mmap
import os
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import deflate

from runner.oci.artifact import CHUNK, Blob, FileSource
from runner.oci.manifest import OCI_LAYER, Descriptor, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMPRESSOR = f"deflate {deflate.__version__}"
COMPRESSION_LEVEL = 6
"""Of 1 to 12; from 7 on, a compiled program takes more than twice the time and shrinks by less than one percent."""

FOLDER_MODE = 0o755
FILE_MODE = 0o644
PROGRAM_MODE = 0o755

_BLOCK = 512


@dataclass(frozen=True)
class Member:
    """A file or folder in a layer.

    Attributes:
        path: from the image's root, without a leading slash.
        content: bytes, a file that holds them, or None for a folder.
        mode: permission bits.
    """

    path: str
    content: bytes | Path | None
    mode: int = FILE_MODE


@dataclass(frozen=True)
class Layer:
    """A layer that this runner made.

    ``diff_id`` is the digest of the archive before compression; ``created_by`` says in the image's history what is
    in it.
    """

    blob: Blob
    diff_id: str
    created_by: str


def write_layer(members: Sequence[Member], folder: Path) -> Layer:
    """Write a compressed layer into ``folder``, named by its digest.

    Exactly the given members are written, in their order: a folder that is not among them stays as it is in the
    layers below. Where these have a link in its place (``/bin`` is often one), an entry would replace the link.
    """
    opened, name = tempfile.mkstemp(prefix="layer-", suffix=".tar", dir=folder)
    archive = Path(name)
    try:
        hashed = hashlib.sha256()
        with os.fdopen(opened, "wb") as written:
            for chunk in _tar(members):
                hashed.update(chunk)
                written.write(chunk)
        with archive.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            body = bytes(deflate.gzip_compress(content, COMPRESSION_LEVEL))
    finally:
        archive.unlink()
    digest = digest_of(body)
    path = folder / f"{digest.removeprefix('sha256:')}.tar.gz"
    path.write_bytes(body)
    paths = ", ".join(f"/{member.path}" for member in members if member.content is not None)
    return Layer(
        blob=Blob(Descriptor(OCI_LAYER, digest, len(body)), FileSource(path)),
        diff_id=f"sha256:{hashed.hexdigest()}",
        created_by=f"ack-release: add {paths}",
    )


def _tar(members: Sequence[Member]) -> Iterator[bytes]:
    for member in members:
        entry = tarfile.TarInfo(member.path)
        entry.mode = member.mode
        if member.content is None:
            entry.type = tarfile.DIRTYPE
        elif isinstance(member.content, bytes):
            entry.size = len(member.content)
        else:
            entry.size = member.content.stat().st_size
        yield entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
        if isinstance(member.content, bytes):
            yield member.content
        elif member.content is not None:
            with member.content.open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        yield bytes(-entry.size % _BLOCK)
    yield bytes(2 * _BLOCK)
