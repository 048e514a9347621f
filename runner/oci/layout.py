"""OCI image layouts on disk (image-spec 1.1, ``image-layout.md``): written for ``--to-layout``, read as base image."""

from __future__ import annotations

import contextlib
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.errors import BaseImageUnusable
from runner.foreign.documents import read_json
from runner.foreign.files import open_file, read_file_within
from runner.foreign.shown import short
from runner.oci.artifact import Blob, FileSource, read_file
from runner.oci.manifest import INDEX_TYPES, OCI_INDEX, REF_NAME, Descriptor, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from runner.oci.artifact import Artifact
    from runner.oci.name import Name
    from runner.oci.registry import Registry

MARKER = "oci-layout"
VERSION = "1.0.0"
INDEX = "index.json"

FILE_LIMIT = 4 * 1024 * 1024
"""Bytes of the largest manifest that is read, as of a registry's."""
MANIFESTS_AT_MOST = 256
"""Manifests of one index that are read; images have some 10."""
NESTED_AT_MOST = 8
"""Indexes, each the only entry of the one before, that are followed."""


def blob_path(folder: Path, digest: str) -> Path:
    """Where a layout folder keeps the blob or manifest with this digest."""
    algorithm, _, encoded = digest.partition(":")
    return folder / "blobs" / algorithm / encoded


def write_layout_folder(
    folder: Path,
    entries: Iterable[tuple[Name, Artifact]],
    registry: Registry,
    *,
    attached: Iterable[Artifact] = (),
    kept: Iterable[Descriptor] = (),
) -> None:
    """Write artifacts into a layout folder: blobs and manifests first, the index that names them last.

    The same entries give the same bytes. Entries of an earlier ``index.json`` that are not kept are dropped from it.

    Args:
        folder: created if it does not exist.
        entries: each becomes an entry of ``index.json``, in this order, with its full name as its reference name.
        registry: where blobs that are not files are fetched from.
        attached: each becomes an entry without a name, as tools that follow ``subject`` expect it in a layout.
        kept: entries that the folder's index has already, which stay before all others.

    Raises:
        ValueError: a file does not match its descriptor.
        RegistryFailed, RegistryAnswerWrong, CredentialsRefused, RunEnded: a blob could not be fetched.
    """
    blob_path(folder, "sha256:").mkdir(parents=True, exist_ok=True)
    listed = [one.document() for one in kept]
    for name, artifact in entries:
        _store(folder, artifact, registry)
        root = artifact.root.descriptor()
        listed.append(Descriptor(root.media_type, root.digest, root.size, None, {REF_NAME: str(name)}).document())
    for artifact in attached:
        _store(folder, artifact, registry)
        listed.append(artifact.root.listed().document())
    _replace(folder / MARKER, (_json({"imageLayoutVersion": VERSION}),))
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}
    _replace(folder / INDEX, (_json(index),))


def read_entries(folder: Path) -> tuple[Descriptor, ...]:
    """The entries of a layout folder's index, in its order; none where there is no layout yet.

    Raises:
        BaseImageUnusable: there is one, and it is damaged.
    """
    if not (folder / INDEX).exists():
        return ()
    return _manifest(folder, folder / INDEX, OCI_INDEX).children


def _store(folder: Path, artifact: Artifact, registry: Registry) -> None:
    for blob in artifact.blobs:
        _store_blob(folder, blob, registry)
    for manifest in (*artifact.children, artifact.root):
        _replace(blob_path(folder, manifest.digest), (manifest.body,))


def _store_blob(folder: Path, blob: Blob, registry: Registry) -> None:
    path = blob_path(folder, blob.descriptor.digest)
    if path.exists() and _is_whole(path, blob.descriptor):
        return
    if isinstance(blob.source, FileSource):
        _replace(path, read_file(blob.source, blob.descriptor))
    else:
        registry.download_blob(blob.source.repository, blob.descriptor, path)


