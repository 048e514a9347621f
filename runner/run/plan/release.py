"""From what a release should be and what was observed to what is to be done. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from runner.errors import AlreadyPublished
from runner.published.observed import Observation, Published, PublishedChart, PublishedImage
from runner.run.plan.model import Action, DesiredArtifact, Entry, Plan, held_back

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.oci.manifest import Platform
    from runner.oci.name import Name

NOTHING_COMPARED: Mapping[Name, bool] = MappingProxyType({})


def plan_release(
    service: str,
    artifacts: Sequence[DesiredArtifact],
    *,
    platforms: Sequence[Platform],
    observed: Mapping[Name, Observation],
    same_files: Mapping[Name, bool] = NOTHING_COMPARED,
) -> Plan:
    """Decide for a release.

    Args:
        service: whose release it is.
        artifacts: what is to be published, in the order in which it is.
        platforms: what the configuration asks for today.
        observed: what is under each name.
        same_files: of the charts without a revision that were compared, whether they hold the same files.
    """
    entries = tuple(entry for artifact in artifacts for entry in _plan_artifact(artifact, observed, same_files))
    refused = tuple(entry for entry in entries if entry.action is Action.REFUSE)
    if refused:
        return Plan(service, held_back(entries), error=_refusal(refused))
    published = [artifact.published(observed) for artifact in artifacts]
    image = next((found for found in published if isinstance(found, PublishedImage)), None)
    chart = next((found for found in published if isinstance(found, PublishedChart)), None)
    return Plan(
        service,
        entries,
        warnings=(
            *(warning for artifact in artifacts for warning in _digests_that_differ(artifact.names, observed)),
            *_other_image(image, chart),
        ),
        notes=(*_missing_platforms(image, platforms), *_chart_before_image(image, chart)),
    )


def _plan_artifact(
    artifact: DesiredArtifact, observed: Mapping[Name, Observation], same_files: Mapping[Name, bool]
) -> tuple[Entry, ...]:
    differences = {
        name: artifact.differs_from(found, same_files=same_files.get(name))
        for name in artifact.names
        if isinstance(found := observed[name], Published)
    }
    holder = next((name for name, difference in differences.items() if difference is None), None)

    def plan_name(name: Name) -> Entry:
        found = observed[name]
        if isinstance(found, Published):
            difference = differences[name]
            if difference is not None:
                return Entry(artifact.kind, name, Action.REFUSE, difference, found.digest)
            same = "equal files" if same_files.get(name) else "this commit"
            return Entry(artifact.kind, name, Action.SKIP, f"already published from {same}", found.digest)
        held = None if holder is None else observed[holder]
        if not isinstance(held, Published):
            return Entry(artifact.kind, name, Action.PUBLISH, "not in the registry")
        reason = f"not in the registry; will be copied from {holder}"
        return Entry(artifact.kind, name, Action.PUBLISH, reason, held.digest, holder)

    return tuple(plan_name(name) for name in artifact.names)


def _refusal(refused: Sequence[Entry]) -> AlreadyPublished:
    first = refused[0]
    return AlreadyPublished(
        f"{first.target} is {first.reason}",
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
