"""What a plan is: one entry for each target, with what is done and why. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from runner.oci.name import Name
from runner.published.observed import Published, PublishedChart

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runner.errors import ReleaseError
    from runner.oci.name import Repository
    from runner.published.observed import Observation

HELD_BACK = "held back: another name of this service is refused, so nothing of the service is published"


class Kind(StrEnum):
    """What an artifact is."""

    IMAGE = "image"
    CHART = "chart"


class Action(StrEnum):
    """What the plan does with a target."""

    PUBLISH = "publish"
    SKIP = "skip"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Identity:
    """What makes two artifacts the same release: the commit, and the repository it is in.

    A chart is the same only if it deploys an image of the same ``image_repository`` (None: not asked for): a chart
    that was made for another registry is another chart.
    """

    revision: str
    source: str
    image_repository: str | None = None

    def differs_from(self, found: Published, *, same_files: bool | None = None) -> str | None:
        """Say in words how what is there is another one; None when it is the same.

        Args:
            found: what is there.
            same_files: of a chart without a revision, whether it holds the same files; None when that was not compared.
        """
        if same_files is not None:
            return None if same_files else "published without a revision, and its files are not this commit's"
        if not found.revision:
            return "published without a revision (by another tool), so it cannot be shown to be this commit"
        if found.revision != self.revision:
            return f"published from commit {found.revision[:12]}, but this run is at commit {self.revision[:12]}"
        if found.source != self.source:
            return f"published from {found.source or 'an unnamed repository'}, but this run is from {self.source}"
        image_repository = found.image_repository if isinstance(found, PublishedChart) else None
        if self.image_repository is not None and image_repository not in {None, self.image_repository}:
            return f"published for the image {image_repository}, but this run is for {self.image_repository}"
        return None

    def of_chart(self, image: Name) -> Identity:
        """The identity of a chart that deploys this image."""
        return replace(self, image_repository=str(image.repository))


@dataclass(frozen=True)
class DesiredArtifact:
    """An artifact that is to be published: under which names, primary first, and what makes it the same one."""

    kind: Kind
    names: tuple[Name, ...]
    identity: Identity

    def published(self, observed: Mapping[Name, Observation]) -> Published | None:
        """What the first of its names holds that is there; None when none of them is."""
        found = (observed[name] for name in self.names)
        return next((one for one in found if isinstance(one, Published)), None)

    def is_nowhere(self, observed: Mapping[Name, Observation]) -> bool:
        """Whether it, or one of the digests that its names hold, is nowhere as a whole, so that it must be made."""
        found = [one for name in self.names if isinstance(one := observed[name], Published)]
        whole = {one.digest for one in found if not one.gone}
        return not whole or any(one.digest not in whole for one in found)

    def to_look_at(self, observed: Mapping[Name, Observation]) -> tuple[Name, ...]:
        """The names that hold this artifact, of which a part may be gone: what says no commit is never made again."""
        found = {name: observed[name] for name in self.names}
        return tuple(
            name
            for name, one in found.items()
            if isinstance(one, Published) and one.revision and self.differs_from(one) is None
        )

    def differs_from(self, found: Published, *, same_files: bool | None = None) -> str | None:
        """Say in words how what is there is another artifact; None when it is this one; see ``Identity``."""
        kind = Kind.CHART if isinstance(found, PublishedChart) else Kind.IMAGE
        if kind is not self.kind:
            what = "a chart" if kind is Kind.CHART else "an image"
            return f"published as {what}, but this run publishes the {self.kind} there"
        return self.identity.differs_from(found, same_files=same_files)


@dataclass(frozen=True)
class Attachment:
    """Something that is attached to an artifact in its repository: a signature, an SBOM, a statement of provenance.

    ``subject`` is the digest that it is attached to, None until the build tells; ``artifact_type`` is what it is, as a
    media type (OCI image-spec 1.1, ``artifactType``).
    """

    repository: Repository
    subject: str | None
    artifact_type: str

    def __str__(self) -> str:
        return f"{self.artifact_type} of {self.repository}@{self.subject or 'the digest that the build gives'}"


Target = Name | Attachment
"""What an entry of a plan is about: a name that holds an artifact, or an attachment to a digest."""


@dataclass(frozen=True)
class Entry:
    """What happens to one target, and why.

    ``digest`` is that of what is there, or of what will be; None when only the build will tell. ``copy_of`` is a name
    that holds the content already, so that its manifest is written here as it is. ``adopted`` is whether what is there
    names no commit and is taken all the same. ``restores`` is whether the name holds this already and a part of it is
    gone: only that part is written, by digest.
    """

    kind: Kind
    target: Target
    action: Action
    reason: str
    digest: str | None = None
    copy_of: Name | None = None
    adopted: bool = False
    restores: bool = False


@dataclass(frozen=True)
class Publication:
    """A name that is to hold an artifact; ``copy_of`` and ``restores`` as in ``Entry``."""

    name: Name
    copy_of: Name | None
    restores: bool = False


@dataclass(frozen=True)
class Plan:
    """All entries of one service, in the order in which they are carried out.

    ``notes`` are worth knowing and need nothing done; ``warnings`` need attention. ``error`` is set when a target is
    refused.
    """

    service: str
    entries: tuple[Entry, ...]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: ReleaseError | None = None

    def to_publish(self, kind: Kind) -> tuple[Publication, ...]:
        """The names of this kind of artifact that are to be written, in order."""
        return tuple(
            Publication(entry.target, entry.copy_of, entry.restores)
            for entry in self.entries
            if entry.kind is kind and entry.action is Action.PUBLISH and isinstance(entry.target, Name)
        )

    @property
    def publishes(self) -> bool:
        """Whether anything is to be published."""
        return any(entry.action is Action.PUBLISH for entry in self.entries)

    def with_digests(self, digests: Mapping[Kind, str]) -> Plan:
        """Return the plan with the digests that the names published by it hold now, where only the build told them."""
        return replace(
            self,
            entries=tuple(
                replace(entry, digest=digests.get(entry.kind))
                if entry.action is Action.PUBLISH and entry.digest is None
                else entry
                for entry in self.entries
            ),
        )


def for_folder(plan: Plan) -> Plan:
    """Say of a plan that was made without asking the registry where its names go."""
    return replace(
        plan,
        entries=tuple(
            replace(entry, reason="goes into the layout folder; the registry was not read")
            if entry.action is Action.PUBLISH
            else entry
            for entry in plan.entries
        ),
    )


def held_back(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Publish nothing of a service of which a name is refused."""
    # Such a name holds nothing of this, so it has no digest: with one it would be reported as published.
    return tuple(
        replace(entry, action=Action.SKIP, reason=HELD_BACK, digest=None, restores=False)
        if entry.action is Action.PUBLISH
        else entry
        for entry in entries
    )
