"""An image as manifests: the config, manifest and index that describe layers over a base image.

The contract of a controller's image (paths, user, entrypoint, labels) is that of the Dockerfile in
aws-controllers-k8s/code-generator. Formats: OCI image-spec 1.1.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runner.annotations import RELEASE_INPUTS, RELEASE_PLATFORMS, RELEASE_VERSION, inputs_text
from runner.builders.base import USER
from runner.oci.artifact import Artifact, Blob, FileSource
from runner.oci.manifest import (
    BASE_DIGEST,
    BASE_NAME,
    CREATED,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    REVISION,
    SOURCE,
    VERSION,
    Descriptor,
    Manifest,
    digest_of,
)
from runner.versions import plain_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from runner.builders.archive import Layer
    from runner.builders.base import Base, BaseImage
    from runner.builders.builder import BuildRequest
    from runner.oci.manifest import Platform

PROGRAM = "bin/controller"
LICENCE_FILES = ("LICENSE", "ATTRIBUTION.md")
LICENCE_FOLDER = "bin"

INHERITED = ("Env", "ExposedPorts", "Volumes", "StopSignal", "Healthcheck")
"""What a config takes over from its base's; the base's command and entrypoint are not among it."""


def image_artifact(
    request: BuildRequest, layers: Mapping[Platform, Sequence[Layer]], inputs: Mapping[str, str]
) -> Artifact:
    """Return the image as it is published: an index, also of one platform.

    Args:
        request: what was asked for; configs are written into its folder, named by their digests.
        layers: what stands on the base, lowest first.
        inputs: all that the image's content follows from.
    """
    manifests: list[Manifest] = []
    blobs: dict[str, Blob] = {}
    for platform in request.platforms:
        base, added = request.base.images[platform], tuple(layers[platform])
        config = _write_config(image_config(request, platform, added), request.folder)
        content = (*base.layers, *(layer.blob for layer in added))
        manifests.append(image_manifest(request, config.descriptor, [blob.descriptor for blob in content]))
        blobs |= {blob.descriptor.digest: blob for blob in (config, *content)}
    return Artifact(image_index(request, manifests, inputs), tuple(manifests), tuple(blobs.values()))


def image_config(request: BuildRequest, platform: Platform, layers: Sequence[Layer]) -> dict[str, Any]:
    """The config document of one platform: the base's, with ours on top."""
    base = request.base.images[platform]
    inherited = base.config.get("config", {})
    settings = {key: inherited[key] for key in INHERITED if inherited.get(key)}
    settings |= {
        "User": str(USER),
        "Entrypoint": [f"/{PROGRAM}"],
        "WorkingDir": "/",
        "Labels": dict(sorted(_labels(request, inherited.get("Labels") or {}).items())),
    }
    diff_ids = base.config.get("rootfs", {}).get("diff_ids", [])
    added = [{"created": request.date, "created_by": layer.created_by} for layer in layers]
    return {
        "created": request.date,
        **platform.document(),
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [*diff_ids, *(layer.diff_id for layer in layers)]},
        "history": [*_history(base), *added],
    }


def image_manifest(request: BuildRequest, config: Descriptor, layers: Sequence[Descriptor]) -> Manifest:
    """The manifest of one platform."""
    stated = _identity(request) | _present({BASE_NAME: request.base.name, BASE_DIGEST: request.base.digest})
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.document(),
        "layers": [layer.document() for layer in layers],
        "annotations": dict(sorted(stated.items())),
    }
    return Manifest.write(OCI_MANIFEST, document)


def image_index(request: BuildRequest, manifests: Sequence[Manifest], inputs: Mapping[str, str]) -> Manifest:
    """The index over the manifests, one for each platform of the request, in its order."""
    stated = _identity(request) | {
        RELEASE_VERSION: plain_version(request.version),
        RELEASE_INPUTS: inputs_text(inputs),
        RELEASE_PLATFORMS: ",".join(map(str, request.platforms)),
    }
    entries = zip(request.platforms, manifests, strict=True)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [manifest.descriptor(platform).document() for platform, manifest in entries],
        "annotations": dict(sorted(stated.items())),
    }
    return Manifest.write(OCI_INDEX, document)


def base_inputs(base: Base) -> dict[str, str]:
    """What the image takes from its base; a folder's place is not among it."""
    return _present({"base": base.digest or base.reference, "base_name": base.name})


def _identity(request: BuildRequest) -> dict[str, str]:
    return {
        REVISION: request.revision,
        SOURCE: request.source_url,
        CREATED: request.date,
        VERSION: request.version,
    }


def _labels(request: BuildRequest, inherited: Mapping[str, str]) -> dict[str, str]:
    # What the base says of its own base is not true of this image.
    kept = {key: value for key, value in inherited.items() if key not in (BASE_NAME, BASE_DIGEST)}
    return kept | _present({BASE_NAME: request.base.repository}) | _identity(request)


def _history(base: BaseImage) -> list[dict[str, Any]]:
    """The base's history, or one entry for each of its layers where it has none that fits them."""
    history = base.config.get("history", [])
    count = len(base.layers)
    fits = sum(not entry.get("empty_layer") for entry in history) == count
    return list(history) if fits else [{"comment": "layer of the base image"} for _ in range(count)]


def _present(values: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}


def _write_config(document: Mapping[str, Any], folder: Path) -> Blob:
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    descriptor = Descriptor(OCI_CONFIG, digest_of(body), len(body))
    path = folder / f"{descriptor.digest.removeprefix('sha256:')}.json"
    path.write_bytes(body)
    return Blob(descriptor, FileSource(path))
