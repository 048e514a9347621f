"""Tar archives that others wrote, read from a stream: little is held, whatever they hold, and nothing is written.

Formats: tar as Python's ``tarfile`` reads one header, gzip of several streams one after the other. ``tarfile`` itself
is given no archive: it reads extensions by recursion, and follows sizes below zero.
"""

from __future__ import annotations

import io
import tarfile
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BLOCK = 512
PIECE = 256 * 1024
"""Bytes that are decompressed at once."""

EXTENSION_LIMIT = 1024 * 1024
"""Bytes before a member that say more of it: long names, attributes."""

EXTENSIONS = frozenset({tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, *tarfile.GNU_TYPES} - {b"S"})


def members(reader: Reader) -> Iterator[tarfile.TarInfo]:
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


def stored_size(member: tarfile.TarInfo) -> int:
    """How many bytes of content follow a header: folders, links and devices have none, whatever it says."""
    has_content = member.isreg() or member.type not in tarfile.SUPPORTED_TYPES
    return member.size if has_content else 0


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


class Reader:
    """Content that arrives in pieces, read in other pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = b""
        self._place = 0

    def take(self, size: int) -> bytes:
        """As many bytes as are wanted; none at the very end, where a header is; ValueError when it ends within them."""
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


def gunzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
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
