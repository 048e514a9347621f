"""The stable path of one service: chart only, nothing built, and only behind an image that answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.annotations import RELEASE_IMAGE, RELEASE_RESOLVED_VERSION, RELEASE_VERSION
from runner.chart.facts import (
    ChartFacts,
    chart_files,
    check_stable,
    image_version_of,
    read_chart_facts,
    reference_warnings,
)
from runner.chart.manifest import chart_artifact
from runner.chart.packaging import has_same_files, package_chart
from runner.errors import StableImageAbsent
from runner.published.observed import ABSENT, Observation, Published, is_platform, observe, platform_of, unanswered
from runner.run.plan.model import Kind, Plan, for_folder
from runner.run.plan.stable import (
    Candidate,
    Position,
    history_names,
    named_commit,
    plan_stable,
    plan_stable_unchanged,
)
from runner.run.publish import published_artifact
from runner.run.reporting import warn
from runner.source.clone import is_ancestor
from runner.source.route import StablePath
from runner.versions import semantic_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.chart.archive import PackagedChart
    from runner.config.load import Service
    from runner.config.naming import Scheme
    from runner.oci.artifact import Artifact
    from runner.oci.name import Name
    from runner.run.request import Chosen, Request
    from runner.run.tools import Tools

BACKWARDS_TRAILER = ("stable-move", "backwards")


@dataclass(frozen=True)
class Desired:
    """What this service's stable chart should be: pure, from the chart's files, the naming and the merged tags.

    ``images`` holds the one image that the chart names, in the registry that is written to; ``charts`` are the moving
    names; ``releases`` the names of the image version's own chart.
    """

    service: Service
    version: str
    image_version: str
    scheme: Scheme
    facts: ChartFacts
    images: tuple[Name, ...]
    charts: tuple[Name, ...]
    releases: tuple[Name, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Looked:
    """What was found. ``plan`` is None when the chart must be packaged before anything can be decided."""

    desired: Desired
    observed: Mapping[Name, Observation]
    histories: Mapping[Name, Sequence[Name]]
    image: Published
    plan: Plan | None
    builds: bool = False


@dataclass(frozen=True)
class Prepared:
    """The final plan, and the chart it moves to."""

    desired: Desired
    observed: Mapping[Name, Observation]
    plan: Plan
    chart: Artifact


def describe(request: Request, chosen: Chosen, files: Mapping[str, bytes | None]) -> Desired:
    """Derive names from the chart on the branch and the naming.

    Raises:
        ChartMissing, ChartDisagrees, StableDisagrees: the chart may not become stable.
    """
    route, settings, service = request.route, request.settings, chosen.service
    if not isinstance(route, StablePath):
        raise TypeError(f"{route} is not the stable path")
    chart_yaml, values_yaml, notes, kustomization = (files[path] for path in chart_files(service.chart_folder))
    facts = read_chart_facts(service.chart_folder, chart_yaml, values_yaml)
    scheme, image_version = image_version_of(service.naming, settings.production, service.name, facts)
    check_stable(
        facts,
        service.name,
        request.config.chart_names,
        major=route.major,
        resolved_version=route.version,
        image_version=image_version,
    )
    image = scheme.image_names(settings.registry, service.name, image_version)[0]
    return Desired(
        service=service,
        version=route.version,
        image_version=image_version,
        scheme=scheme,
        facts=facts,
        images=(settings.image_for(image),),
        charts=scheme.stable_names(settings.registry, service.name, route.major),
        releases=scheme.chart_names(settings.registry, service.name, image_version),
        warnings=reference_warnings(facts, settings.production, notes, kustomization),
    )


def look(request: Request, desired: Desired, tools: Tools) -> Looked:
    """Read the image, the moving names with the newest history of each, and the image version's own chart.

    Raises:
        StableImageAbsent: the image does not answer; nothing may move to a chart that cannot be run.
    """
    image_name = desired.images[0]
    if request.settings.to_layout is not None:
        observed: dict[Name, Observation] = {image_name: observe((image_name,), tools.registry)[image_name]}
        observed |= dict.fromkeys((*desired.charts, *desired.releases), ABSENT)
        histories: dict[Name, Sequence[Name]] = {}
    else:
        histories = {name: history_names(name, tools.registry.tags(name.repository)) for name in desired.charts}
        newest = [history[-1] for history in histories.values() if history]
        observed = observe((image_name, *desired.charts, *desired.releases, *newest), tools.registry)
    image = observed[image_name]
    if not isinstance(image, Published):
        raise StableImageAbsent(f"{image_name} is not in the registry, and {desired.facts.says('image_tag')}")
    missing = unanswered(image_name, image.manifest, tools.registry)
    if missing and (image.revision is not None or not _has_platform(image_name, image, missing)):
        raise StableImageAbsent(f"{image_name} is there, but {missing[0]} does not answer", detail=missing)
    warn(tools, desired.service.name, *_former_flaws(image_name, image, missing, tools))
    plan = plan_stable_unchanged(desired.service.name, desired.charts, request.identity.of_chart(image_name), observed)
    return Looked(desired, observed, histories, image, plan)


def prepare(request: Request, looked: Looked, tools: Tools) -> Prepared:
    """Package the chart, take the image version's own chart where it is the same, and plan the move.

    Raises:
        ChartUnusable, ChartDisagrees: the chart may not be published.
    """
    desired = looked.desired
    folder = tools.folder / desired.service.name / "chart"
    folder.mkdir(parents=True)
    packaged = package_chart(tools.source, desired.facts, desired.images[0], tools.helm, folder)
    warn(tools, desired.service.name, *packaged.warnings)
    moves = request.settings.to_layout is None
    artifact, holder = _chart(request, looked, packaged, tools)
    candidate = Candidate(
        digest=artifact.root.digest,
        revision=named_commit(artifact.root) or request.identity.revision,
        position=Position(semantic_version(desired.image_version), semantic_version(desired.version), request.created),
        holder=holder,
        backwards=_backwards(request, looked, tools),
    )
    plan = plan_stable(
        desired.service.name,
        names=desired.charts,
        candidate=candidate,
        observed=looked.observed,
        histories=looked.histories,
        now=datetime.now(UTC) if moves else None,
    )
    return Prepared(desired, looked.observed, plan if moves else for_folder(plan), artifact)


def publish(request: Request, prepared: Prepared, base: object, tools: Tools) -> Plan:  # noqa: ARG001 - as the release path
    """Write each history name, then the moving name it belongs to."""
    service = prepared.desired.service.name
    with tools.record.step("publish chart", service):
        tools.destination.publish(
            prepared.chart,
            [(entry.name, prepared.observed.get(entry.name, ABSENT)) for entry in prepared.plan.to_publish(Kind.CHART)],
        )
    return prepared.plan


def builds(plan: Plan) -> bool:  # noqa: ARG001 - as the release path
    """Whether carrying out this plan compiles anything: never."""
    return False


def _chart(request: Request, looked: Looked, packaged: PackagedChart, tools: Tools) -> tuple[Artifact, Name | None]:
    desired = looked.desired
    folder = tools.folder / desired.service.name / "chart"
    for name in (*desired.charts, *desired.releases):
        found = looked.observed[name]
        if not isinstance(found, Published):
            continue
        mine = name in desired.charts and request.identity.of_chart(desired.images[0]).differs_from(found) is None
        if mine or (
            name in desired.releases and has_same_files(packaged, name, found.manifest, tools.registry, folder)
        ):
            return published_artifact(name, found, tools.registry), name
    annotations = {
        **request.annotations,
        RELEASE_VERSION: desired.image_version,
        RELEASE_RESOLVED_VERSION: desired.version,
        RELEASE_IMAGE: f"{desired.images[0].repository}@{looked.image.digest}",
    }
    return chart_artifact(packaged, annotations, folder), None


def _backwards(request: Request, looked: Looked, tools: Tools) -> str | None:
    asked = any((key.lower(), value.strip().lower()) == BACKWARDS_TRAILER for key, value in request.checkout.trailers)
    if not asked:
        return None
    found = looked.observed[looked.desired.charts[0]]
    revision = found.revision if isinstance(found, Published) else None
    if revision is None or not is_ancestor(request.checkout, revision, tools.run, tools.children):
        return None
    return f"the commit says Stable-Move: backwards, and follows {revision[:12]}"


def _has_platform(name: Name, image: Published, missing: Sequence[str]) -> bool:
    platforms = [child for child in image.manifest.children if is_platform(child.platform)]
    return any(f"{name.repository}@{child.digest}" not in missing for child in platforms)


def _former_flaws(name: Name, image: Published, missing: Sequence[str], tools: Tools) -> tuple[str, ...]:
    """The known flaws of images published by the former job, as warnings."""
    flaws = [f"{name}: {gone} does not answer" for gone in missing]
    if not image.manifest.is_index:
        return (*flaws, f"{name} is for one platform only, {', '.join(map(str, image.platforms))}")
    for child in image.manifest.children:
        manifest = tools.registry.manifest(name.repository, child.digest)
        if manifest is None or child.platform is None or manifest.is_index:
            continue
        try:
            stated = str(platform_of(json.loads(tools.registry.read_blob(name.repository, manifest.blobs[0]))))
        except ValueError as error:
            stated = f"nothing that can be read ({error})"
        if stated != str(child.platform):
            flaws.append(f"{name}: the config of {child.platform} says {stated}")
    return tuple(flaws)
