"""Images that carry no commit, as the job before this program published them: what of one answers, and its flaws.

What that job is known to have got wrong: images for one platform only, and arm64 images whose config says amd64. The
program in them is what decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.oci.manifest import REVISION
from runner.published.observed import (
    Published,
    PublishedImage,
    is_platform,
    label_of,
    platform_of,
    read_config,
    unanswered,
)
from runner.published.program import ProgramReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.oci.manifest import Manifest, Platform
    from runner.oci.name import Name, Repository
    from runner.oci.registry import Registry

PLATFORM_LIMIT = 16


@dataclass(frozen=True)
class Adoption:
    """What was found of an image without a commit that is to be taken as it is.

    Attributes:
        platforms: those of which the program was checked.
        problem: why the image cannot be taken, in words; None when it can.
        warnings: its known flaws.
    """

    platforms: tuple[Platform, ...] = ()
    problem: str | None = None
    warnings: tuple[str, ...] = ()


def inspect_image(name: Name, image: PublishedImage, revision: str, registry: Registry) -> Adoption:
    """Check an image without a commit: a platform answers, and each that does holds a program for itself.

    Args:
        name: a name that holds the image.
        image: what is there.
        revision: the commit that adopts it; one that a part of the image says must be this.
        registry: where it is read; layers are streamed, and nothing of them is kept.

    Raises:
        RegistryFailed, RegistryAnswerWrong, CredentialsRefused, RunEnded: it could not be read.
    """
    missing = unanswered(name, image.manifest, registry)
    if missing and not has_platform(name, image, missing):
        return Adoption(problem=f"no platform of it answers: {missing[0]} is gone")
    inspector = _Inspector(name.repository, revision, registry)
    checked = []
    try:
        for platform, manifest in inspector.platforms(image):
            inspector.check(platform, manifest)
            checked.append(platform)
    except ValueError as error:
        return Adoption(problem=str(error))
    if not checked:
        return Adoption(problem="it is for no platform")
    return Adoption(tuple(checked), warnings=flaws(name, image, missing, registry))


def has_platform(name: Name, image: Published, missing: Sequence[str]) -> bool:
    """Whether at least one platform of an index answers, where ``missing`` does not (see ``unanswered``)."""
    platforms = [child for child in image.manifest.children if is_platform(child.platform)]
    return any(f"{name.repository}@{child.digest}" not in missing for child in platforms)


def flaws(name: Name, image: PublishedImage, missing: Sequence[str], registry: Registry) -> tuple[str, ...]:
    """The known flaws of images published by the former job, as warnings."""
    found = [f"{name}: {gone} does not answer" for gone in missing]
    if not image.manifest.is_index or (not image.revision and len(image.platforms) == 1):
        found.append(f"{name} is for one platform only, {', '.join(map(str, image.platforms))}")
    for child in image.manifest.children:
        manifest = registry.manifest(name.repository, child.digest)
        if manifest is None or child.platform is None or manifest.is_index:
            continue
        try:
            stated = str(platform_of(read_config(registry.read_blob(name.repository, manifest.blobs[0]))))
        except (ValueError, RecursionError) as error:
            stated = f"nothing that can be read ({error})"
        if stated != str(child.platform):
            found.append(f"{name}: the config of {child.platform} says {stated}")
    return tuple(found)


class _Inspector:
    """Reads the parts of one image, within limits that hold for all of them together.

    Args:
        repository: where the image is.
        revision: the commit that no part of it may contradict.
        registry: where it is read.
    """

    def __init__(self, repository: Repository, revision: str, registry: Registry) -> None:
        self._repository = repository
        self._revision = revision
        self._registry = registry
        self._programs = ProgramReader(repository, registry)

    def platforms(self, image: PublishedImage) -> list[tuple[Platform, Manifest]]:
        """The platforms that answer, each with its manifest; ValueError when one is no image, or there are too many."""
        if not image.manifest.is_index:
            return [(image.platforms[0], image.manifest)]
        listed = [(child.platform, child.digest) for child in image.manifest.children if is_platform(child.platform)]
        if len(listed) > PLATFORM_LIMIT:
            raise ValueError(f"it is for {len(listed)} platforms, and at most {PLATFORM_LIMIT} are checked")
        found = []
        for platform, digest in listed:
            manifest = self._registry.manifest(self._repository, digest)
            if manifest is not None and platform is not None:
                if manifest.is_index:
                    raise ValueError(f"what it has for {platform} is another index")
                found.append((platform, manifest))
        return found

    def check(self, platform: Platform, manifest: Manifest) -> None:
        """Raise ValueError when the program of a platform is none, is for another one, or is of another commit."""
        config_blob, *layers = manifest.blobs
        try:
            config = read_config(self._registry.read_blob(self._repository, config_blob))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"its config for {platform} cannot be read: {error}") from error
        stated = {manifest.annotations.get(REVISION), label_of(config, REVISION)} - {None, "", self._revision}
        if stated:
            raise ValueError(f"for {platform} it says that it was made from commit {str(stated.pop())[:12]}")
        architecture = self._programs.read(platform, config, layers).architecture
        if architecture != platform.architecture:
            raise ValueError(f"its program for {platform} is for {architecture}")
