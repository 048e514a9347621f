"""The base image: found, fixed to a digest, and checked before anything is built on it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol

import certifi

from runner.builders.archive import FOLDER_MODE, Layer, Member, write_layer
from runner.errors import BaseImageUnusable, UsageInvalid
from runner.foreign.documents import read_json
from runner.foreign.shown import short
from runner.oci.artifact import Blob, RemoteSource
from runner.oci.layout import LayoutFolder, read_layout_folder
from runner.oci.manifest import OCI_CONFIG, OCI_LAYER, Descriptor, Manifest, Platform
from runner.oci.name import DIGEST, TAG, Repository

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runner.oci.registry import Registry

SCRATCH = "scratch"
FOLDER_PREFIX = "oci:"
USER = 1000
CA_BUNDLE = "etc/ssl/certs/ca-certificates.crt"

DOCKER_CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPES: Mapping[str, str] = {
    OCI_LAYER: OCI_LAYER,
    "application/vnd.oci.image.layer.v1.tar": "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": OCI_LAYER,
    "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
}
"""What a layer's media type is in an OCI manifest: the same bytes. Layers that may not be distributed have none."""

IMPLIED_VARIANTS = frozenset({("arm64", "v8"), ("amd64", "v1"), ("arm", "v7")})
"""Variants that a platform without one means (containerd's ``platforms`` package)."""

SCRATCH_ENVIRONMENT = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",)


@dataclass(frozen=True)
class BaseImage:
    """The base for one platform: its config as parsed, and its layers with OCI media types."""

    config: Mapping[str, Any]
    layers: tuple[Blob, ...]


@dataclass(frozen=True)
class Base:
    """A base image, fixed to a digest.

    Attributes:
        reference: exactly this image: ``HOST/REPOSITORY@DIGEST``, ``oci:FOLDER@DIGEST`` or ``scratch``.
        name: how it was named, without the digest: ``HOST/REPOSITORY:TAG`` or ``HOST/REPOSITORY``; None for a folder
            and for scratch, whose place says nothing elsewhere.
        digest: of its index or manifest; None for scratch.
        images: the base for each platform.
    """

    reference: str
    name: str | None
    digest: str | None
    images: Mapping[Platform, BaseImage]

    @property
    def repository(self) -> str | None:
        """The name without its tag."""
        return None if self.name is None else str(_Named.parse(self.name).repository)

    @property
    def is_scratch(self) -> bool:
        """Whether there is nothing below the image's own layers."""
        return self.digest is None


class _Named(NamedTuple):
    repository: Repository
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> _Named:
        """Read ``HOST/REPOSITORY[:TAG][@DIGEST]``; ValueError when it is not one."""
        name, at, digest = text.partition("@")
        place, slash, last = name.rpartition("/")
        last, colon, tag = last.partition(":")
        if (at and not DIGEST.fullmatch(digest)) or (colon and not TAG.fullmatch(tag)):
            raise ValueError(f"{text!r} is not HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:…")
        return cls(Repository.parse(f"{place}{slash}{last}"), tag, digest)


class _Store(Protocol):
    """Where a base image is read from."""

    def child(self, descriptor: Descriptor) -> Manifest: ...

    def config(self, descriptor: Descriptor) -> bytes: ...

    def layer(self, descriptor: Descriptor, media_type: str) -> Blob: ...


class _InRegistry(NamedTuple):
    registry: Registry
    repository: Repository

    def child(self, descriptor: Descriptor) -> Manifest:
        return _existing(self.registry, self.repository, descriptor.digest)

    def config(self, descriptor: Descriptor) -> bytes:
        return self.registry.read_blob(self.repository, descriptor)

    def layer(self, descriptor: Descriptor, media_type: str) -> Blob:
        return Blob(Descriptor(media_type, descriptor.digest, descriptor.size), RemoteSource(self.repository))


