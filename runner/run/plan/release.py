"""From what a release should be and what was observed to what is to be done. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from runner.errors import AlreadyPublished
from runner.oci.name import Name
from runner.published.observed import Observation, Published, PublishedChart, PublishedImage
from runner.run.plan.model import Action, DesiredArtifact, Entry, Identity, Kind, Plan, held_back

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.oci.manifest import Platform
    from runner.published.former import Adoption

NOTHING_COMPARED: Mapping[Name, bool] = MappingProxyType({})
NOTHING_INSPECTED: Mapping[Name, Adoption] = MappingProxyType({})
NOWHERE_ELSE: Mapping[Name, str] = MappingProxyType({})


def plan_release(
    service: str,
    artifacts: Sequence[DesiredArtifact],
    *,
    platforms: Sequence[Platform],
    observed: Mapping[Name, Observation],
    same_files: Mapping[Name, bool] = NOTHING_COMPARED,
    adoptions: Mapping[Name, Adoption] = NOTHING_INSPECTED,
    others: Mapping[Name, str] = NOWHERE_ELSE,
    adopts: bool = False,
) -> Plan:
    """Decide for a release.

    Args:
        service: whose release it is.
        artifacts: what is to be published, in the order in which it is.
        platforms: what the configuration asks for today.
        observed: what is under each name.
        same_files: of the charts without a revision that were compared, whether they hold the same files.
        adoptions: of the images without a revision that are to be adopted, what was found in them.
        others: names of the same version under further accepted schemes, each with its scheme: one version has one
            commit, so what they hold must be this one's.
        adopts: whether what says no commit may be this release's.
    """
    found_same = _Same(same_files, adoptions, adopted_before(artifacts, observed))
    entries = tuple(entry for artifact in artifacts for entry in _plan_artifact(artifact, observed, found_same))
    elsewhere = _plan_others(artifacts[0].identity, observed, others, adopts=adopts)
    entries += tuple(one for one in elsewhere if isinstance(one, Entry))
    refused = tuple(entry for entry in entries if entry.action is Action.REFUSE)
    if refused:
        return Plan(service, held_back(entries), error=_refusal(service, artifacts, refused, observed, adoptions))
    published = [artifact.published(observed) for artifact in artifacts]
    image = next((found for found in published if isinstance(found, PublishedImage)), None)
    chart = next((found for found in published if isinstance(found, PublishedChart)), None)
    return Plan(
        service,
        entries,
        warnings=(
            *(warning for artifact in artifacts for warning in _digests_that_differ(artifact.names, observed)),
            *_other_image(image, chart),
            *(warning for adoption in adoptions.values() for warning in adoption.warnings),
        ),
        notes=(
            *_missing_platforms(image, platforms),
            *_chart_before_image(image, chart),
            *(one for one in elsewhere if isinstance(one, str)),
        ),
    )


def adopted_before(artifacts: Sequence[DesiredArtifact], observed: Mapping[Name, Observation]) -> frozenset[str]:
    """The digests of images that a chart of this very commit names: an earlier run took them, whatever they say."""
    charts = (
        (artifact, found)
        for artifact in artifacts
        for name in artifact.names
        if artifact.kind is Kind.CHART and isinstance(found := observed[name], PublishedChart)
    )
    return frozenset(
        found.image_digest for chart, found in charts if found.image_digest and chart.differs_from(found) is None
    )


def without_commit(
    artifact: DesiredArtifact, observed: Mapping[Name, Observation], before: frozenset[str] = frozenset()
) -> dict[Name, PublishedImage]:
    """The images under an artifact's names that say no commit, and are none of those that were adopted ``before``."""
    return {
        name: found
        for name in artifact.names
        if isinstance(found := observed[name], PublishedImage) and not found.revision and found.digest not in before
    }


@dataclass(frozen=True)
class _Same:
    """What shows that something without a revision is this release's; see ``plan_release`` and ``adopted_before``."""

    files: Mapping[Name, bool]
    adoptions: Mapping[Name, Adoption]
    before: frozenset[str]

    def difference(self, artifact: DesiredArtifact, name: Name, found: Published) -> str | None:
        """Say in words how what is there is another artifact; None when it is this one."""
        if artifact.kind is Kind.IMAGE and isinstance(found, PublishedImage) and not found.revision:
            if found.digest in self.before:
                return None
            if name in self.adoptions:
                problem = self.adoptions[name].problem
                return problem and f"published without a revision (by another tool), and cannot be adopted: {problem}"
        return artifact.differs_from(found, same_files=self.files.get(name))

    def reason(self, name: Name, found: Published) -> str:
        """Say why what is there is this artifact."""
        if self.files.get(name):
            return "already published from equal files"
        if found.revision:
            return "already published from this commit"
        if found.digest in self.before:
            return "adopted by an earlier run: published without a revision, and named by this commit's chart"
        checked = ", ".join(map(str, self.adoptions[name].platforms))
        return f"adopted: published without a revision (by another tool); its program was checked for {checked}"


