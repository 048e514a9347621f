"""Small base images in every form a base image comes in: as values, in layout folders, in registries."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.builders.archive import Member, write_layer
from runner.oci.artifact import Artifact, Blob, FileSource
from runner.oci.layout import INDEX, MARKER, blob_path
from runner.oci.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    Platform,
    digest_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from runner.oci.name import Repository
    from runner.oci.registry import Registry

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")
BOTH = (AMD64, ARM64)

DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"


@dataclass(frozen=True)
class Form:
    """The media types that an image is written with."""

    index: str
    manifest: str
    config: str
    layer: str


OCI = Form(OCI_INDEX, OCI_MANIFEST, OCI_CONFIG, OCI_LAYER)
DOCKER = Form(DOCKER_LIST, DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER)


def base_layout(
    folder: Path,
    platforms: tuple[Platform, ...] = BOTH,
    *,
    form: Form = OCI,
    single: bool = False,
    stated: Mapping[Platform, Platform] | None = None,
    config: Mapping[str, Any] | None = None,
    top: Mapping[str, Any] | None = None,
    layer_type: str | None = None,
) -> Artifact:
    """A base image with one layer for each platform.

    Args:
        folder: where its blobs are written.
        platforms: what the index lists.
        form: Docker's media types or OCI's.
        single: leave the index out; the first platform's manifest is the image.
        stated: what configs say in place of the platform that the index has.
        config: their ``config``, over what there is.
        top: further keys beside it, or others in place of what there is.
        layer_type: the layer's media type in place of the form's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images = []
    for platform in platforms:
        layer = write_layer([Member("etc/os-release", f"NAME=base\nARCH={platform}\n".encode())], folder)
        said = (stated or {}).get(platform, platform)
        document = {
            **said.document(),
            "config": {
                "Env": ["PATH=/bin", "BASE=yes"],
                "Labels": {"of.base": "kept"},
                "Cmd": ["sh"],
                **(config or {}),
            },
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
            "history": [{"created_by": "base"}, {"created_by": "ENV", "empty_layer": True}],
            **(top or {}),
        }
        images.append((platform, document, of_type(layer.blob, layer_type or form.layer)))
    return assemble(folder, images, form=form, single=single)


def assemble(
    folder: Path,
    images: Iterable[tuple[Platform, Mapping[str, Any], Blob]],
    *,
    form: Form = OCI,
    single: bool = False,
    annotations: Mapping[str, str] | None = None,
) -> Artifact:
    """An image of a config and a layer for each platform; with ``single`` the first alone, without an index."""
    manifests, listed, blobs = [], [], []
    for platform, config, layer in images:
        stored = write_blob(folder, form.config, json.dumps(config).encode())
        document = {
            "schemaVersion": 2,
            "mediaType": form.manifest,
            "config": stored.descriptor.document(),
            "layers": [layer.descriptor.document()],
        }
        manifest = Manifest.write(form.manifest, document)
        manifests.append(manifest)
        listed.append(manifest.descriptor(platform).document())
        blobs += [stored, layer]
    if single:
        return Artifact(manifests[0], (), tuple(blobs[:2]))
    index = {"schemaVersion": 2, "mediaType": form.index, "manifests": listed}
    annotated = {"annotations": dict(annotations)} if annotations else {}
    return Artifact(Manifest.write(form.index, {**index, **annotated}), tuple(manifests), tuple(blobs))


def of_type(blob: Blob, media_type: str) -> Blob:
    """The same content under another media type."""
    return Blob(Descriptor(media_type, blob.descriptor.digest, blob.descriptor.size), blob.source)


def write_blob(folder: Path, media_type: str, content: bytes) -> Blob:
    """Write a file that is named by its digest, and return it as a blob."""
    path = folder / digest_of(content).removeprefix("sha256:")
    path.write_bytes(content)
    return Blob(Descriptor(media_type, digest_of(content), len(content)), FileSource(path))


def write_folder(folder: Path, layout: Artifact) -> str:
    """Write a layout folder with one image; return it as a base image's reference."""
    blobs = blob_path(folder, "sha256:x").parent
    blobs.mkdir(parents=True)
    for blob in layout.blobs:
        if not isinstance(blob.source, FileSource):
            raise TypeError(f"{blob.descriptor.digest} is not in a file")
        blob_path(folder, blob.descriptor.digest).write_bytes(blob.source.path.read_bytes())
    for manifest in (*layout.children, layout.root):
        blob_path(folder, manifest.digest).write_bytes(manifest.body)
    (folder / MARKER).write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / INDEX).write_text(json.dumps({"schemaVersion": 2, "manifests": [layout.root.descriptor().document()]}))
    return f"oci:{folder}"


def push(registry: Registry, repository: Repository, tag: str, layout: Artifact) -> None:
    """Send an image to a registry."""
    for blob in layout.blobs:
        registry.send_blob(repository, blob)
    for child in layout.children:
        registry.put_manifest(repository, child.digest, child)
    registry.put_manifest(repository, tag, layout.root)
