"""Whether what a chart states agrees with the tag, the branch and the naming. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.chart.facts import ChartFacts, refuse
from runner.config.naming import fill
from runner.errors import ChartDisagrees, StableDisagrees
from runner.oci.name import Name
from runner.versions import ReleaseVersion, StableChannel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.config.naming import RegistryAddress, Scheme

NAMING_REMEDY = (
    "Regenerate the release artifacts for this version, commit them, and tag that commit; or add the naming scheme of"
    " these names to naming: in jobs.yaml."
)


def check_release(facts: ChartFacts, service: str, version: str, chart_names: Sequence[str]) -> None:
    """Check that Chart.yaml is that of this release.

    Args:
        facts: what the chart states.
        service: the service's name.
        version: MAJOR.MINOR.PATCH of the tag.
        chart_names: names that Chart.yaml may have; ``{service}`` stands for the service.

    Raises:
        ChartDisagrees: with every disagreement in its detail.
    """
    release = ReleaseVersion.parse(version)
    problems = _name_problems(facts, service, chart_names)
    problems += [
        f"{facts.says(fact)}, the tag is {release.tag}: it should be {release} or {release.tag}"
        for fact in ("version", "app_version")
        if ReleaseVersion.of_chart(getattr(facts, fact)) != release
    ]
    if problems:
        refuse(ChartDisagrees, problems)


def choose_scheme(
    schemes: Sequence[Scheme], address: RegistryAddress, service: str, version: str, facts: ChartFacts
) -> Scheme:
    """Return the first scheme whose primary image name is the one that the values name.

    Args:
        schemes: the accepted ones.
        address: the production registry, also in a staging release.
        service: the service's name.
        version: MAJOR.MINOR.PATCH of the tag.
        facts: what the chart states.

    Raises:
        ChartDisagrees: none; the detail lists every name that would be accepted.
    """
    accepted = {scheme.label: str(scheme.image_names(address, service, version)[0]) for scheme in schemes}
    for scheme in schemes:
        if accepted[scheme.label] == facts.image:
            return scheme
    raise ChartDisagrees(
        f"{facts.where('image_repository')} and image.tag name {facts.image}, "
        f"which is not an accepted image name for {service} {version}",
        remedy=NAMING_REMEDY,
        detail=[f"{label} accepts {name}" for label, name in accepted.items()],
    )


def image_version_of(
    schemes: Sequence[Scheme], address: RegistryAddress, service: str, facts: ChartFacts
) -> tuple[Scheme, str]:
    """Return the first scheme that gives the values' image its name, and for which version it does.

    Args:
        schemes: the accepted ones.
        address: the production registry, also in a staging release.
        service: the service's name.
        facts: what the chart of the branch stable states.

    Raises:
        ChartDisagrees: the image has no accepted name, whatever the version; the detail lists what would be accepted.
    """
    try:
        image = Name.parse(facts.image)
    except ValueError as error:
        raise ChartDisagrees(
            f"{facts.where('image_repository')} and image.tag name {facts.image}, which is not a valid image name"
        ) from error
    for scheme in schemes:
        version = scheme.version_of(address, service, image)
        if version is not None:
            return scheme, version
    example = str(ReleaseVersion.of_chart(facts.app_version) or "1.2.3")
    raise ChartDisagrees(
        f"{facts.where('image_repository')} and image.tag name {facts.image}, "
        f"which is not an accepted image name for {service}",
        remedy=NAMING_REMEDY,
        detail=[
            f"{scheme.label} accepts {scheme.image_names(address, service, example)[0]} for {example}"
            for scheme in schemes
        ],
    )


def check_stable(
    facts: ChartFacts,
    service: str,
    chart_names: Sequence[str],
    *,
    major: int,
    resolved_version: str,
    image_version: str,
) -> None:
    """Check that the chart on the branch stable may become the stable chart of this major.

    Its own version is ``v<major>-stable`` (as the real branches have it) or a plain version, with or without ``v``.

    Args:
        facts: what the chart states.
        service: the service's name.
        chart_names: names that Chart.yaml may have; ``{service}`` stands for the service.
        major: of the newest release merged into the branch.
        resolved_version: that release's MAJOR.MINOR.PATCH.
        image_version: MAJOR.MINOR.PATCH of the image that the values name.

    Raises:
        StableDisagrees: with every disagreement in its detail.
    """
    channel, image, resolved = StableChannel(major), *map(ReleaseVersion.parse, (image_version, resolved_version))
    problems = _name_problems(facts, service, chart_names)
    version = ReleaseVersion.of_chart(facts.version)
    if StableChannel.of_chart(facts.version) != channel and (version is None or version.major != major):
        problems.append(f"{facts.says('version')}: it should be {channel} or a version {major}.MINOR.PATCH")
    if ReleaseVersion.of_chart(facts.app_version) != image:
        problems.append(f"{facts.says('app_version')}, but {facts.where('image_tag')} names {image}")
    if image.major != major:
        problems.append(
            f"{facts.where('image_tag')} names {image}, but the newest release merged is {resolved.tag}: "
            f"its major should be {major}"
        )
    elif image > resolved:
        problems.append(
            f"{facts.where('image_tag')} names {image}, which is newer than the newest release merged, {resolved.tag}"
        )
    if problems:
        refuse(StableDisagrees, problems)


def _name_problems(facts: ChartFacts, service: str, chart_names: Sequence[str]) -> list[str]:
    accepted = [fill(name, service=service) for name in chart_names]
    if facts.name in accepted:
        return []
    return [f"{facts.says('name')}: it should be {' or '.join(accepted)}"]
