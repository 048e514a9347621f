"""Small artifacts that are attached to others: in form what signatures and bills of materials are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.oci.artifact import Artifact
from runner.oci.manifest import OCI_MANIFEST, Manifest
from testbed.base_images import write_blob

if TYPE_CHECKING:
    from pathlib import Path

EMPTY = "application/vnd.oci.empty.v1+json"
SIGNATURE = "application/vnd.example.signature"


def attached_to(folder: Path, subject: Manifest, text: str = "signed", artifact_type: str = SIGNATURE) -> Artifact:
    """An artifact with one blob and an empty config (image-spec 1.1), attached to a manifest.

    Args:
        folder: for its blobs.
        subject: what it is attached to.
        text: what its blob holds.
        artifact_type: what it says it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config, layer = write_blob(folder, EMPTY, b"{}"), write_blob(folder, artifact_type, text.encode())
    root = Manifest.write(
        OCI_MANIFEST,
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": config.descriptor.document(),
            "layers": [layer.descriptor.document()],
            "subject": subject.descriptor().document(),
            "annotations": {"org.example.text": text},
        },
    )
    return Artifact(root, (), (config, layer))
