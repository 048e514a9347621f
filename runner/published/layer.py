"""One file of an image's layer, read from a stream: nothing is written, and little is held, whatever the layer holds.

Formats: OCI image-spec 1.1, ``layer.md`` (tar, gzip, whiteouts); tar as Python's ``tarfile`` reads it.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BLOCK = 512
PIECE = 256 * 1024
"""Bytes that are decompressed at once."""

EXTENSION_LIMIT = 1024 * 1024
"""Bytes before a member that say more of it: long names, attributes."""

HEAD = 4096
"""Bytes of the file that are kept: an ELF file's header, and behind it, as linkers put it, how it is loaded."""

EXTENSIONS = frozenset({tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, *tarfile.GNU_TYPES} - {b"S"})
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
    reader = _Reader(_unpacked(pieces, allowance))
    for member in _members(reader):
        path, size = _from_root(member.name), _stored(member)
        head = reader.take(min(size, HEAD)) if path in paths else b""
        reader.skip(size - len(head) + -size % BLOCK)
        if path in paths:
            found = _content(member, path, head)
        gone |= {wanted for wanted in paths if _removes(path, wanted)}
    if found is not None:
        return found
    return Gone(frozenset(gone)) if gone else None


def _stored(member: tarfile.TarInfo) -> int:
    """How many bytes of content follow a header: folders, links and devices have none, whatever it says."""
    has_content = member.isreg() or member.type not in tarfile.SUPPORTED_TYPES
    return member.size if has_content else 0


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


def _members(reader: _Reader) -> Iterator[tarfile.TarInfo]:
    """The members of an archive; whoever takes one reads or skips its content, and what fills its last block."""
    extended = b""
    while block := reader.take(BLOCK):
        if not block.strip(b"\0"):
            return
        member = _parsed(block)
        if member.type not in EXTENSIONS:
            yield _parsed(extended + block) if extended else member
            extended = b""
            continue
        size = member.size + -member.size % BLOCK
        if len(extended) + size > EXTENSION_LIMIT:
            raise ValueError(f"what stands before a member is larger than {EXTENSION_LIMIT} bytes")
        extended += block + reader.take(size)


def _parsed(header: bytes) -> tarfile.TarInfo:
    """Read a header, or one with the extensions before it; negative sizes and sparse files are refused."""
    try:
        if len(header) == BLOCK:
            member: tarfile.TarInfo | None = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        else:
            with tarfile.open(fileobj=io.BytesIO(header), mode="r:", encoding="utf-8") as archive:
                member = archive.next()
    except (tarfile.TarError, ValueError, OverflowError, EOFError, IndexError, RecursionError) as error:
        raise ValueError(f"it is not a whole tar archive: {error}") from error
    if member is None or member.size < 0 or member.issparse() or member.type == tarfile.GNUTYPE_SPARSE:
        raise ValueError("it has a member that is none, is sparse or has less than no content")
    return member


class _Reader:
    """Content that arrives in pieces, read in other pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = b""
        self._place = 0

    def take(self, size: int) -> bytes:
        """As many bytes as are wanted; none at the very end, ValueError when it ends within them."""
        taken = b"".join(self._parts(size))
        if taken and len(taken) < size:
            raise ValueError("it is cut short")
        return taken

    def skip(self, size: int) -> None:
        """Leave bytes out; ValueError when it ends within them."""
        if sum(map(len, self._parts(size))) < size:
            raise ValueError("it is cut short")

    def _parts(self, size: int) -> Iterator[bytes]:
        while size > 0:
            if self._place == len(self._piece):
                following = next(self._pieces, None)
                if following is None:
                    return
                self._piece, self._place = following, 0
            part = self._piece[self._place : self._place + size]
            self._place += len(part)
            size -= len(part)
            yield part


GZIP, ZSTANDARD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


def _unpacked(pieces: Iterator[bytes], allowance: Allowance) -> Iterator[bytes]:
    # The media type is not asked: what a layer is compressed with is what its first bytes say.
    first = b""
    while len(first) < len(ZSTANDARD) and (piece := next(pieces, None)) is not None:
        first += piece
    if first.startswith(ZSTANDARD):
        raise ValueError("it is compressed with Zstandard, which is not read here")
    whole = _chained(first, pieces)
    for piece in _gunzipped(whole) if first.startswith(GZIP) else whole:
        allowance.spend(len(piece))
        yield piece


def _chained(first: bytes, pieces: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from pieces


def _gunzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress, one gzip stream after the other, a limited piece at a time."""
    stream = None
    try:
        for piece in pieces:
            left = piece
            while left := left if stream else left.lstrip(b"\0"):
                stream = stream or zlib.decompressobj(wbits=31)
                unpacked = stream.decompress(left, PIECE)
                yield unpacked
                left = stream.unconsumed_tail
                while not left and not stream.eof and len(unpacked) == PIECE:
                    unpacked = stream.decompress(b"", PIECE)
                    yield unpacked
                if stream.eof:
                    left, stream = stream.unused_data, None
    except zlib.error as error:
        raise ValueError(f"it is not gzip: {error}") from error
    if stream is not None:
        raise ValueError("it is cut short")
