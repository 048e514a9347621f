from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner.errors import BaseImageUnusable, RegistryFailed
from runner.oci.artifact import Artifact, Blob, FileSource, RemoteSource
from runner.oci.layout import LayoutFolder, blob_path, read_entries, read_layout_folder, write_layout_folder
from runner.oci.manifest import OCI_INDEX, REF_NAME, Manifest, digest_of
from runner.oci.name import Name, Repository
from testbed.attachments import SIGNATURE, attached_to
from testbed.base_images import AMD64, base_layout, push, write_folder
from testbed.memory.calls import raising
from testbed.memory.registry import MemoryRegistry

if TYPE_CHECKING:
    from collections.abc import Callable

HOME = Repository("registry.example", "base")
NAME = Name(Repository("registry.example", "image"), "v1")


def index_in(folder: Path, text: str = "a") -> Artifact:
    """An image of two platforms."""
    return base_layout(folder / text, top={"author": text})


def single_in(folder: Path, text: str = "a") -> Artifact:
    """An image without an index."""
    return base_layout(folder / text, (AMD64,), single=True, top={"author": text})


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def listed(folder: Path) -> list[tuple[str, str]]:
    """Name and digest of each entry of the index."""
    entries = json.loads((folder / "index.json").read_bytes())["manifests"]
    return [(entry["annotations"][REF_NAME], entry["digest"]) for entry in entries]


def digests(*artifacts: Artifact) -> set[str]:
    manifests = {manifest.digest for one in artifacts for manifest in (one.root, *one.children)}
    return manifests | {blob.descriptor.digest for one in artifacts for blob in one.blobs}


def remote(registry: MemoryRegistry, artifact: Artifact) -> Artifact:
    """The same artifact, with all its blobs in a registry."""
    push(registry.another(), HOME, "v1", artifact)
    blobs = tuple(Blob(blob.descriptor, RemoteSource(HOME)) for blob in artifact.blobs)
    return Artifact(artifact.root, artifact.children, blobs)


def untagged(folder: Path) -> list[dict[str, Any]]:
    """The entries of the index that have no name."""
    entries = json.loads((folder / "index.json").read_bytes())["manifests"]
    return [entry for entry in entries if REF_NAME not in entry.get("annotations", {})]


# --- writing ----------------------------------------------------------------------------------------------------------


def test_attachments(tmp_path: Path) -> None:
    """What is attached stands in the index without a name, with its type; what was there before can be kept."""
    image = index_in(tmp_path)
    attached = attached_to(tmp_path / "signature", image.root)
    folder = tmp_path / "layout"
    assert read_entries(folder) == ()
    write_layout_folder(folder, [(NAME, image)], MemoryRegistry(), attached=[attached])
    assert [(entry["digest"], entry["artifactType"]) for entry in untagged(folder)] == [
        (attached.root.digest, SIGNATURE)
    ]
    for digest in digests(attached):
        assert digest_of(blob_path(folder, digest).read_bytes()) == digest
    kept = read_entries(folder)
    write_layout_folder(folder, [], MemoryRegistry(), kept=kept)
    assert read_entries(folder) == kept