def _is_whole(path: Path, descriptor: Descriptor) -> bool:
    if path.stat().st_size != descriptor.size:
        return False
    try:
        for _ in read_file(FileSource(path), descriptor):
            pass
    except ValueError:
        return False
    return True


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _replace(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file atomically: it appears only once it is complete."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with partial.open("xb") as file:
            file.writelines(chunks)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@dataclass(frozen=True)
class LayoutFolder:
    """The one image in a layout folder: its root, an index or a manifest, and the index's children in order."""

    folder: Path
    root: Manifest
    children: tuple[Manifest, ...]

    def blob(self, descriptor: Descriptor) -> Blob:
        """A config or layer as a file, verified; BaseImageUnusable when it is missing or damaged."""
        source = FileSource(blob_path(self.folder, descriptor.digest))
        try:
            open_file(source.path, below=self.folder).close()
            with contextlib.closing(read_file(source, descriptor)) as chunks:
                for _ in chunks:
                    pass
        except OSError as error:
            raise _unusable(self.folder, f"the blob {descriptor.digest} cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise _unusable(self.folder, str(error)) from None
        return Blob(descriptor, source)

    def config(self, descriptor: Descriptor) -> bytes:
        """What a config holds, verified; BaseImageUnusable when it is missing, damaged, or larger than FILE_LIMIT."""
        path = blob_path(self.folder, descriptor.digest)
        self.blob(descriptor)
        return _bytes(self.folder, path)


def read_layout_folder(folder: Path) -> LayoutFolder:
    """Read the image in a layout folder.

    ``index.json`` may have one entry, which is the image; several entries for the same image; or one entry per
    platform, in which case it is itself the image's index.

    Raises:
        BaseImageUnusable: there is no layout, it is damaged, or it holds several images.
    """
    marker = _document(folder, folder / MARKER)
    if marker.get("imageLayoutVersion") != VERSION:
        raise _unusable(folder, f"{MARKER} says version {short(marker.get('imageLayoutVersion'))}, not {VERSION!r}")
    index = _manifest(folder, folder / INDEX, OCI_INDEX)
    root = _root(folder, index)
    followed = 0
    while root.is_index and len(root.children) == 1 and root.children[0].media_type in INDEX_TYPES:
        followed += 1
        if followed > NESTED_AT_MOST:
            raise _unusable(folder, f"more than {NESTED_AT_MOST} indexes stand in one another")
        root = stored_manifest(folder, root.children[0])
    if len(root.children) > MANIFESTS_AT_MOST:
        raise _unusable(folder, f"its index lists {len(root.children)} manifests, more than {MANIFESTS_AT_MOST}")
    return LayoutFolder(folder, root, tuple(stored_manifest(folder, child) for child in root.children))


def _root(folder: Path, index: Manifest) -> Manifest:
    entries = index.children
    if len({entry.digest for entry in entries}) == 1:
        return stored_manifest(folder, entries[0])
    platforms = [entry.platform for entry in entries if entry.platform is not None]
    if entries and len(set(platforms)) == len(entries):
        return index
    found = ", ".join(entry.annotations.get(REF_NAME, entry.digest) for entry in entries)
    raise _unusable(folder, f"it holds several images ({found}) and must hold one" if entries else "it holds no image")


def stored_manifest(folder: Path, descriptor: Descriptor) -> Manifest:
    """The manifest that a descriptor of a layout folder points to; BaseImageUnusable when it is missing or damaged."""
    manifest = _manifest(folder, blob_path(folder, descriptor.digest), descriptor.media_type)
    if manifest.digest != descriptor.digest:
        raise _unusable(folder, f"the manifest {descriptor.digest} has the digest {manifest.digest}")
    return manifest


def _manifest(folder: Path, path: Path, media_type: str) -> Manifest:
    try:
        return Manifest.read(media_type, _bytes(folder, path))
    except ValueError as error:
        raise _unusable(folder, f"{path.relative_to(folder)}: {error}") from None


def _document(folder: Path, path: Path) -> dict[str, Any]:
    try:
        document = read_json(_bytes(folder, path))
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise _unusable(folder, f"{path.relative_to(folder)} is not a JSON object")
    return document


def _bytes(folder: Path, path: Path) -> bytes:
    try:
        return read_file_within(path, FILE_LIMIT, below=folder)
    except OSError as error:
        raise _unusable(folder, f"{path.relative_to(folder)} cannot be read: {error.strerror}") from None


def _unusable(folder: Path, problem: str) -> BaseImageUnusable:
    return BaseImageUnusable(
        f"the OCI layout in {folder} cannot be used: {problem}",
        remedy="Write the layout again (crane pull --format oci, skopeo copy), or name another base image, then rerun.",
    )
