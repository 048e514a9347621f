"""What the registry holds now, as values. Everything here only reads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner.annotations import RELEASE_IMAGE, RELEASE_PLATFORMS, RELEASE_VERSION
from runner.errors import RegistryAnswerWrong, RegistryFailed
from runner.foreign.documents import read_json
from runner.oci.manifest import HELM_CONFIG, REVISION, SOURCE, Manifest, Platform

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runner.oci.name import Name
    from runner.oci.registry import Registry

PARALLEL_READS = 8


@dataclass(frozen=True)
class Absent:
    """The registry answered, and there is nothing under this name."""


@dataclass(frozen=True)
class Gone:
    """A part of what is published that does not answer: what it is in words, and its digest."""

    what: str
    digest: str

    def __str__(self) -> str:
        return f"{self.what} ({self.digest})"


@dataclass(frozen=True)
class Published:
    """What is there under a name, as far as images and charts have it in common.

    ``gone`` is what of it does not answer, as far as that was looked at (``runner.published.parts``).
    """

    manifest: Manifest
    gone: tuple[Gone, ...] = field(default=(), kw_only=True)

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return self.manifest.digest

    @property
    def revision(self) -> str | None:
        """The commit it was made from, where it says so."""
        return self.manifest.annotations.get(REVISION)

    @property
    def source(self) -> str | None:
        """The repository it was made from, where it says so."""
        return self.manifest.annotations.get(SOURCE)


@dataclass(frozen=True)
class PublishedImage(Published):
    """An image; ``platforms`` are those that its index states, or the one that a plain manifest's config states."""

    platforms: tuple[Platform, ...] = ()

    @property
    def released_for(self) -> tuple[Platform, ...]:
        """The platforms it was released for: as annotated, else as found."""
        stated = self.manifest.annotations.get(RELEASE_PLATFORMS)
        return tuple(Platform.parse(part) for part in stated.split(",")) if stated else self.platforms


@dataclass(frozen=True)
class PublishedChart(Published):
    """A chart; ``app_version`` as its Chart.yaml has it, empty where it has none.

    Where its config is gone, it is the version that it was released as.
    """

    app_version: str = ""

    @property
    def image_digest(self) -> str | None:
        """The digest of the image that it was released with, where it says so."""
        return self.manifest.annotations.get(RELEASE_IMAGE, "").rpartition("@")[2] or None

    @property
    def image_repository(self) -> str | None:
        """The repository of the image that it was released with, where it says so."""
        return self.manifest.annotations.get(RELEASE_IMAGE, "").rpartition("@")[0] or None


Observation = Absent | PublishedImage | PublishedChart
ABSENT = Absent()


def observe(names: Iterable[Name], registry: Registry) -> dict[Name, Observation]:
    """Read every name, in parallel.

    Raises:
        RegistryFailed, RegistryAnswerWrong, CredentialsRefused: a name could not be read; it is never taken as absent.
    """
    wanted = tuple(dict.fromkeys(names))
    with ThreadPoolExecutor(PARALLEL_READS, thread_name_prefix="observe") as pool:
        return dict(zip(wanted, pool.map(lambda name: observe_name(name, registry), wanted), strict=True))


def observe_name(name: Name, registry: Registry) -> Observation:
    """Read one name."""
    manifest = registry.manifest(name.repository, name.tag)
    if manifest is None:
        return ABSENT
    try:
        found = _published(name, manifest, registry)
        # Whoever plans asks for these; what cannot be read is reported here.
        _ = found.released_for if isinstance(found, PublishedImage) else None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RegistryAnswerWrong(f"{name} holds a manifest that cannot be read: {error}") from error
    return found


def _published(name: Name, manifest: Manifest, registry: Registry) -> PublishedImage | PublishedChart:
    if manifest.is_index:
        platforms = tuple(child.platform for child in manifest.children if is_platform(child.platform))
        return PublishedImage(manifest, tuple(platform for platform in platforms if platform is not None))
    config = manifest.blobs[0]
    try:
        document = read_config(registry.read_blob(name.repository, config))
    except RegistryFailed:
        # What says its commit can be made again; of anything else the config is all that says what it is.
        if REVISION not in manifest.annotations or registry.has_blob(name.repository, config.digest):
            raise
        if config.media_type == HELM_CONFIG:
            return PublishedChart(manifest, manifest.annotations.get(RELEASE_VERSION, ""))
        return PublishedImage(manifest)
    if config.media_type == HELM_CONFIG:
        return PublishedChart(manifest, str(document.get("appVersion", "")))
    return PublishedImage(manifest, (platform_of(document),))


def read_config(body: bytes) -> dict[str, Any]:
    """Read the config of an image or a chart; ValueError when it is no JSON object, RecursionError when too deep."""
    document = read_json(body, strict=True)
    if not isinstance(document, dict):
        raise ValueError("the config is not a JSON object")
    return document


def platform_of(config: Mapping[str, Any]) -> Platform:
    """Return the platform that an image's config states; ValueError when it states none."""
    try:
        return Platform(str(config["os"]), str(config["architecture"]), str(config.get("variant", "")))
    except KeyError as error:
        raise ValueError(f"the image config has no {error}") from error


def label_of(config: Mapping[str, Any], key: str) -> str | None:
    """Return what a label of an image's config says; None where there is no such label."""
    settings = config.get("config")
    labels = settings.get("Labels") if isinstance(settings, dict) else None
    value = labels.get(key) if isinstance(labels, dict) else None
    return value if isinstance(value, str) else None


def unanswered(image: Name, manifest: Manifest, registry: Registry) -> tuple[str, ...]:
    """Say what of an image does not answer by digest: the manifest itself, or a child of its index.

    A chart may go out only when this is empty.
    """
    digests = [manifest.digest, *(child.digest for child in manifest.children)]
    return tuple(
        f"{image.repository}@{digest}" for digest in digests if registry.manifest(image.repository, digest) is None
    )


def is_platform(platform: Platform | None) -> bool:
    """Whether an index's entry is an image: BuildKit's attestations stand there as ``unknown/unknown``."""
    return platform is not None and platform != Platform("unknown", "unknown")
