"""Where a release is copied to: a namespace of a registry, or a layout folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from runner.config.naming import RegistryAddress
from runner.errors import BaseImageUnusable, ReleaseError, UsageInvalid
from runner.mirror.plan import Held, has_other
from runner.oci.layout import read_entries, stored_manifest, write_layout_folder
from runner.oci.manifest import REF_NAME
from runner.oci.name import Name, Repository
from runner.oci.referrers import Referrers
from runner.published.observed import ABSENT, PublishedChart, PublishedImage
from runner.run.plan.model import Action, Kind
from runner.run.publish.registry import RegistryDestination
from runner.runtime.storage import storage_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.mirror.release import Part
    from runner.oci.manifest import Descriptor, Manifest
    from runner.oci.registry import Registry
    from runner.published.observed import Observation
    from runner.runtime.lifetime import Lifetime

FOLDER: Final = re.compile(r"oci:(?P<path>.+)|(?P<bare>(?:/|\.{1,2}(?:/|$)).*|(?!localhost$)[^/.:]+)")
"""How a folder is told from a registry: ``oci:DIR`` as for base images, a path that begins as no host does, or one word
that is no host."""

Placed = tuple["Part", "Sequence[Name]"]
"""A part, and the names that it has at the place."""


class Place(Protocol):
    """Where a release is copied to."""

    def name(self, source: Name) -> Name:
        """What a name of the release is called there."""
        ...

    def held(self, parts: Sequence[Placed]) -> Held:
        """Read what is there of these parts."""
        ...

    def write(self, parts: Sequence[Placed], held: Held) -> None:
        """Write all of these parts, each with its attachments before its names."""
        ...


def parse_place(text: str) -> RegistryAddress | Path:
    """Read ``HOST/NAMESPACE``, ``oci:DIR``, or a path.

    Raises:
        UsageInvalid: it is neither.
    """
    folder = FOLDER.fullmatch(text)
    if folder:
        return Path(folder["path"] or folder["bare"])
    try:
        return RegistryAddress.parse(text)
    except ValueError as error:
        raise UsageInvalid(
            f"--to: {error}; for a folder on this machine, write oci:DIR or a path that begins with / or ./"
        ) from None


class RegistryPlace:
    """A namespace of a registry.

    Args:
        registry: a client of both registries.
        source: where the release is published.
        target: where it is copied to.
        lifetime: ends every wait.
        report: called with what was done: an event in words, and its values.
    """

    def __init__(
        self,
        registry: Registry,
        source: RegistryAddress,
        target: RegistryAddress,
        lifetime: Lifetime,
        report: Callable[..., object],
    ) -> None:
        self._registry = registry
        self._source = source
        self._target = target
        self._destination = RegistryDestination(registry, lifetime, report)

    def name(self, source: Name) -> Name:
        """The same repository and tag below the other namespace."""
        below = source.repository.path.removeprefix(f"{self._source.namespace}/" if self._source.namespace else "")
        path = f"{self._target.namespace}/{below}" if self._target.namespace else below
        return Name(Repository(self._target.host, path), source.tag)

    def held(self, parts: Sequence[Placed]) -> Held:
        """Read the names, and of what has attachments the registry's list."""
        names = {
            name: _observed(part.kind, self._registry.manifest(name.repository, name.tag))
            for part, placed in parts
            for name in placed
        }
        referrers = Referrers(self._registry)
        subjects = {
            (name.repository, one.root.subject or "")
            for part, placed in parts
            for name in placed
            for one in part.attached
        }
        attached = {
            (repository, subject): frozenset(entry.digest for entry in referrers.of(repository, subject))
            for repository, subject in sorted(subjects)
        }
        return Held(names, attached)

    def write(self, parts: Sequence[Placed], held: Held) -> None:
        """Publish the parts one after the other, and read every name once more in the end."""
        for part, names in parts:
            if part.where_other is Action.SKIP and any(has_other(part, held.names[name]) for name in names):
                continue
            missing = tuple(one for one in part.attached if any(held.lacks(name.repository, one) for name in names))
            self._destination.publish(part.artifact, [(name, held.names[name]) for name in names], attached=missing)
        self._destination.finish()


class FolderPlace:
    """A layout folder, which may hold other releases already; names in it are those of the release itself.

    Args:
        folder: made where it is not there.
        registry: where the release is read.
    """

    def __init__(self, folder: Path, registry: Registry) -> None:
        self._folder = folder
        self._registry = registry

    def name(self, source: Name) -> Name:
        """The name itself."""
        return source

    def held(self, parts: Sequence[Placed]) -> Held:
        """Read the folder's index.

        Raises:
            UsageInvalid: the folder holds a layout that is damaged.
        """
        entries = self._entries()
        digests = {entry.annotations.get(REF_NAME): entry for entry in entries}
        names = {name: self._observed(part.kind, digests.get(str(name))) for part, placed in parts for name in placed}
        listed = frozenset(entry.digest for entry in entries if REF_NAME not in entry.annotations)
        attached = {
            (name.repository, one.root.subject or ""): listed
            for part, placed in parts
            for name in placed
            for one in part.attached
        }
        return Held(names, attached)

    def write(self, parts: Sequence[Placed], held: Held) -> None:  # noqa: ARG002 - the folder's index is read again
        """Write the folder's content, and its index last; entries of other releases stay.

        Raises:
            StorageUnusable, UsageInvalid: the folder cannot be written.
        """
        written = [(name, part.artifact) for part, names in parts for name in names]
        attached = {one.root.digest: one for part, _ in parts for one in part.attached}
        replaced = {str(name) for name, _ in written}
        try:
            kept = [
                entry
                for entry in self._entries()
                if entry.annotations.get(REF_NAME) not in replaced
                and (REF_NAME in entry.annotations or entry.digest not in attached)
            ]
            write_layout_folder(self._folder, written, self._registry, attached=attached.values(), kept=kept)
        except OSError as error:
            raise self._unusable(error) from error

    def _entries(self) -> tuple[Descriptor, ...]:
        try:
            return read_entries(self._folder)
        except BaseImageUnusable as error:
            raise self._damaged(error) from error
        except OSError as error:
            raise self._unusable(error) from error

    def _observed(self, kind: Kind, entry: Descriptor | None) -> Observation:
        try:
            return _observed(kind, None if entry is None else stored_manifest(self._folder, entry))
        except BaseImageUnusable as error:
            raise self._damaged(error) from error

    def _unusable(self, error: OSError) -> ReleaseError:
        return storage_error(error, self._folder) or UsageInvalid(
            f"--to: {self._folder} cannot be used: {error.strerror}"
        )

    def _damaged(self, error: BaseImageUnusable) -> UsageInvalid:
        return UsageInvalid(f"--to: {error.cause}", remedy=f"Name another folder, or remove {self._folder}.")


def _observed(kind: Kind, manifest: Manifest | None) -> Observation:
    if manifest is None:
        return ABSENT
    return PublishedChart(manifest) if kind is Kind.CHART else PublishedImage(manifest)


def placed(parts: Sequence[Part], place: Place) -> tuple[Placed, ...]:
    """The parts with the names that they have at a place."""
    return tuple((part, tuple(place.name(name) for name in part.names)) for part in parts)
