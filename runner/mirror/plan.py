"""What becomes of each name and each attachment at the place that a release is copied to, and why. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.errors import MirrorDiffers
from runner.published.observed import Published
from runner.run.plan.model import Action, Attachment, Entry, Plan, held_back

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.mirror.release import Part
    from runner.oci.artifact import Artifact
    from runner.oci.name import Name, Repository
    from runner.published.observed import Observation


@dataclass(frozen=True)
class Held:
    """What the place holds: under each name, and attached to each digest of a repository."""

    names: Mapping[Name, Observation]
    attached: Mapping[tuple[Repository, str], frozenset[str]]

    def lacks(self, repository: Repository, attachment: Artifact) -> bool:
        """Whether an attachment is not listed there."""
        return attachment.root.digest not in self.attached.get((repository, attachment.root.subject or ""), frozenset())


def plan_mirror(service: str, parts: Sequence[tuple[Part, Sequence[Name]]], held: Held) -> Plan:
    """Decide what is written: what is there is skipped, and what differs refuses the whole copy.

    Args:
        service: whose release it is.
        parts: each with the names that it is to have at the place.
        held: what is there.
    """
    entries = tuple(entry for part, names in parts for entry in _entries(part, names, held))
    refused = [entry for entry in entries if entry.action is Action.REFUSE]
    if not refused:
        return Plan(service, entries)
    error = MirrorDiffers(
        f"{refused[0].target} {refused[0].reason}", detail=[f"{entry.target} {entry.reason}" for entry in refused]
    )
    return Plan(service, held_back(entries), error=error)


def has_other(part: Part, found: Observation) -> bool:
    """Whether a name holds something else than the part. Pure."""
    return isinstance(found, Published) and found.digest != part.artifact.root.digest


def _entries(part: Part, names: Sequence[Name], held: Held) -> tuple[Entry, ...]:
    attachments = tuple(
        _attachment(part, repository, attachment, held)
        for repository in dict.fromkeys(name.repository for name in names)
        for attachment in part.attached
    )
    return (*attachments, *(_name(part, name, held.names[name]) for name in names))


def _attachment(part: Part, repository: Repository, attachment: Artifact, held: Held) -> Entry:
    target = Attachment(repository, attachment.root.subject, attachment.root.artifact_type)
    digest = attachment.root.digest
    if held.lacks(repository, attachment):
        return Entry(part.kind, target, Action.PUBLISH, "not attached there yet", digest)
    return Entry(part.kind, target, Action.SKIP, "already attached there", digest)


def _name(part: Part, name: Name, found: Observation) -> Entry:
    digest = part.artifact.root.digest
    if not isinstance(found, Published):
        return Entry(part.kind, name, Action.PUBLISH, "not there yet", digest)
    if found.digest == digest:
        return Entry(part.kind, name, Action.SKIP, "already there, with the same digest", digest)
    if part.where_other is Action.PUBLISH:
        return Entry(part.kind, name, Action.PUBLISH, f"moves there from {found.digest}", digest)
    if part.where_other is Action.SKIP:
        return Entry(part.kind, name, Action.SKIP, f"the place has its own there, {found.digest}", found.digest)
    return Entry(part.kind, name, Action.REFUSE, f"holds {found.digest}, and the release is {digest}", found.digest)
