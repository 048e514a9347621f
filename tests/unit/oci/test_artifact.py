from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.artifact import CHUNK, FileSource, read_file, verified
from runner.oci.manifest import OCI_LAYER, Descriptor, digest_of

if TYPE_CHECKING:
    from pathlib import Path


def wrong(problem: str) -> ValueError:
    return ValueError(problem)


def descriptor_of(content: bytes) -> Descriptor:
    return Descriptor(OCI_LAYER, digest_of(content), len(content))


@given(st.lists(st.binary(max_size=20), max_size=6))
def test_content_that_is_right_passes_whole(chunks: list[bytes]) -> None:
    """Content of the right size and digest passes unchanged, however it was cut into pieces."""
    content = b"".join(chunks)
    assert b"".join(verified(chunks, descriptor_of(content), wrong)) == content


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=6), st.binary(max_size=60))
def test_content_that_is_wrong_never_passes_whole(chunks: list[bytes], other: bytes) -> None:
    """Of content that is not what it should be, fewer bytes pass than it should have; then the error comes."""
    content = b"".join(chunks)
    if content == other:
        return
    passed: list[bytes] = []
    pieces = verified(chunks, descriptor_of(other), wrong)
    with pytest.raises(ValueError, match=r"cut|longer|digest"):
        passed.extend(pieces)
    assert len(b"".join(passed)) < max(len(other), 1)


def test_content_without_end() -> None:
    """Of content that is longer than it should be no more is read than shows it."""
    pulled = itertools.count()
    endless = (b"12345" for _ in pulled)
    with pytest.raises(ValueError, match="longer than its 12 bytes"):
        list(verified(endless, descriptor_of(b"123451234512"), wrong))
    assert next(pulled) == 3


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1])
def test_file_is_read_in_pieces(tmp_path: Path, size: int) -> None:
    """A file comes as it is, in pieces of bounded size."""
    content = bytes(itertools.islice(itertools.cycle(range(251)), size))
    (tmp_path / "file").write_bytes(content)
    pieces = list(read_file(FileSource(tmp_path / "file"), descriptor_of(content)))
    assert b"".join(pieces) == content
    assert all(0 < len(piece) <= CHUNK for piece in pieces)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"other", "has the digest"), (b"othe", "was cut.*: 4 of 5"), (b"others", "longer than its 5")],
)
def test_file_that_changed(tmp_path: Path, content: bytes, problem: str) -> None:
    """A file that is not what its descriptor says is named, with what is wrong."""
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=f"{tmp_path / 'file'}: the blob .*{problem}"):
        list(read_file(FileSource(tmp_path / "file"), descriptor_of(b"right")))


def test_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that is missing is the system's error."""
    with pytest.raises(FileNotFoundError):
        list(read_file(FileSource(tmp_path / "file"), descriptor_of(b"")))
