from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from runner.errors import BaseImageUnusable, RegistryAnswerWrong
from runner.oci.artifact import Artifact, Blob, FileSource, RemoteSource
from runner.oci.layout import LayoutFolder, blob_path, read_layout_folder, write_layout_folder
from runner.oci.manifest import OCI_INDEX, OCI_LAYER, Manifest, Platform, digest_of
from runner.oci.name import Name, Repository
from testbed.base_images import AMD64, ARM64, assemble, write_blob
from testbed.faults.proxy import FaultProxy
from tests.support.registry import crane_registry, docker_registry
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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


def rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changes))


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


def test_entries_stand_in_order_under_their_full_names(files: Files, registry: Registry, tmp_path: Path) -> None:
    """The index names each entry HOST/REPOSITORY:TAG, in the order given, also where two are the same artifact."""
    image, chart = files.index("a", "b"), files.single("c")
    entries = [(name("image:v1"), image), (name("chart:v1"), chart), (name("alias:1"), chart)]
    write_layout_folder(tmp_path / "layout", entries, registry)
    index = json.loads((tmp_path / "layout" / "index.json").read_bytes())
    assert json.loads((tmp_path / "layout" / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert [
        (entry["annotations"]["org.opencontainers.image.ref.name"], entry["digest"]) for entry in index["manifests"]
    ] == [
        ("registry.example/image:v1", image.root.digest),
        ("registry.example/chart:v1", chart.root.digest),
        ("registry.example/alias:1", chart.root.digest),
    ]
    blobs = {*(b.descriptor.digest for b in (*image.blobs, *chart.blobs))}
    manifests = {m.digest for m in (image.root, *image.children, chart.root)}
    found = {f"sha256:{path.name}" for path in (tmp_path / "layout" / "blobs" / "sha256").iterdir()}
    assert found == blobs | manifests
    assert all(digest_of(blob_path(tmp_path / "layout", digest).read_bytes()) == digest for digest in found)


def test_the_same_entries_give_the_same_bytes(files: Files, registry: Registry, tmp_path: Path) -> None:
    """Two folders of the same entries are equal, and writing one again changes nothing in it."""
    entries = [(name("image:v1"), files.index("a", "b"))]
    write_layout_folder(tmp_path / "one", entries, registry)
    write_layout_folder(tmp_path / "two", entries, registry)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    write_layout_folder(tmp_path / "two", entries, registry)
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_a_damaged_blob_is_written_again(files: Files, registry: Registry, tmp_path: Path) -> None:
    """What an earlier writing left damaged or cut is replaced."""
    layout = files.single("a")
    write_layout_folder(tmp_path / "layout", [(name("image:v1"), layout)], registry)
    good = content(tmp_path / "layout")
    config, layer = (blob_path(tmp_path / "layout", blob.descriptor.digest) for blob in layout.blobs)
    config.write_bytes(config.read_bytes()[:-1])
    layer.write_bytes(layer.read_bytes()[:-1] + b"?")
    write_layout_folder(tmp_path / "layout", [(name("image:v1"), layout)], registry)
    assert content(tmp_path / "layout") == good


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


def layout_folder(folder: Path, layout: Artifact, *entries: dict[str, Any]) -> Path:
    """Write a layout folder by hand, with these entries in its index (the root when there are none)."""
    (folder / "blobs" / "sha256").mkdir(parents=True)
    for manifest in (layout.root, *layout.children):
        blob_path(folder, manifest.digest).write_bytes(manifest.body)
    for blob in layout.blobs:
        assert isinstance(blob.source, FileSource)
        shutil.copy(blob.source.path, blob_path(folder, blob.descriptor.digest))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    manifests = list(entries) or [layout.root.descriptor().document()]
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))
    return folder


def test_an_index_of_platforms_is_itself_the_image(files: Files, tmp_path: Path) -> None:
    """Where index.json lists one manifest per platform, it is the image's index."""
    layout = files.index("a", "b")
    entries = [child.document() for child in layout.root.children]
    folder = layout_folder(tmp_path / "layout", layout, *entries)
    read = read_layout_folder(folder)
    assert read.root.body == (folder / "index.json").read_bytes()
    assert read.root.is_index
    assert read.children == layout.children


def test_several_names_of_one_image_are_that_image(files: Files, tmp_path: Path) -> None:
    """Entries that differ in their reference name only are one image."""
    layout = files.single("a")
    entry = layout.root.descriptor().document()
    tagged = [{**entry, "annotations": {"org.opencontainers.image.ref.name": tag}} for tag in ("a", "b")]
    assert read_layout_folder(layout_folder(tmp_path / "layout", layout, *tagged)).root == layout.root


