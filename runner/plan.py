"""From what is desired and what was observed to what is to be done: pure, one entry per name, each with its reason."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from semver import Version

from runner.errors import AlreadyPublished, ReleaseError, StableBackwards
from runner.observe import Absent, Observation, Published
from runner.oci.media import CREATED, RELEASE_RESOLVED_VERSION, RELEASE_VERSION, Name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runner.oci.media import Platform

OLDEST = datetime.min.replace(tzinfo=UTC)
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


def plan_release(
    service: str,
    *,
    identity: Identity,
    images: Sequence[Name],
    charts: Sequence[Name],
    platforms: Sequence[Platform],
    observed: Mapping[Name, Observation],
) -> Plan:
    """Decide for a release.

    Args:
        service: whose release it is.
        identity: commit and repository of this run.
        images: the image's names, primary first.
        charts: the chart's names, primary first.
        platforms: what the configuration asks for today.
        observed: what is under each of these names.
    """
    entries = (
        *_plan_artifact(Kind.IMAGE, images, identity, observed),
        *_plan_artifact(Kind.CHART, charts, identity.of_chart(images[0]), observed),
    )
    refused = tuple(entry for entry in entries if entry.action is Action.REFUSE)
    if refused:
        return Plan(service, _held_back(entries), error=_refusal(refused))
    image = _first_published(images, observed)
    chart = _first_published(charts, observed)
    return Plan(
        service,
        entries,
        warnings=(
            *_digests_that_differ(images, observed),
            *_digests_that_differ(charts, observed),
            *_other_image(image, chart),
        ),
        notes=(*_missing_platforms(image, platforms), *_chart_before_image(image, chart)),
    )


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


def _held_back(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    # Such a name holds nothing of this, so it has no digest: with one it would be told as published.
    return tuple(
        replace(entry, action=Action.SKIP, reason=HELD_BACK, digest=None) if entry.action is Action.PUBLISH else entry
        for entry in entries
    )


def _plan_artifact(
    kind: Kind, names: Sequence[Name], identity: Identity, observed: Mapping[Name, Observation]
) -> tuple[Entry, ...]:
    holder = next((name for name in names if _is_same(observed[name], identity)), None)
    return tuple(_plan_name(kind, name, identity, observed, holder) for name in names)


def _plan_name(
    kind: Kind, name: Name, identity: Identity, observed: Mapping[Name, Observation], holder: Name | None
) -> Entry:
    found = observed[name]
    if isinstance(found, Published):
        difference = identity.differs_from(found)
        if difference is not None:
            return Entry(kind, name, Action.REFUSE, difference, found.digest)
        same = "equal files" if found.same_files else "this commit"
        return Entry(kind, name, Action.SKIP, f"already published from {same}", found.digest)
    if holder is None:
        return Entry(kind, name, Action.PUBLISH, "not in the registry")
    held = observed[holder]
    digest = held.digest if isinstance(held, Published) else None
    return Entry(kind, name, Action.PUBLISH, f"not in the registry; {holder} holds it", digest, holder)


def _is_same(found: Observation, identity: Identity) -> bool:
    return isinstance(found, Published) and identity.differs_from(found) is None


def _refusal(refused: Sequence[Entry]) -> AlreadyPublished:
    first = refused[0]
    return AlreadyPublished(
        f"{first.name} is {first.reason}",
        detail=tuple(f"{entry.name} ({entry.digest}): {entry.reason}" for entry in refused),
    )


def _first_published(names: Sequence[Name], observed: Mapping[Name, Observation]) -> Published | None:
    for name in names:
        found = observed[name]
        if isinstance(found, Published):
            return found
    return None


def _digests_that_differ(names: Sequence[Name], observed: Mapping[Name, Observation]) -> tuple[str, ...]:
    held = {name: found.digest for name in names if isinstance(found := observed[name], Published)}
    if len(set(held.values())) < 2:  # noqa: PLR2004 - two digests are the smallest difference
        return ()
    return (f"names of one release differ: {', '.join(f'{name} is {digest}' for name, digest in held.items())}",)


def _other_image(image: Published | None, chart: Published | None) -> tuple[str, ...]:
    if image is None or chart is None or chart.image_digest in (None, image.digest):
        return ()
    return (f"the chart was released with image {chart.image_digest}, the image's name holds {image.digest}",)


def _missing_platforms(image: Published | None, platforms: Sequence[Platform]) -> tuple[str, ...]:
    if image is None:
        return ()
    missing = [str(platform) for platform in platforms if platform not in image.released_for]
    there = ", ".join(map(str, image.released_for)) or "no platform"
    return (f"the image was released for {there}; not for {', '.join(missing)}, asked for today",) if missing else ()


def _chart_before_image(image: Published | None, chart: Published | None) -> tuple[str, ...]:
    if chart is None or image is not None:
        return ()
    return ("the chart is published but its image is not: the image is published now",)


# --- stable ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Position:
    """Where a stable chart stands in time; a lower one is older."""

    image_version: Version
    resolved_version: Version
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
    image_version = annotations.get(RELEASE_VERSION) if resolved else found.app_version
    try:
        image = Version.parse((image_version or "").removeprefix("v"))
        if resolved is None:
            return Position(image, image, OLDEST)
        created = datetime.fromisoformat(annotations.get(CREATED, ""))
        return Position(image, Version.parse(resolved.removeprefix("v")), created.astimezone(UTC))
    except ValueError:
        return None


@dataclass(frozen=True)
class Candidate:
    """The chart that the moving names should hold.

    ``holder`` is a name that holds its manifest already (another moving name, or the release's own chart); None when
    it was packaged just now. ``backwards`` says why a move to something older is meant; None when it is not.
    """

    digest: str
    revision: str
    position: Position
    holder: Name | None = None
    backwards: str | None = None


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
        if isinstance(found, Published) and found.digest == candidate.digest:
            entries.append(Entry(Kind.CHART, name, Action.SKIP, "holds this chart already", found.digest))
        elif there is not None and candidate.position < there and candidate.backwards is None:
            reason = f"holds {there}, which is newer than this chart ({candidate.position})"
            entries.append(Entry(Kind.CHART, name, Action.REFUSE, reason, candidate.digest))
        else:
            if there is not None and candidate.position < there:
                notes.append(f"{name} moves backwards: {candidate.backwards}")
            move = _move(found, there, candidate.position)
            if now is not None:
                entries.append(_history_entry(name, candidate, observed, histories.get(name, ()), now))
            entries.append(Entry(Kind.CHART, name, Action.PUBLISH, move, candidate.digest, candidate.holder))
    refused = tuple(entry for entry in entries if entry.action is Action.REFUSE)
    if refused:
        error = StableBackwards(
            f"{refused[0].name} {refused[0].reason}", detail=tuple(f"{entry.name} {entry.reason}" for entry in refused)
        )
        return Plan(service, _held_back(entries), error=error)
    return Plan(service, tuple(entries), notes=tuple(notes))


def plan_stable_unchanged(
    service: str, names: Sequence[Name], identity: Identity, observed: Mapping[Name, Observation]
) -> Plan | None:
    """Return a plan of skips when every moving name holds the chart of this very commit, else None."""
    entries = tuple(
        Entry(Kind.CHART, name, Action.SKIP, "holds this commit's chart already", found.digest)
        for name in names
        if isinstance(found := observed[name], Published) and identity.differs_from(found) is None
    )
    return Plan(service, entries) if len(entries) == len(names) else None


def _move(found: Observation, there: Position | None, position: Position) -> str:
    if isinstance(found, Absent):
        return f"not in the registry; becomes {position}"
    return f"moves from {there or 'a chart without a version'} to {position}"


HISTORY_TAG = re.compile(r"(?P<stable>.+)-(?P<moved>\d{8}T\d{6}Z)-(?P<commit>[0-9a-f]{7})")


def history_names(name: Name, tags: Sequence[str]) -> tuple[Name, ...]:
    """Return the history names of a moving name among a repository's tags, oldest first."""
    mine = [tag for tag in tags if (m := HISTORY_TAG.fullmatch(tag)) and m["stable"] == name.tag]
    return tuple(Name(name.repository, tag) for tag in sorted(mine))


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
    tag = f"{name.tag}-{now:%Y%m%dT%H%M%SZ}-{candidate.revision[:7]}"
    reason = f"history of this move ({candidate.position})"
    return Entry(Kind.CHART, Name(name.repository, tag), Action.PUBLISH, reason, candidate.digest, candidate.holder)
