from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.builders.archive import COMPRESSION_LEVEL, COMPRESSOR, Layer, Member, write_layer
from runner.oci.artifact import FileSource
from runner.oci.manifest import OCI_LAYER

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = Member("bin/controller", b"\x7fELF" + bytes(3000), 0o755)
LICENCE = Member("bin/LICENSE", b"Apache\n")

contents = st.one_of(st.none(), st.binary(max_size=2000))
members = st.lists(
    st.builds(
        Member, st.from_regex(r"[a-zà-ü]{1,9}(/[a-z]{1,60}){0,3}", fullmatch=True), contents, st.integers(0, 0o1777)
    ),
    min_size=1,
    max_size=5,
)


def file_of(layer: Layer) -> Path:
    assert isinstance(layer.blob.source, FileSource)
    return layer.blob.source.path


def tar_of(layer: Layer) -> bytes:
    return gzip.decompress(file_of(layer).read_bytes())


def test_a_member_has_its_mode_and_nothing_of_the_machine(tmp_path: Path) -> None:
    """A file in a layer has the given mode, time 0, and neither owner nor group."""
    with tarfile.open(fileobj=io.BytesIO(tar_of(write_layer([PROGRAM, LICENCE], tmp_path)))) as tar:
        found = [(one.name, one.mode, one.mtime, one.uid, one.gid, one.uname, one.gname, one.type) for one in tar]
    assert found == [
        ("bin/controller", 0o755, 0, 0, 0, "", "", tarfile.REGTYPE),
        ("bin/LICENSE", 0o644, 0, 0, 0, "", "", tarfile.REGTYPE),
    ]


def test_no_folder_is_written_unless_asked_for(tmp_path: Path) -> None:
    """The folder above a file has no entry: it might be a link in the base image."""
    with tarfile.open(fileobj=io.BytesIO(tar_of(write_layer([PROGRAM], tmp_path)))) as tar:
        assert tar.getnames() == ["bin/controller"]


def test_a_folder_that_is_asked_for_has_its_mode(tmp_path: Path) -> None:
    """A member without content is a folder, sticky bit and all."""
    with tarfile.open(fileobj=io.BytesIO(tar_of(write_layer([Member("tmp", None, 0o1777)], tmp_path)))) as tar:
        folder = tar.getmember("tmp")
    assert folder.isdir()
    assert folder.mode == 0o1777


@given(members)
def test_layers_are_read_back_and_are_equal_for_equal_members(
    tmp_path_factory: pytest.TempPathFactory, listed: list[Member]
) -> None:
    """Any members come back as they were given, in their order, and the same members give the same bytes."""
    one = write_layer(listed, tmp_path_factory.mktemp("one"))
    other = write_layer(listed, tmp_path_factory.mktemp("other"))
    assert one.blob.descriptor == other.blob.descriptor
    assert one.diff_id == other.diff_id
    with tarfile.open(fileobj=io.BytesIO(tar_of(one))) as tar:
        found = []
        for entry in tar:
            stream = None if entry.isdir() else tar.extractfile(entry)
            found.append(Member(entry.name, stream.read() if stream else None, entry.mode))
    assert found == listed


@given(st.binary(max_size=3000), st.integers(0, 2**31))
def test_a_file_gives_the_same_layer_as_its_bytes(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, time: int
) -> None:
    """Where content comes from, when it was written and with what mode does not show in the layer."""
    folder = tmp_path_factory.mktemp("layers")
    file = folder / "built"
    file.write_bytes(content)
    file.chmod(0o600)
    os.utime(file, (time, time))
    from_file = write_layer([Member("bin/controller", file, 0o755)], folder)
    assert from_file.diff_id == write_layer([Member("bin/controller", content, 0o755)], folder).diff_id


def test_digests_and_size_are_those_of_the_file(tmp_path: Path) -> None:
    """The descriptor is about the compressed file, the diff_id about the archive inside."""
    layer = write_layer([PROGRAM], tmp_path)
    body = file_of(layer).read_bytes()
    assert layer.blob.descriptor.digest == f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert layer.blob.descriptor.size == len(body)
    assert layer.blob.descriptor.media_type == OCI_LAYER
    assert layer.diff_id == f"sha256:{hashlib.sha256(gzip.decompress(body)).hexdigest()}"


def test_the_compressed_file_says_nothing_of_its_making(tmp_path: Path) -> None:
    """The gzip header has neither time nor name (RFC 1952, 2.3)."""
    header = file_of(write_layer([PROGRAM], tmp_path)).read_bytes()[:8]
    assert header == b"\x1f\x8b\x08" + bytes(5)


def test_only_the_layer_is_left_behind(tmp_path: Path) -> None:
    """The folder holds the compressed layer and nothing else."""
    layer = write_layer([PROGRAM], tmp_path)
    assert list(tmp_path.iterdir()) == [file_of(layer)]


def test_nothing_is_left_behind_by_a_failure(tmp_path: Path) -> None:
    """A file that cannot be read leaves no half layer."""
    with pytest.raises(FileNotFoundError):
        write_layer([Member("bin/controller", tmp_path / "absent")], tmp_path)
    assert not list(tmp_path.iterdir())


def test_history_names_the_files(tmp_path: Path) -> None:
    """What is in a layer stands in its history, folders left out."""
    layer = write_layer([Member("bin", None, 0o755), PROGRAM, LICENCE], tmp_path)
    assert layer.created_by == "ack-release: add /bin/controller, /bin/LICENSE"


def test_compressed_bytes_are_those_of_the_locked_library(tmp_path: Path) -> None:
    """The bytes do not depend on the machine: another compressor or level shows here, and both are inputs."""
    layer = write_layer([Member("bin/LICENSE", bytes(range(256)) * 40)], tmp_path)
    assert layer.blob.descriptor.digest == "sha256:3075675220fb67a4b04334c8970a3970e52679d534541864b5ca71b25eef450e"
    assert COMPRESSOR.split()[0] == "deflate"
    assert COMPRESSION_LEVEL in range(1, 13)
