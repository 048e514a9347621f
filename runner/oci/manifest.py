"""Manifests, indexes and descriptors as values, and their media types.

Sources: OCI image-spec and distribution-spec 1.1; Helm's media types from ``pkg/registry/constants.go``.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from runner.foreign.documents import read_json
from runner.foreign.shown import short
from runner.oci.name import DIGEST

if TYPE_CHECKING:
    from collections.abc import Mapping

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"
HELM_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_LIST})
GENERIC_TYPES = frozenset({"", "application/json", "application/octet-stream", "text/plain"})
MANIFEST_TYPES = (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST)

REVISION = "org.opencontainers.image.revision"
SOURCE = "org.opencontainers.image.source"
CREATED = "org.opencontainers.image.created"
VERSION = "org.opencontainers.image.version"
TITLE = "org.opencontainers.image.title"
BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"
REF_NAME = "org.opencontainers.image.ref.name"


SIZE_LIMIT = 2**63 - 1
"""Bytes of the largest content that a descriptor can point to (image-spec, ``descriptor.md``: int64)."""
PLATFORM_WORD_LIMIT = 64
"""Characters of the longest part of a platform that is taken for one; those that are known have up to 9."""


def digest_of(body: bytes) -> str:
    """Return the digest of these bytes, ``sha256:…``."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


@dataclass(frozen=True, order=True)
class Platform:
    """An operating system and architecture in Go's words, e.g. ``linux/arm64``."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read ``os/architecture[/variant]``; ValueError when it is malformed."""
        parts = text.split("/")
        if len(parts) not in (2, 3) or not all(re.fullmatch(r"[a-z0-9]+", part) for part in parts):
            raise ValueError(f"{text!r} is not a platform such as linux/amd64")
        return cls(*parts)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Platform:
        """Read the platform object of an index entry; ValueError when it is malformed."""
        if not isinstance(document, dict):
            raise ValueError(f"a platform is a JSON object, not {short(document)}")
        parts = (document.get("os"), document.get("architecture"), document.get("variant") or "")
        if not all(isinstance(part, str) and _is_word(part) for part in parts) or not all(parts[:2]):
            raise ValueError(f"not a platform: {short(document)}")
        return cls(*map(str, parts))

    def document(self) -> dict[str, str]:
        """The platform object of an index entry."""
        fields = {"architecture": self.architecture, "os": self.os, "variant": self.variant}
        return {key: value for key, value in fields.items() if value}


@dataclass(frozen=True)
class Descriptor:
    """Points to content by its digest; ``size`` in bytes.

    ``artifact_type`` is what a manifest that is no image says it holds; empty for others.
    """

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    artifact_type: str = ""

    def document(self) -> dict[str, Any]:
        """The descriptor as a manifest contains it; parts without a value are left out."""
        document: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.artifact_type:
            document["artifactType"] = self.artifact_type
        if self.platform is not None:
            document["platform"] = self.platform.document()
        if self.annotations:
            document["annotations"] = dict(sorted(self.annotations.items()))
        return document

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Descriptor:
        """Read a descriptor object of a manifest; ValueError when a part is missing or malformed."""
        if not isinstance(document, dict):
            raise ValueError(f"a descriptor is a JSON object, not {short(document)}")
        digest, size, media_type = (document.get(key) for key in ("digest", "size", "mediaType"))
        if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
            raise ValueError(f"not a descriptor: digest {short(digest)}")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= SIZE_LIMIT:
            raise ValueError(f"not a descriptor: size {short(size)}")
        if not isinstance(media_type, str):
            raise ValueError(f"not a descriptor: mediaType {short(media_type)}")
        stated = document.get("platform")
        platform = Platform.read(stated) if stated else None
        return cls(media_type, digest, size, platform, _annotations(document), _artifact_type(document))


