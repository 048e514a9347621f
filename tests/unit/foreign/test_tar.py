from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.foreign.tar import BLOCK, PIECE, Reader, gunzipped, members, stored_size

if TYPE_CHECKING:
    from collections.abc import Iterator


def names(archive: bytes) -> list[str]:
    """The names of the members, the content of each passed over."""
    reader = Reader(iter((archive,)))
    found = []
    for member in members(reader):
        size = stored_size(member)
        reader.skip(size + -size % BLOCK)
        found.append(member.name)
    return found


def archived(*paths: str) -> bytes:
    """An archive of files of these names."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for path in paths:
            member = tarfile.TarInfo(path)
            member.size = len(path)
            archive.addfile(member, io.BytesIO(path.encode()))
    return file.getvalue()


def long_name(body: bytes = b"abc\0") -> bytes:
    """GNU's header that gives the next member its name."""
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, len(body)
    return header.tobuf(tarfile.GNU_FORMAT) + body + bytes(-len(body) % BLOCK)


def sized(size: int, kind: bytes) -> bytes:
    """A header of a kind with a size that need not be true."""
    header = tarfile.TarInfo("a/b")
    header.type, header.size = kind, size
    return header.tobuf(tarfile.GNU_FORMAT)


@given(st.lists(st.text(st.sampled_from("abc/é"), min_size=1, max_size=200).filter(lambda path: path.strip("/"))))
def test_members(paths: list[str]) -> None:
    """The members are those that tarfile finds, whatever their names' length and letters."""
    archive = archived(*paths)
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        assert names(archive) == opened.getnames()


KINDS = [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE, b"?"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [-512, -(2**40), 2**62])
def test_sizes_that_lie(size: int, kind: bytes) -> None:
    """A size below zero, or beyond the archive, is an error; nothing is read twice and nothing is held for it."""
    if kind == tarfile.DIRTYPE and size > 0:
        assert names(sized(size, kind) + bytes(1024)) == ["a/b"]
        return
    with pytest.raises(ValueError, match=r"cut short|no content|larger than"):
        names(sized(size, kind) * 2)


def test_extensions_that_never_end() -> None:
    """What says more of a member is limited, however many pieces it is in."""
    with pytest.raises(ValueError, match="larger than"):
        names(long_name() * 3000 + archived("a"))
    with pytest.raises(ValueError, match="tar archive"):
        names(long_name() * 1000 + archived("a"))


@given(st.binary(max_size=2000))
@example(b"\0" * BLOCK)
def test_any_bytes(body: bytes) -> None:
    """Whatever is no archive is a ValueError."""
    try:
        names(body)
    except ValueError:
        return


def test_a_bomb_is_decompressed_a_piece_at_a_time() -> None:
    """Who reads may stop at any moment: no piece is larger than the limit, whatever the compression."""
    bomb = gzip.compress(bytes(64 * PIECE))
    pieces: Iterator[bytes] = gunzipped((bomb,))
    assert all(len(piece) <= PIECE for piece in pieces)


@pytest.mark.parametrize("body", [b"x", gzip.compress(b"a" * 999)[:-5], zlib.compress(b"a")])
def test_what_is_not_gzip(body: bytes) -> None:
    """A stream that is another format, or ends early, is a ValueError."""
    with pytest.raises(ValueError, match=r"not gzip|cut short"):
        list(gunzipped((body,)))
