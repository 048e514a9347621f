"""One file of an image's layer, read from a stream: nothing is written, and little is held, whatever the layer holds.

Formats: OCI image-spec 1.1, ``layer.md`` (tar, gzip, whiteouts); tar as Python's ``tarfile`` reads it.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.foreign.tar import BLOCK, Reader, gunzipped, members, stored_size

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Iterable, Iterator

HEAD = 4096
"""Bytes of the file that are kept: an ELF file's header, and behind it, as linkers put it, how it is loaded."""

WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"


@dataclass(frozen=True)
class File:
    """A layer has the file; ``head`` is its first bytes."""

    path: str
    head: bytes


@dataclass(frozen=True)
class Link:
    """A layer has a link in the file's place; ``target`` is where it leads, from the image's root."""

    path: str
    target: str


@dataclass(frozen=True)
class Gone:
    """A layer removes what the layers below have at these paths, and has nothing there itself."""

    paths: frozenset[str]


class Allowance:
    """How many bytes may still be decompressed, over all that shares it."""

    def __init__(self, size: int) -> None:
        self._left = size

    def spend(self, size: int) -> None:
        """Take some of it; ValueError when that is more than is left."""
        self._left -= size
        if self._left < 0:
            raise ValueError("its layers are larger than what is read of an image")


def find_file(pieces: Iterator[bytes], paths: frozenset[str], allowance: Allowance) -> File | Link | Gone | None:
    """Return what a layer has at one of these paths; None when it has nothing to do with any.

    Args:
        pieces: the layer as it is stored: a tar archive, as it is or compressed with gzip.
        paths: from the image's root, without a leading slash; the last member at one of them counts.
        allowance: how much may be decompressed.

    Raises:
        ValueError: it cannot be read, or is larger than what is allowed.
    """
    found: File | Link | None = None
    gone: set[str] = set()
    reader = Reader(_unpacked(pieces, allowance))
    for member in members(reader):
        path, size = _from_root(member.name), stored_size(member)
        head = reader.take(min(size, HEAD)) if path in paths else b""
        reader.skip(size - len(head) + -size % BLOCK)
        if path in paths:
            found = _content(member, path, head)
        gone |= {wanted for wanted in paths if _removes(path, wanted)}
    if found is not None:
        return found
    return Gone(frozenset(gone)) if gone else None


def _content(member: tarfile.TarInfo, path: str, head: bytes) -> File | Link | None:
    if member.issym() or member.islnk():
        above = "" if member.islnk() or member.linkname.startswith("/") else posixpath.dirname(path)
        return Link(path, _from_root(posixpath.join(above, member.linkname.lstrip("/"))))
    return File(path, head) if member.isreg() else None


def _removes(path: str, wanted: str) -> bool:
    """Whether a member of this path is a whiteout of another one, or of a folder above it."""
    folder, _, name = path.rpartition("/")
    if name == OPAQUE:
        return wanted.startswith(f"{folder}/")
    hidden = posixpath.join(folder, name.removeprefix(WHITEOUT))
    return name.startswith(WHITEOUT) and f"{wanted}/".startswith(f"{hidden}/")


def _from_root(name: str) -> str:
    return posixpath.normpath(f"/{name}").lstrip("/")


GZIP, ZSTANDARD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


def _unpacked(pieces: Iterator[bytes], allowance: Allowance) -> Iterator[bytes]:
    # The media type is not asked: what a layer is compressed with is what its first bytes say.
    first = b""
    while len(first) < len(ZSTANDARD) and (piece := next(pieces, None)) is not None:
        first += piece
    if first.startswith(ZSTANDARD):
        raise ValueError("it is compressed with Zstandard, which is not read here")
    whole = _chained(first, pieces)
    for piece in gunzipped(whole) if first.startswith(GZIP) else whole:
        allowance.spend(len(piece))
        yield piece


def _chained(first: bytes, pieces: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from pieces