@dataclass(frozen=True)
class Manifest:
    """A manifest or index: its exact bytes and the media type it is served with.

    It is never serialised again, because the digest is that of these bytes.
    """

    media_type: str
    body: bytes

    @classmethod
    def write(cls, media_type: str, document: Mapping[str, Any]) -> Manifest:
        """Serialise a document compactly, with its keys in the order given and non-ASCII characters as UTF-8."""
        return cls(media_type, json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode())

    @classmethod
    def read(cls, content_type: str, body: bytes) -> Manifest:
        """Make a manifest from what was served or stored under a media type.

        Args:
            content_type: the Content-Type header; where that is generic, the body's own ``mediaType`` decides, and
                where there is none, its shape: an index lists manifests.
            body: the exact bytes.

        Raises:
            ValueError: it is not a manifest, part of it is malformed, or its own ``mediaType`` is another one.
        """
        manifest = cls(content_type.partition(";")[0].strip().lower(), body)
        stated = manifest.document.get("mediaType")
        if manifest.media_type in GENERIC_TYPES:
            shape = OCI_INDEX if "manifests" in manifest.document else OCI_MANIFEST
            manifest = cls(str(stated or shape), body)
        elif stated is not None and stated != manifest.media_type:
            raise ValueError(
                f"the manifest is served as {short(manifest.media_type)}, but its mediaType is {short(stated)}"
            )
        if manifest.media_type not in MANIFEST_TYPES:
            raise ValueError(f"{short(manifest.media_type)} is not the media type of an image, chart or index")
        _ = manifest.annotations, manifest.children, manifest.blobs
        return manifest

    @cached_property
    def digest(self) -> str:
        """``sha256:…`` of the bytes."""
        return digest_of(self.body)

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The parsed JSON object; ValueError when it is not one."""
        parsed = read_json(self.body, strict=True)
        if not isinstance(parsed, dict):
            raise ValueError("a manifest is a JSON object")
        return parsed

    @property
    def is_index(self) -> bool:
        """Whether this lists other manifests."""
        return self.media_type in INDEX_TYPES

    @property
    def annotations(self) -> Mapping[str, str]:
        """The manifest's own annotations, if any; ValueError when they are malformed."""
        return _annotations(self.document)

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """The manifests of an index, in its order; none for a manifest; ValueError when one is malformed."""
        return tuple(Descriptor.read(child) for child in _list(self.document, "manifests")) if self.is_index else ()

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config first, then layers; none for an index; ValueError when one is malformed."""
        if self.is_index:
            return ()
        return tuple(Descriptor.read(blob) for blob in (self.document.get("config"), *_list(self.document, "layers")))

    @property
    def subject(self) -> str | None:
        """The digest of the manifest that this one is attached to; None when it is attached to none.

        Raises:
            ValueError: it is malformed.
        """
        found = self.document.get("subject")
        return None if found is None else Descriptor.read(found).digest

    @property
    def artifact_type(self) -> str:
        """What a manifest that is no image says it holds: its ``artifactType``, else its config's media type.

        Source: image-spec 1.1, Guidelines for Artifact Usage; distribution-spec 1.1, Listing Referrers. ValueError when
        it is malformed.
        """
        return _artifact_type(self.document) or next((blob.media_type for blob in self.blobs[:1]), "")

    def descriptor(self, platform: Platform | None = None) -> Descriptor:
        """A descriptor that points to this manifest."""
        return Descriptor(self.media_type, self.digest, len(self.body), platform)

    def listed(self) -> Descriptor:
        """How a list of what is attached names this manifest: with its type and its annotations."""
        found = self.descriptor()
        return replace(found, annotations=self.annotations, artifact_type=self.artifact_type)


def _is_word(part: str) -> bool:
    return len(part) <= PLATFORM_WORD_LIMIT and part.isprintable()


def _annotations(document: Mapping[str, Any]) -> Mapping[str, str]:
    found = document.get("annotations")
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ValueError(f"annotations map strings to strings, not {short(found)}")
    return found


def _artifact_type(document: Mapping[str, Any]) -> str:
    found = document.get("artifactType") or ""
    if not isinstance(found, str):
        raise ValueError(f"artifactType is a string, not {found!r}")
    return found


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    found = document.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise ValueError(f"{key} is a list, not {short(found)}")
    return found
