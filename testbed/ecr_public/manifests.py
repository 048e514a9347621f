"""What ECR Public looks at in a manifest before it takes it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

MOST_BYTES = 4 * 1024 * 1024
INDEXES = frozenset(
    {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
)
IMAGES = frozenset(
    {"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read: blobs are its config and layers, with their sizes; children those of an index."""

    digest: str
    media_type: str
    artifact_type: str | None
    blobs: dict[str, int]
    children: tuple[str, ...]
    subject: str | None
    length: int

    @property
    def size(self) -> int:
        """Its bytes and its blobs'."""
        return self.length + sum(self.blobs.values())


class InvalidManifest(Exception):
    """A manifest is not one; the message says what AWS says of it."""


def read_manifest(body: bytes, media_type: str) -> Manifest:
    """Read what was pushed.

    Raises:
        InvalidManifest: it is no manifest of that type.
    """
    try:
        document: Any = json.loads(body)
    except ValueError:
        raise InvalidManifest("Invalid JSON syntax") from None
    if not isinstance(document, dict) or media_type not in INDEXES | IMAGES:
        raise InvalidManifest("Invalid JSON syntax")
    if document.get("mediaType", media_type) != media_type:
        raise InvalidManifest("Invalid JSON syntax")
    try:
        blobs: dict[str, int] = {}
        children: tuple[str, ...] = ()
        config = None
        if media_type in INDEXES:
            children = tuple(str(child["digest"]) for child in document["manifests"])
        else:
            config = str(document["config"]["mediaType"])
            blobs = {str(blob["digest"]): int(blob["size"]) for blob in (document["config"], *document["layers"])}
        subject = document.get("subject")
        return Manifest(
            digest_of(body),
            media_type,
            document.get("artifactType") or config,
            blobs,
            children,
            None if subject is None else str(subject["digest"]),
            len(body),
        )
    except (ArithmeticError, LookupError, TypeError, ValueError):
        raise InvalidManifest("Invalid JSON syntax") from None


def digest_of(body: bytes) -> str:
    """The digest of some bytes."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