class _InFolder(NamedTuple):
    layout: LayoutFolder

    def child(self, descriptor: Descriptor) -> Manifest:
        return next(child for child in self.layout.children if child.digest == descriptor.digest)

    def config(self, descriptor: Descriptor) -> bytes:
        return self.layout.config(descriptor)

    def layer(self, descriptor: Descriptor, media_type: str) -> Blob:
        verified = self.layout.blob(descriptor)
        return Blob(Descriptor(media_type, descriptor.digest, descriptor.size), verified.source)


def resolve_base(reference: str, registry: Registry, platforms: Iterable[Platform]) -> Base:
    """Fix a base image to a digest and read what is needed to build on it; no layer is fetched.

    Args:
        reference: ``HOST/REPOSITORY:TAG``, ``HOST/REPOSITORY@DIGEST``, both at once (then the digest counts),
            ``oci:FOLDER`` or ``scratch``.
        registry: where it is read, unless it is a folder.
        platforms: what will be built.

    Raises:
        UsageInvalid: the reference is malformed, or has neither tag nor digest.
        BaseImageUnusable: it is absent, damaged, lacks a platform, or cannot be built upon.
        RegistryFailed, RegistryAnswerWrong, CredentialsRefused, RunEnded: it could not be read.
    """
    wanted = tuple(platforms)
    if reference == SCRATCH:
        empty = BaseImage({"config": {"Env": list(SCRATCH_ENVIRONMENT)}}, ())
        return Base(SCRATCH, None, None, dict.fromkeys(wanted, empty))
    if reference.startswith(FOLDER_PREFIX):
        layout = read_layout_folder(Path(reference.removeprefix(FOLDER_PREFIX)))
        root, exact, name = layout.root, f"{reference}@{layout.root.digest}", None
        store: _Store = _InFolder(layout)
    else:
        named = _named(reference)
        root = _existing(registry, named.repository, named.digest or named.tag)
        exact, name = f"{named.repository}@{root.digest}", reference.partition("@")[0]
        store = _InRegistry(registry, named.repository)
    with ThreadPoolExecutor(max(1, len(wanted)), thread_name_prefix="base") as pool:
        images = tuple(pool.map(lambda platform: _image(exact, root, store, platform), wanted))
    return Base(exact, name, root.digest, dict(zip(wanted, images, strict=True)))


def write_scratch_layer(folder: Path) -> Layer:
    """Write what a controller needs and an empty base lacks: certificates, users, and a place for temporary files."""
    names = (("root", 0, "/root"), ("nonroot", USER, "/"))
    users = "".join(f"{name}:x:{number}:{number}:{name}:{home}:/sbin/nologin\n" for name, number, home in names)
    groups = "".join(f"{name}:x:{number}:\n" for name, number, _ in names)
    folders = ("bin", "etc", "etc/ssl", "etc/ssl/certs")
    return write_layer(
        (
            *(Member(path, None, FOLDER_MODE) for path in folders),
            Member("tmp", None, 0o1777),
            Member("etc/passwd", users.encode()),
            Member("etc/group", groups.encode()),
            Member(CA_BUNDLE, ca_bundle()),
        ),
        folder,
    )


def ca_bundle() -> bytes:
    """The certificates that an image on scratch trusts: Mozilla's, as certifi packs them."""
    return Path(certifi.where()).read_bytes()


def choose_manifest(children: Iterable[Descriptor], platform: Platform) -> Descriptor | None:
    """The entry of an index that is for exactly this platform, or None."""
    return next((child for child in children if child.platform and same_platform(child.platform, platform)), None)


def same_platform(one: Platform, other: Platform) -> bool:
    """Whether two platforms are the same, where an implied variant may be omitted."""
    return _normal(one) == _normal(other)


def _normal(platform: Platform) -> Platform:
    implied = (platform.architecture, platform.variant) in IMPLIED_VARIANTS
    return Platform(platform.os, platform.architecture) if implied else platform


