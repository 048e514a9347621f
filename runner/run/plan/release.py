"""From what a release should be and what was observed to what is to be done. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import AlreadyPublished
from runner.published.observed import Observation, Published
from runner.run.plan.model import Action, Entry, Identity, Kind, Plan, held_back

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.oci.manifest import Platform
    from runner.oci.name import Name


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
        return Plan(service, held_back(entries), error=_refusal(refused))
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