def _plan_artifact(artifact: DesiredArtifact, observed: Mapping[Name, Observation], same: _Same) -> tuple[Entry, ...]:
    differences = {
        name: same.difference(artifact, name, found)
        for name in artifact.names
        if isinstance(found := observed[name], Published)
    }

    def holder(digest: str | None = None) -> Name | None:
        """The first name that holds all of this artifact, or all of what has this digest."""
        whole = ((name, observed[name]) for name, difference in differences.items() if difference is None)
        return next(
            (
                name
                for name, found in whole
                if isinstance(found, Published) and not found.gone and digest in {None, found.digest}
            ),
            None,
        )

    def plan_name(name: Name) -> Entry:
        found = observed[name]
        if isinstance(found, Published):
            difference = differences[name]
            if difference is not None:
                return Entry(artifact.kind, name, Action.REFUSE, difference, found.digest)
            if found.gone:
                return _restored(artifact.kind, name, found, holder(found.digest))
            adopted = isinstance(found, PublishedImage) and not found.revision
            reason = same.reason(name, found)
            return Entry(artifact.kind, name, Action.SKIP, reason, found.digest, adopted=adopted)
        source = holder()
        held = None if source is None else observed[source]
        if not isinstance(held, Published):
            return Entry(artifact.kind, name, Action.PUBLISH, "not in the registry")
        reason = f"not in the registry; will be copied from {source}"
        return Entry(artifact.kind, name, Action.PUBLISH, reason, held.digest, source)

    return tuple(plan_name(name) for name in artifact.names)


def _restored(kind: Kind, name: Name, found: Published, holder: Name | None) -> Entry:
    """Write what is gone of a release again: its tag never changes, so nothing but the same content will do."""
    made = "built" if kind is Kind.IMAGE else "packaged"
    how = f"copied from {holder}" if holder is not None else f"{made} again, and restored if its digest is the same"
    first, more = found.gone[0], len(found.gone) - 1
    gone = f"{first} of it is gone" if not more else f"{first} and {more} more of its parts are gone"
    reason = f"already published from this commit, but {gone}: will be {how}"
    return Entry(kind, name, Action.PUBLISH, reason, found.digest, holder, restores=True)


def _plan_others(
    identity: Identity, observed: Mapping[Name, Observation], others: Mapping[Name, str], *, adopts: bool
) -> tuple[Entry | str, ...]:
    """What is there under other schemes: an entry that refuses the release, or a note in words."""
    found = ((name, scheme, one) for name, scheme in others.items() if isinstance(one := observed[name], Published))
    decided: list[Entry | str] = []
    for name, scheme, one in found:
        difference = None if adopts and not one.revision else identity.differs_from(one)
        if difference is None:
            decided.append(f"{name} holds this version, too, as the naming scheme {scheme} has it")
        else:
            kind = Kind.CHART if isinstance(one, PublishedChart) else Kind.IMAGE
            reason = f"{difference}; it is the same version as the naming scheme {scheme} has it"
            decided.append(Entry(kind, name, Action.REFUSE, reason, one.digest))
    return tuple(decided)


def _refusal(
    service: str,
    artifacts: Sequence[DesiredArtifact],
    refused: Sequence[Entry],
    observed: Mapping[Name, Observation],
    adoptions: Mapping[Name, Adoption],
) -> AlreadyPublished:
    first = refused[0]
    charts = {name for artifact in artifacts if artifact.kind is Kind.CHART for name in artifact.names}
    found = {entry.target: observed[entry.target] for entry in refused if isinstance(entry.target, Name)}
    adoptable = all(
        isinstance(one, Published) and not one.revision and name not in adoptions and name not in charts
        for name, one in found.items()
    )
    return AlreadyPublished(
        f"{first.target} is {first.reason}",
        remedy=f"Release the next version. Or, if the former job published this one, adopt it: put {service} under"
        " adopt: in jobs.yaml, or pass --adopt-existing, and rerun."
        if adoptable
        else None,
        detail=tuple(f"{entry.target} ({entry.digest}): {entry.reason}" for entry in refused),
    )


def _digests_that_differ(names: Sequence[Name], observed: Mapping[Name, Observation]) -> tuple[str, ...]:
    held = {name: found.digest for name in names if isinstance(found := observed[name], Published)}
    if len(set(held.values())) < 2:  # noqa: PLR2004 - two digests are the smallest difference
        return ()
    listed = ", ".join(f"{name} is {digest}" for name, digest in held.items())
    return (f"the names of this release hold different content: {listed}",)


def _other_image(image: PublishedImage | None, chart: PublishedChart | None) -> tuple[str, ...]:
    if image is None or chart is None or chart.image_digest in (None, image.digest):
        return ()
    return (f"the chart was released with image {chart.image_digest}, but the image's name now holds {image.digest}",)


def _missing_platforms(image: PublishedImage | None, platforms: Sequence[Platform]) -> tuple[str, ...]:
    if image is None:
        return ()
    missing = ", ".join(str(platform) for platform in platforms if platform not in image.released_for)
    if not missing:
        return ()
    there = ", ".join(map(str, image.released_for)) or "no platform"
    return (f"the image was released for {there}, but not for {missing}, which jobs.yaml asks for today",)


def _chart_before_image(image: PublishedImage | None, chart: PublishedChart | None) -> tuple[str, ...]:
    if chart is None or image is not None:
        return ()
    return ("the chart is published but its image is not: this run publishes the image",)
