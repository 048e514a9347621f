"""What a plan is: one entry for each name, with what is done and why. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.errors import ReleaseError
    from runner.oci.name import Name
    from runner.published.observed import Published

HELD_BACK = "held back: another name of this service is refused, so nothing is published for it"


class Kind(StrEnum):
    """What an artifact is."""

    IMAGE = "image"
    CHART = "chart"


class Action(StrEnum):
    """What the plan does with a name."""

    PUBLISH = "publish"
    SKIP = "skip"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Entry:
    """What happens to one name, and why.

    ``digest`` is that of what is there, or of what will be; None when only the build will tell. ``copy_of`` is a name
    that holds the content already, so that its manifest is written here as it is.
    """

    kind: Kind
    name: Name
    action: Action
    reason: str
    digest: str | None = None
    copy_of: Name | None = None


@dataclass(frozen=True)
class Plan:
    """All entries of one service, in the order in which they are carried out.

    ``notes`` are worth knowing and need nothing done; ``warnings`` want a look. ``error`` is set when a name is
    refused.
    """

    service: str
    entries: tuple[Entry, ...]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: ReleaseError | None = None

    def to_publish(self, kind: Kind) -> tuple[Entry, ...]:
        """The entries of this kind that are to be published."""
        return tuple(e for e in self.entries if e.kind is kind and e.action is Action.PUBLISH)

    @property
    def publishes(self) -> bool:
        """Whether anything is to be published."""
        return any(entry.action is Action.PUBLISH for entry in self.entries)


@dataclass(frozen=True)
class Identity:
    """What makes two artifacts the same release: the commit, and the repository it is in.

    A chart is the same only if it deploys an image of the same ``image_repository`` (None: not asked for): a chart
    that was made for another registry is another chart.
    """

    revision: str
    source: str
    image_repository: str | None = None

    def differs_from(self, found: Published) -> str | None:
        """Say in words how what is there is another one; None when it is the same."""
        if found.same_files is not None:
            return None if found.same_files else "published without a revision, and its files are not this commit's"
        if found.revision is None:
            return "published without a revision (by another tool), so it cannot be shown to be this commit"
        if found.revision != self.revision:
            return f"published from commit {found.revision[:12]}, this run is at commit {self.revision[:12]}"
        if found.source != self.source:
            return f"published from {found.source or 'an unnamed repository'}, this run is from {self.source}"
        if self.image_repository is not None and found.image_repository not in {None, self.image_repository}:
            return f"published for the image {found.image_repository}, this run is for {self.image_repository}"
        return None

    def of_chart(self, image: Name) -> Identity:
        """The identity of a chart that deploys this image."""
        return replace(self, image_repository=str(image.repository))


def for_folder(plan: Plan) -> Plan:
    """Say of a plan that was made without asking the registry where its names go."""
    return replace(
        plan,
        entries=tuple(
            replace(entry, reason="goes into the layout folder; the registry was not asked")
            if entry.action is Action.PUBLISH
            else entry
            for entry in plan.entries
        ),
    )


def held_back(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Publish nothing of a service of which a name is refused."""
    # Such a name holds nothing of this, so it has no digest: with one it would be told as published.
    return tuple(
        replace(entry, action=Action.SKIP, reason=HELD_BACK, digest=None) if entry.action is Action.PUBLISH else entry
        for entry in entries
    )
