from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from runner.errors import RegistryAnswerWrong
from runner.oci.artifact import Artifact, Blob, FileSource, RemoteSource
from runner.oci.layout import read_layout_folder, write_layout_folder
from runner.oci.manifest import OCI_LAYER, Platform, digest_of
from runner.oci.name import Name, Repository
from testbed.base_images import AMD64, ARM64, assemble, write_blob
from testbed.faults.proxy import FaultProxy
from tests.support.registry import crane_registry, docker_registry
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.oci.registry import Registry
    from testbed.registries import LocalRegistry


class Files:
    """Makes images out of files in a folder: real gzipped tar layers, so that crane can validate them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def image(self, platform: Platform, text: str) -> tuple[Platform, dict[str, Any], Blob]:
        """A config, and the layer that it is about."""
        tar = archive({"etc/text": text.encode()})
        config = {
            **platform.document(),
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(tar)]},
            "history": [{"created_by": "test"}],
        }
        return platform, config, write_blob(self.folder, OCI_LAYER, gzip.compress(tar, mtime=0))

    def index(self, *texts: str) -> Artifact:
        """An index for one platform per text."""
        return assemble(self.folder, map(self.image, (AMD64, ARM64), texts))

    def single(self, text: str) -> Artifact:
        """A plain manifest."""
        return assemble(self.folder, [self.image(AMD64, text)], single=True)


def archive(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return written.getvalue()


def name(text: str, host: str = "registry.example") -> Name:
    return Name.parse(f"{host}/{text}")


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def crane(*arguments: str) -> str:
    command = [str(require_tool("crane")), *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "files")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalRegistry]:
    with crane_registry(tmp_path / "registry") as server:
        yield server


def send(registry: Registry, repository: Repository, layout: Artifact) -> Artifact:
    """Publish a layout, and return it with all its blobs remote."""
    for blob in layout.blobs:
        registry.send_blob(repository, blob)
    for manifest in (*layout.children, layout.root):
        registry.put_manifest(repository, manifest.digest, manifest)
    return Artifact(
        layout.root, layout.children, tuple(Blob(b.descriptor, RemoteSource(repository)) for b in layout.blobs)
    )


def test_remote_blobs_are_fetched_once(files: Files, registry: Registry, server: LocalRegistry, tmp_path: Path) -> None:
    """Blobs that are in a registry are downloaded into the folder, and not again when they are there."""
    with FaultProxy(server.host) as proxy:
        remote = send(registry, Repository(proxy.host, "base"), files.index("a", "b"))
        proxy.clear()
        proxy.cut(path="/blobs/", times=1)
        entries = [(name("image:v1"), remote), (name("image:v2"), remote)]
        write_layout_folder(tmp_path / "layout", entries, registry)
        assert proxy.count("GET", "/blobs/") == len(remote.blobs) + 1
        proxy.clear()
        write_layout_folder(tmp_path / "layout", entries, registry)
        assert not proxy.requests


def test_an_index_never_names_what_is_not_there(
    files: Files, registry: Registry, server: LocalRegistry, tmp_path: Path
) -> None:
    """When a blob cannot be had there is no index yet, and nothing half written is left."""
    with FaultProxy(server.host) as proxy:
        remote = send(registry, Repository(proxy.host, "base"), files.single("a"))
        proxy.corrupt(path=remote.blobs[1].descriptor.digest)
        with pytest.raises(RegistryAnswerWrong, match="digest"):
            write_layout_folder(tmp_path / "layout", [(name("image:v1"), remote)], registry)
    assert set(content(tmp_path / "layout")) == {f"blobs/sha256/{remote.blobs[0].descriptor.digest[7:]}"}
    changed = files.single("b")
    assert isinstance(changed.blobs[1].source, FileSource)
    changed.blobs[1].source.path.write_bytes(b"other")
    with pytest.raises(ValueError, match=r"cut|longer"):
        write_layout_folder(tmp_path / "other", [(name("image:v1"), changed)], registry)
    assert "index.json" not in content(tmp_path / "other")
    assert not [path for path in content(tmp_path / "other") if "/." in path]


@pytest.mark.parametrize("kind", ["crane", "docker"])
def test_crane_publishes_and_validates_a_folder(files: Files, registry: Registry, tmp_path: Path, kind: str) -> None:
    """Crane pushes the folder as it stands, with its digests, and finds every blob of it valid."""
    layout = files.index("a", "b")
    write_layout_folder(tmp_path / "layout", [(name("image:v1"), layout)], registry)
    with (crane_registry if kind == "crane" else docker_registry)(tmp_path / "target") as target:
        image = f"{target.host}/image:v1"
        crane("push", "--insecure", str(tmp_path / "layout"), image)
        crane("validate", "--insecure", "--remote", image)
        assert registry.manifest(Repository(target.host, "image"), "v1") == layout.root


def test_crane_validates_what_is_published_from_a_folder(
    files: Files, registry: Registry, server: LocalRegistry, tmp_path: Path
) -> None:
    """An image that is read from a folder and sent by us is valid to crane."""
    write_layout_folder(tmp_path / "layout", [(name("image:v1"), files.index("a", "b"))], registry)
    read = read_layout_folder(tmp_path / "layout")
    blobs = tuple(read.blob(blob) for child in read.children for blob in child.blobs)
    repository = Repository(server.host, "image")
    send(registry, repository, Artifact(read.root, read.children, blobs))
    registry.put_manifest(repository, "v1", read.root)
    crane("validate", "--insecure", "--remote", f"{repository}:v1")


def test_a_folder_that_crane_pulled_is_read(
    files: Files, registry: Registry, server: LocalRegistry, tmp_path: Path
) -> None:
    """What ``crane pull --format oci`` writes, of an index and of a single image, is read as that image."""
    for tag, layout in (("index", files.index("a", "b")), ("single", files.single("a"))):
        repository = Repository(server.host, tag)
        send(registry, repository, layout)
        registry.put_manifest(repository, "v1", layout.root)
        crane("pull", "--insecure", "--format", "oci", f"{repository}:v1", str(tmp_path / tag))
        read = read_layout_folder(tmp_path / tag)
        assert (read.root, read.children) == (layout.root, layout.children)
        for descriptor in (blob for child in (read.children or (read.root,)) for blob in child.blobs):
            source = read.blob(descriptor).source
            assert isinstance(source, FileSource)
            assert digest_of(source.path.read_bytes()) == descriptor.digest