def _named(reference: str) -> _Named:
    try:
        named = _Named.parse(reference)
    except ValueError as error:
        raise UsageInvalid(f"the base image's name is invalid: {error}") from error
    if not named.tag and not named.digest:
        raise UsageInvalid(f"the base image {reference} has neither a tag nor a digest, so it is not an exact image")
    return named


def _existing(registry: Registry, repository: Repository, reference: str) -> Manifest:
    manifest = registry.manifest(repository, reference)
    if manifest is None:
        joiner = "@" if DIGEST.fullmatch(reference) else ":"
        raise BaseImageUnusable(f"the base image {repository}{joiner}{reference} is not in its registry")
    return manifest


def _image(reference: str, root: Manifest, store: _Store, platform: Platform) -> BaseImage:
    """The base for one platform, checked."""
    manifest = root
    if root.is_index:
        chosen = choose_manifest(root.children, platform)
        if chosen is None:
            _lacks(reference, platform, (str(child.platform) for child in root.children if child.platform))
        manifest = store.child(chosen)
    if manifest.is_index:
        _refuse(reference, f"its index's entry for {platform} is another index")
    config, layers = manifest.blobs[0], manifest.blobs[1:]
    if config.media_type not in (OCI_CONFIG, DOCKER_CONFIG_TYPE):
        _refuse(reference, f"its config has the media type {short(config.media_type)}, so it is no container image")
    unknown = [layer.media_type for layer in layers if layer.media_type not in LAYER_TYPES]
    if unknown:
        _refuse(reference, f"it has a layer of type {short(unknown[0])}, which cannot be published with another image")
    document = read_config(store.config(config), reference)
    stated = _stated_platform(document, reference)
    if not same_platform(stated, platform):
        if not root.is_index:
            _lacks(reference, platform, (str(stated),))
        _refuse(reference, f"its index says {platform}, but that image's config says {stated}")
    if len(document["rootfs"]["diff_ids"]) != len(layers):
        _refuse(reference, f"it has {len(layers)} layers but {len(document['rootfs']['diff_ids'])} diff_ids")
    return BaseImage(document, tuple(store.layer(layer, LAYER_TYPES[layer.media_type]) for layer in layers))


_BUILT_UPON: Mapping[str, Any] = {"rootfs": {}, "config": {}, "history": []}


def read_config(body: bytes, reference: str) -> dict[str, Any]:
    """Read an image's config.

    Raises:
        BaseImageUnusable: it is no JSON object, or a part that is built upon has the wrong shape.
    """
    try:
        document = read_json(body, strict=True)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        _refuse(reference, "its config is not a JSON object")
    rootfs, settings, history = (document.get(key) or empty for key, empty in _BUILT_UPON.items())
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(diff_ids, list) or not all(isinstance(one, str) and DIGEST.fullmatch(one) for one in diff_ids):
        _refuse(reference, "its config lists no diff_ids")
    labels = settings.get("Labels") or {} if isinstance(settings, dict) else None
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        _refuse(reference, "its config has labels that are not text")
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        _refuse(reference, "its config has a history that is not a list of objects")
    return {**document, "config": settings, "history": history}


def _stated_platform(document: Mapping[str, Any], reference: str) -> Platform:
    try:
        return Platform.read(document)
    except ValueError:
        _refuse(reference, "its config names no platform")


def _lacks(reference: str, platform: Platform, found: Iterable[str]) -> NoReturn:
    raise BaseImageUnusable(
        f"the base image {reference} does not exist for {platform}; it exists for {', '.join(found) or 'no platform'}",
        remedy="Choose a base image that has all platforms listed under platforms: in jobs.yaml, or list fewer"
        " platforms, then rerun.",
    )


def _refuse(reference: str, problem: str) -> NoReturn:
    raise BaseImageUnusable(f"the base image {reference} cannot be used: {problem}")