def test_entries(tmp_path: Path) -> None:
    """Each entry stands under its full name, in the order given, two of one artifact as well; nothing else is there."""
    image, chart = index_in(tmp_path, "image"), single_in(tmp_path, "chart")
    names = [Name.parse(f"registry.example/{text}") for text in ("image:v1", "chart:v1", "alias:1")]
    folder = tmp_path / "layout"
    write_layout_folder(folder, zip(names, (image, chart, chart), strict=True), MemoryRegistry())
    assert json.loads((folder / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert listed(folder) == [
        ("registry.example/image:v1", image.root.digest),
        ("registry.example/chart:v1", chart.root.digest),
        ("registry.example/alias:1", chart.root.digest),
    ]
    blobs = {f"blobs/sha256/{digest.removeprefix('sha256:')}" for digest in digests(image, chart)}
    assert content(folder).keys() == {"oci-layout", "index.json", *blobs}
    assert all(digest_of(content(folder)[path]).endswith(path.rpartition("/")[2]) for path in blobs)


def test_same_entries_same_bytes(tmp_path: Path) -> None:
    """Two folders of the same entries are equal, and writing one again changes nothing in it."""
    entries = [(NAME, index_in(tmp_path))]
    for folder in ("one", "two", "two"):
        write_layout_folder(tmp_path / folder, entries, MemoryRegistry())
        assert content(tmp_path / folder) == content(tmp_path / "one")


def test_blob_that_is_whole(tmp_path: Path) -> None:
    """A blob that is there is neither written nor fetched again."""
    registry = MemoryRegistry()
    artifact = remote(registry, index_in(tmp_path))
    write_layout_folder(tmp_path / "layout", [(NAME, artifact), (Name(NAME.repository, "v2"), artifact)], registry)
    assert len(registry.calls.made) == len(artifact.blobs)
    before = {path: path.stat() for path in (tmp_path / "layout" / "blobs").rglob("*")}
    write_layout_folder(tmp_path / "layout", [(NAME, artifact)], registry)
    assert len(registry.calls.made) == len(artifact.blobs)
    for blob in artifact.blobs:
        path = blob_path(tmp_path / "layout", blob.descriptor.digest)
        assert path.stat() == before[path]


@pytest.mark.parametrize("damage", [lambda body: body[:-1], lambda body: body[:-1] + b"?"], ids=["cut", "changed"])
def test_blob_that_is_damaged(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """What an earlier writing left cut or damaged is replaced."""
    artifact, folder = single_in(tmp_path), tmp_path / "layout"
    write_layout_folder(folder, [(NAME, artifact)], MemoryRegistry())
    good = content(folder)
    for blob in artifact.blobs:
        path = blob_path(folder, blob.descriptor.digest)
        path.write_bytes(damage(path.read_bytes()))
    write_layout_folder(folder, [(NAME, artifact)], MemoryRegistry())
    assert content(folder) == good


def test_names_of_before(tmp_path: Path) -> None:
    """What the folder held under other names is no longer listed."""
    for text in ("old", "new"):
        write_layout_folder(tmp_path / "layout", [(NAME, index_in(tmp_path, text))], MemoryRegistry())
    assert listed(tmp_path / "layout") == [(str(NAME), index_in(tmp_path, "new").root.digest)]


def test_blob_that_cannot_be_fetched(tmp_path: Path) -> None:
    """When a blob cannot be had there is no index that names it, and nothing half written is left."""
    registry = MemoryRegistry()
    artifact = remote(registry, single_in(tmp_path))
    last = artifact.blobs[-1].descriptor.digest
    registry.calls.intervene("download_blob", raising(RegistryFailed("HTTP 500")), about=last)
    with pytest.raises(RegistryFailed):
        write_layout_folder(tmp_path / "layout", [(NAME, artifact)], registry)
    first = artifact.blobs[0].descriptor.digest.removeprefix("sha256:")
    assert content(tmp_path / "layout").keys() == {f"blobs/sha256/{first}"}


def test_file_that_changed(tmp_path: Path) -> None:
    """A file that is no longer what it was is a ValueError; the index stays as it was, and names what is there."""
    folder, good, bad = tmp_path / "layout", single_in(tmp_path, "good"), single_in(tmp_path, "bad")
    write_layout_folder(folder, [(NAME, good)], MemoryRegistry())
    before = content(folder)
    source = bad.blobs[0].source
    assert isinstance(source, FileSource)
    source.path.write_bytes(b"other")
    with pytest.raises(ValueError, match="cut"):
        write_layout_folder(folder, [(NAME, bad)], MemoryRegistry())
    assert content(folder) == before


# --- reading ----------------------------------------------------------------------------------------------------------


def layout_of(folder: Path, artifact: Artifact, *entries: dict[str, Any]) -> Path:
    """A layout folder with these entries in its index (the root when there are none)."""
    write_folder(folder, artifact)
    if entries:
        rewrite(folder / "index.json", manifests=list(entries))
    return folder


def rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changes))


@pytest.mark.parametrize("make", [index_in, single_in], ids=["index", "single"])
def test_what_was_written_is_read(tmp_path: Path, make: Callable[[Path], Artifact]) -> None:
    """A folder that this program wrote is read as the image that was written."""
    artifact = make(tmp_path)
    write_layout_folder(tmp_path / "layout", [(NAME, artifact)], MemoryRegistry())
    read = read_layout_folder(tmp_path / "layout")
    assert (read.root, read.children) == (artifact.root, artifact.children)


def test_index_of_platforms(tmp_path: Path) -> None:
    """Where index.json lists one manifest per platform, it is the image's index."""
    artifact = index_in(tmp_path)
    folder = layout_of(tmp_path / "layout", artifact, *(child.document() for child in artifact.root.children))
    read = read_layout_folder(folder)
    assert read.root.body == (folder / "index.json").read_bytes()
    assert read.root.is_index
    assert read.children == artifact.children


def test_several_names_of_one_image(tmp_path: Path) -> None:
    """Entries that differ in their reference name only are one image."""
    artifact = single_in(tmp_path)
    entry = artifact.root.descriptor().document()
    tagged = [{**entry, "annotations": {REF_NAME: tag}} for tag in ("a", "b")]
    assert read_layout_folder(layout_of(tmp_path / "layout", artifact, *tagged)).root == artifact.root


def test_index_of_one_index(tmp_path: Path) -> None:
    """An index that holds nothing but another index stands for that one."""
    artifact = index_in(tmp_path)
    outer = Manifest.write(OCI_INDEX, {"schemaVersion": 2, "manifests": [artifact.root.descriptor().document()]})
    nested = Artifact(outer, (artifact.root, *artifact.children), artifact.blobs)
    read = read_layout_folder(layout_of(tmp_path / "layout", nested))
    assert (read.root, read.children) == (artifact.root, artifact.children)


def two_images(folder: Path) -> None:
    entries = []
    for text in ("a", "b"):
        image = single_in(folder.parent, f"image-{text}").root
        blob_path(folder, image.digest).write_bytes(image.body)
        entries.append({**image.descriptor().document(), "annotations": {REF_NAME: f"tag-{text}"}})
    rewrite(folder / "index.json", manifests=entries)


def two_images_of_one_platform(folder: Path) -> None:
    two_images(folder)
    entries = json.loads((folder / "index.json").read_bytes())["manifests"]
    rewrite(folder / "index.json", manifests=[{**entry, "platform": AMD64.document()} for entry in entries])


def root_of(folder: Path) -> Path:
    return blob_path(folder, json.loads((folder / "index.json").read_bytes())["manifests"][0]["digest"])


def path_in_digest(folder: Path) -> None:
    entry = json.loads((folder / "index.json").read_bytes())["manifests"][0]
    rewrite(folder / "index.json", manifests=[{**entry, "digest": "sha256:../../index.json"}])


def damaged_child(folder: Path) -> None:
    child = blob_path(folder, json.loads(root_of(folder).read_bytes())["manifests"][1]["digest"])
    child.write_bytes(child.read_bytes() + b" ")


def in_place_of(name: str, make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Damage that puts something else where a file was."""

    def damage(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return damage


def linked_out(path: Path) -> None:
    """Put a link to a file outside of the folder where a file was, with the same content."""
    outside = path.parents[3] / f"outside-{path.name}"
    shutil.copy(path, outside)
    path.unlink()
    path.symlink_to(outside.resolve())


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "oci-layout cannot be read: No such file"),
    "no marker": (lambda folder: (folder / "oci-layout").unlink(), "oci-layout cannot be read"),
    "marker no JSON": (lambda folder: (folder / "oci-layout").write_text("x"), "oci-layout is not a JSON object"),
    "marker a list": (lambda folder: (folder / "oci-layout").write_text("[]"), "oci-layout is not a JSON object"),
    "other version": (
        lambda folder: (folder / "oci-layout").write_text('{"imageLayoutVersion": "2"}'),
        "says version '2', not '1.0.0'",
    ),
    "no index": (lambda folder: (folder / "index.json").unlink(), "index.json cannot be read"),
    "index no JSON": (lambda folder: (folder / "index.json").write_text("[]"), "index.json: a manifest is a JSON"),
    "no image": (lambda folder: rewrite(folder / "index.json", manifests=[]), "it holds no image"),
    "two images": (two_images, r"several images \(tag-a, tag-b\)"),
    "two of one platform": (two_images_of_one_platform, r"several images \(tag-a, tag-b\)"),
    "manifest damaged": (lambda folder: root_of(folder).write_bytes(b'{"manifests":[]}'), "has the digest sha256:"),
    "manifest missing": (lambda folder: root_of(folder).unlink(), "blobs/sha256/[0-9a-f]{64} cannot be read"),
    "child damaged": (damaged_child, "has the digest sha256:"),
    "path for a digest": (path_in_digest, "not a descriptor"),
    "a pipe": (in_place_of("oci-layout", os.mkfifo), "not a regular file"),
    "a device": (in_place_of("index.json", lambda path: path.symlink_to("/dev/zero")), "leads out of its folder"),
    "a folder in its place": (in_place_of("index.json", Path.mkdir), "Is a directory"),
    "a link out": (lambda folder: linked_out(root_of(folder)), "leads out of its folder"),
    "a file without end": (
        lambda folder: os.truncate(folder / "index.json", 2**40),
        r"index.json cannot be read: longer than \d+ bytes",
    ),
    "nested deep": (lambda folder: (folder / "oci-layout").write_text("[" * 100_000), "is not a JSON object"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_folder_that_cannot_be_used(tmp_path: Path, case: str) -> None:
    """Each way a layout is broken is reported with the folder and with what is wrong in it."""
    damage, words = BROKEN[case]
    folder = layout_of(tmp_path / "layout", index_in(tmp_path))
    damage(folder)
    with pytest.raises(BaseImageUnusable, match=words) as raised:
        read_layout_folder(folder)
    assert str(folder) in raised.value.cause


def test_blob_is_verified(tmp_path: Path) -> None:
    """A blob that is missing, cut or changed is found before it is used."""
    artifact = single_in(tmp_path)
    folder = layout_of(tmp_path / "layout", artifact)
    read = read_layout_folder(folder)
    assert read == LayoutFolder(folder, artifact.root, ())
    descriptor = artifact.root.blobs[1]
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