def test_an_index_of_one_index_is_followed(files: Files, tmp_path: Path) -> None:
    """An index that holds nothing but another index stands for that one."""
    layout = files.index("a", "b")
    outer = Manifest.write(OCI_INDEX, {"schemaVersion": 2, "manifests": [layout.root.descriptor().document()]})
    nested = Artifact(outer, (layout.root, *layout.children), layout.blobs)
    read = read_layout_folder(layout_folder(tmp_path / "layout", nested))
    assert (read.root, read.children) == (layout.root, layout.children)


def two_images(folder: Path, files: Files) -> None:
    entries = []
    for text in ("a", "b"):
        image = files.single(text).root
        blob_path(folder, image.digest).write_bytes(image.body)
        tag = {"org.opencontainers.image.ref.name": f"tag-{text}"}
        entries.append({**image.descriptor().document(), "annotations": tag})
    rewrite(folder / "index.json", manifests=entries)


def damaged_manifest(folder: Path, _: Files) -> None:
    digest = json.loads((folder / "index.json").read_bytes())["manifests"][0]["digest"]
    body = blob_path(folder, digest).read_bytes()
    blob_path(folder, digest).write_bytes(body + b" ")


def missing_manifest(folder: Path, _: Files) -> None:
    digest = json.loads((folder / "index.json").read_bytes())["manifests"][0]["digest"]
    blob_path(folder, digest).unlink()


def path_in_digest(folder: Path, _: Files) -> None:
    entry = json.loads((folder / "index.json").read_bytes())["manifests"][0]
    rewrite(folder / "index.json", manifests=[{**entry, "digest": "sha256:../../index.json"}])


BROKEN: dict[str, tuple[Callable[[Path, Files], object], str]] = {
    "no folder": (lambda folder, _: shutil.rmtree(folder), "oci-layout cannot be read: No such file"),
    "no marker": (lambda folder, _: (folder / "oci-layout").unlink(), "oci-layout cannot be read"),
    "marker no JSON": (lambda folder, _: (folder / "oci-layout").write_text("x"), "oci-layout is not a JSON object"),
    "other version": (
        lambda folder, _: (folder / "oci-layout").write_text('{"imageLayoutVersion": "2"}'),
        "says version '2', not '1.0.0'",
    ),
    "no index": (lambda folder, _: (folder / "index.json").unlink(), "index.json cannot be read"),
    "index no JSON": (lambda folder, _: (folder / "index.json").write_text("[]"), "index.json: a manifest is a JSON"),
    "no image": (lambda folder, _: rewrite(folder / "index.json", manifests=[]), "it holds no image"),
    "two images": (two_images, r"several images \(tag-a, tag-b\)"),
    "manifest damaged": (damaged_manifest, "has the digest sha256:"),
    "manifest missing": (missing_manifest, "blobs/sha256/[0-9a-f]{64} cannot be read"),
    "path for a digest": (path_in_digest, "not a descriptor"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_folder_that_cannot_be_used_says_why(files: Files, tmp_path: Path, case: str) -> None:
    """Each way a layout is broken is told with the folder and with what is wrong in it."""
    damage, words = BROKEN[case]
    folder = layout_folder(tmp_path / "layout", files.index("a", "b"))
    damage(folder, files)
    with pytest.raises(BaseImageUnusable, match=words) as raised:
        read_layout_folder(folder)
    assert str(folder) in raised.value.cause


def test_a_blob_is_verified_when_it_is_asked_for(files: Files, tmp_path: Path) -> None:
    """A blob that is missing, cut or changed is found before it is used."""
    layout = files.single("a")
    folder = layout_folder(tmp_path / "layout", layout)
    read = read_layout_folder(folder)
    assert read == LayoutFolder(folder, layout.root, ())
    descriptor = layout.root.blobs[1]
    path = blob_path(folder, descriptor.digest)
    assert read.blob(descriptor) == Blob(descriptor, FileSource(path))
    whole = path.read_bytes()
    for damage, words in ((whole[:-1] + b"?", "digest"), (whole[:-1], "cut"), (whole + b"?", "longer")):
        path.write_bytes(damage)
        with pytest.raises(BaseImageUnusable, match=words):
            read.blob(descriptor)
    path.unlink()
    with pytest.raises(BaseImageUnusable, match="cannot be read"):
        read.blob(descriptor)
