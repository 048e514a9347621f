"""From what the stable chart should be and what was observed to what is to be done. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.annotations import RELEASE_RESOLVED_VERSION, RELEASE_VERSION
from runner.errors import StableBackwards
from runner.oci.manifest import CREATED, REVISION
from runner.oci.name import Name
from runner.published.observed import Absent, Observation, Published, PublishedChart
from runner.run.plan.model import Action, DesiredArtifact, Entry, Kind, Plan, held_back
from runner.versions import HistoryTag, SemanticVersion, semantic_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.oci.manifest import Manifest

REMEDY_OF_AN_UNRELATED_COMMIT = (
    "Put the commit on top of the one that this name's chart was made from, with the trailer, and push again. A chart"
    " that names no commit can only be moved forwards from."
)
"""Said where the trailer is there and does not suffice."""

OLDEST = datetime.min.replace(tzinfo=UTC)
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True, order=True)
class Position:
    """Where a stable chart stands in time; a lower one is older."""

    image_version: SemanticVersion
    resolved_version: SemanticVersion
    commit_time: datetime

    def __str__(self) -> str:
        when = "" if self.commit_time == OLDEST else f", commit of {self.commit_time:%Y-%m-%d %H:%M:%SZ}"
        return f"image {self.image_version}, resolved {self.resolved_version}{when}"


def position_of(found: Published) -> Position | None:
    """Read where a published stable chart stands; None when it says no version at all.

    What is not annotated for stable (a re-tagged release, a chart of the former job) stands at its appVersion, and is
    older than anything annotated there.
    """
    annotations = found.manifest.annotations
    resolved = annotations.get(RELEASE_RESOLVED_VERSION)
    app_version = found.app_version if isinstance(found, PublishedChart) else None
    image_version = annotations.get(RELEASE_VERSION) if resolved else app_version
    try:
        image = semantic_version(image_version or "")
        if resolved is None:
            return Position(image, image, OLDEST)
        created = datetime.fromisoformat(annotations.get(CREATED, ""))
        return Position(image, semantic_version(resolved), created.astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def named_commit(chart: Manifest) -> str | None:
    """Return the commit that a chart says it was made from; None when it says none, or what is no commit's id."""
    stated = chart.annotations.get(REVISION, "")
    return stated if _COMMIT.fullmatch(stated) else None


@dataclass(frozen=True)
class Candidate:
    """The chart that the moving names should hold.

    ``holder`` is a name that holds its manifest already (another moving name, or the release's own chart); None when
    it was packaged just now. ``backwards`` says why a move to something older is meant, for each name for which it is;
    ``asked_backwards`` is whether the commit asks for such a move at all.
    """

    digest: str
    revision: str
    position: Position
    holder: Name | None = None
    backwards: Mapping[Name, str] = field(default_factory=dict)
    asked_backwards: bool = False


def plan_stable(
    service: str,
    *,
    names: Sequence[Name],
    candidate: Candidate,
    observed: Mapping[Name, Observation],
    histories: Mapping[Name, Sequence[Name]],
    now: datetime | None,
) -> Plan:
    """Decide for the moving names.

    Args:
        service: whose stable chart it is.
        names: the moving names, primary first.
        candidate: what they should hold.
        observed: what is under each moving name, and under the newest history name of each.
        histories: the history names of each moving name, oldest first.
        now: when this move happens; None where no history is kept, because no name moves (a layout folder).
    """
    entries: list[Entry] = []
    notes: list[str] = []
    for name in names:
        found = observed[name]
        there = position_of(found) if isinstance(found, Published) else None
        if isinstance(found, Published) and found.digest == candidate.digest and found.gone:
            reason = f"holds this chart already, but {found.gone[0]} of it is gone: will be restored"
            entries.append(
                Entry(Kind.CHART, name, Action.PUBLISH, reason, found.digest, candidate.holder, restores=True)
            )
        elif isinstance(found, Published) and found.digest == candidate.digest:
            entries.append(Entry(Kind.CHART, name, Action.SKIP, "holds this chart already", found.digest))
        elif there is not None and candidate.position < there and name not in candidate.backwards:
            reason = f"holds {there}, which is newer than this chart ({candidate.position})"
            if candidate.asked_backwards:
                reason += "; the commit says Stable-Move: backwards, but does not follow the commit of that chart"
            entries.append(Entry(Kind.CHART, name, Action.REFUSE, reason, candidate.digest))
        else:
            if there is not None and candidate.position < there:
                notes.append(f"{name} moves backwards: {candidate.backwards[name]}")
            move = _move(found, there, candidate.position)
            if now is not None:
                entries.append(_history_entry(name, candidate, observed, histories.get(name, ()), now))
            entries.append(Entry(Kind.CHART, name, Action.PUBLISH, move, candidate.digest, candidate.holder))
    refused = tuple(entry for entry in entries if entry.action is Action.REFUSE)
    if refused:
        error = StableBackwards(
            f"{refused[0].target} {refused[0].reason}",
            remedy=REMEDY_OF_AN_UNRELATED_COMMIT if candidate.asked_backwards else None,
            detail=tuple(f"{entry.target} {entry.reason}" for entry in refused),
        )
        return Plan(service, held_back(entries), error=error)
    return Plan(service, tuple(entries), notes=tuple(notes))


def plan_stable_unchanged(service: str, chart: DesiredArtifact, observed: Mapping[Name, Observation]) -> Plan | None:
    """Return a plan of skips when every moving name holds all of the chart of this very commit, else None."""
    entries = tuple(
        Entry(Kind.CHART, name, Action.SKIP, "holds this commit's chart already", found.digest)
        for name in chart.names
        if isinstance(found := observed[name], Published) and not found.gone and chart.differs_from(found) is None
    )
    return Plan(service, entries) if len(entries) == len(chart.names) else None


def _move(found: Observation, there: Position | None, position: Position) -> str:
    if isinstance(found, Absent):
        return f"not in the registry; becomes {position}"
    return f"moves from {there or 'a chart without a version'} to {position}"


def _history_entry(
    name: Name,
    candidate: Candidate,
    observed: Mapping[Name, Observation],
    history: Sequence[Name],
    now: datetime,
) -> Entry:
    newest = history[-1] if history else None
    held = observed.get(newest) if newest is not None else None
    if newest is not None and isinstance(held, Published) and held.digest == candidate.digest:
        reason = "an earlier run wrote this move's history and did not finish the move"
        return Entry(Kind.CHART, newest, Action.SKIP, reason, candidate.digest)
    tag = str(HistoryTag.of_move(name.tag, now, candidate.revision))
    reason = f"history of this move ({candidate.position})"
    return Entry(Kind.CHART, Name(name.repository, tag), Action.PUBLISH, reason, candidate.digest, candidate.holder)
