from __future__ import annotations

import contextlib
import gzip
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.foreign.tar import EXTENSION_LIMIT
from runner.published.layer import HEAD, Allowance, File, Gone, Link, find_file
from testbed.former_images import Entry, layer_of

PATH = "bin/controller"
PATHS = frozenset({PATH, f"usr/{PATH}"})
CONTENT = bytes(range(256)) * 20
PLENTY = 64 * 1024 * 1024


def find(body: bytes, *, size: int = 7, allowed: int = PLENTY) -> File | Link | Gone | None:
    """What a layer has, where it arrives in pieces of this size."""
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return find_file(pieces, PATHS, Allowance(allowed))


FILE = Entry(PATH, CONTENT)


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([FILE], File(PATH, CONTENT[:HEAD])),
        ([Entry(f"./{PATH}", CONTENT)], File(PATH, CONTENT[:HEAD])),
        ([Entry(f"/{PATH}", CONTENT)], File(PATH, CONTENT[:HEAD])),
        ([Entry(f"usr/{PATH}", CONTENT)], File(f"usr/{PATH}", CONTENT[:HEAD])),
        ([Entry("etc/a", b"x" * 5000), Entry(PATH, b"short"), Entry("z", b"y")], File(PATH, b"short")),
        ([FILE, Entry(PATH, b"the last one counts")], File(PATH, b"the last one counts")),
        ([Entry("x" * 300, b"1"), FILE], File(PATH, CONTENT[:HEAD])),
        ([Entry(PATH, target="manager")], Link(PATH, "bin/manager")),
        ([Entry(PATH, target="../opt/run")], Link(PATH, "opt/run")),
        ([Entry(PATH, target="/opt/run")], Link(PATH, "opt/run")),
        ([Entry(PATH, target="opt/run", kind=tarfile.LNKTYPE)], Link(PATH, "opt/run")),
        ([Entry("bin/.wh.controller")], Gone(frozenset({PATH}))),
        ([Entry(".wh.bin")], Gone(frozenset({PATH}))),
        ([Entry("bin/.wh..wh..opq")], Gone(frozenset({PATH}))),
        ([Entry("bin/.wh..wh..opq"), FILE], File(PATH, CONTENT[:HEAD])),
        ([Entry("bin/.wh.controllers"), Entry("bin/controllers", b"x"), Entry("opt/bin/controller", b"x")], None),
        ([Entry(f"../{PATH}x", b"x")], None),
        ([], None),
    ],
)
def test_what_a_layer_has(entries: list[Entry], found: object) -> None:
    """A file is found with its first bytes, a link with where it leads, a whiteout with what it hides; else nothing."""
    assert find(layer_of(entries)) == found
    assert find(layer_of(entries, compressed=False)) == found


names = st.from_regex(r"[a-z]{1,120}(/[a-z]{1,120}){0,2}", fullmatch=True).filter(lambda name: name not in PATHS)


@given(
    before=st.lists(st.builds(Entry, names, st.binary(max_size=2000)), max_size=4),
    after=st.lists(st.builds(Entry, names, st.binary(max_size=2000)), max_size=4),
    content=st.binary(max_size=300),
    size=st.integers(1, 5000),
)
def test_whatever_stands_around_it(before: list[Entry], after: list[Entry], content: bytes, size: int) -> None:
    """Whatever else is in the layer, and in whatever pieces it arrives, the file is found."""
    assert find(layer_of([*before, Entry(PATH, content), *after]), size=size) == File(PATH, content[:HEAD])


@given(st.binary(max_size=3000), st.integers(1, 4000))
def test_anything_at_all(body: bytes, size: int) -> None:
    """What is no layer is a ValueError, or a layer without the file; nothing else is raised."""
    with contextlib.suppress(ValueError):
        assert find(body, size=size) is None


@given(st.data())
def test_a_layer_with_damage(data: st.DataObject) -> None:
    """A byte that is another one, anywhere in an archive, gives an answer or a ValueError."""
    body = bytearray(layer_of([Entry("x" * 200, b"1"), FILE, Entry("y", b"2" * 600)], compressed=False))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        find(bytes(body), size=512)


@pytest.mark.parametrize("kept", [1, 40, 600, 512 + 1000])
def test_an_archive_that_is_cut_short(kept: int) -> None:
    """A layer that ends within a member or a header is not read as one without the file."""
    whole = layer_of([Entry("a", b"x" * 2000), Entry("b", CONTENT)], compressed=False)
    with pytest.raises(ValueError, match="cut short"):
        find(whole[:kept])
    with pytest.raises(ValueError, match="cut short"):
        find(gzip.compress(whole)[:kept] if kept < 60 else gzip.compress(whole[:kept]))


def test_several_gzip_streams() -> None:
    """Streams that follow each other, with zeros between, are one layer, as some builders write them."""
    whole = layer_of([Entry("a", b"x" * 700), FILE], compressed=False)
    parts = (gzip.compress(whole[start : start + 600]) for start in range(0, len(whole), 600))
    assert find(b"\0\0\0".join(parts)) == File(PATH, CONTENT[:HEAD])


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"\x28\xb5\x2f\xfd" + bytes(600), "Zstandard"),
        (gzip.compress(bytes(10))[:-1] + b"", "cut short"),
        (b"\x1f\x8b" + b"x" * 600, "not gzip"),
        (b"x" * 600, "whole tar archive"),
    ],
    ids=["zstd", "cut gzip", "no gzip", "no tar"],
)
def test_what_cannot_be_read(body: bytes, problem: str) -> None:
    """Another compression, damage, and what is no archive say what they are."""
    with pytest.raises(ValueError, match=problem):
        find(body)


def test_a_layer_that_unpacks_to_too_much() -> None:
    """A small layer that becomes a huge one is read up to the limit, which holds for all that shares it."""
    bomb = layer_of([Entry("zeros", bytes(8 * 1024 * 1024))])
    assert len(bomb) < 64 * 1024
    with pytest.raises(ValueError, match="larger than what is read"):
        find(bomb, allowed=1024 * 1024)
    allowance = Allowance(12 * 1024 * 1024)
    assert find_file(iter([bomb]), PATHS, allowance) is None
    with pytest.raises(ValueError, match="larger than what is read"):
        find_file(iter([bomb]), PATHS, allowance)


def test_a_name_that_is_too_long_to_hold() -> None:
    """Extensions before a member are held in memory, and so have a limit."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("a")
        member.pax_headers = {"comment": "x" * (EXTENSION_LIMIT + 1)}
        archive.addfile(member)
    with pytest.raises(ValueError, match="what stands before a member"):
        find(buffer.getvalue(), size=1 << 16)


@pytest.mark.parametrize("size", ["-1", "9" * 30])
def test_a_size_that_is_none(size: str) -> None:
    """A size that an extension states and that no file has is no way out of the limits."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("a")
        member.pax_headers = {"size": size}
        archive.addfile(member)
    with pytest.raises(ValueError, match=r"archive|cut short|less than no"):
        find(buffer.getvalue())


def test_a_sparse_file() -> None:
    """A file whose content is not stored as it is, is not guessed at."""
    member = tarfile.TarInfo(PATH)
    member.type = tarfile.GNUTYPE_SPARSE
    with pytest.raises(ValueError, match="sparse"):
        find(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
