"""The release path of one service: look at the registry, prepare the chart, build and publish image and chart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runner.annotations import RELEASE_IMAGE, RELEASE_VERSION
from runner.builders.builder import BuildRequest
from runner.chart.facts import (
    ChartFacts,
    alias_warnings,
    chart_files,
    check_release,
    choose_scheme,
    read_chart_facts,
    reference_warnings,
)
from runner.chart.manifest import chart_artifact
from runner.chart.packaging import has_same_files, package_chart
from runner.errors import AlreadyPublished, RegistryAnswerWrong
from runner.published.observed import ABSENT, Observation, Published, observe
from runner.run.plan.model import Action, Kind, Plan, for_folder
from runner.run.plan.release import plan_release
from runner.run.publish import published_artifact
from runner.run.reporting import warn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.builders.base import Base
    from runner.chart.archive import PackagedChart
    from runner.config.load import Service
    from runner.config.naming import Scheme
    from runner.oci.artifact import Artifact
    from runner.oci.manifest import Manifest
    from runner.oci.name import Name
    from runner.run.request import Chosen, Request
    from runner.run.tools import Tools


@dataclass(frozen=True)
class Desired:
    """What this service's release should look like: pure, from the chart's files and the naming."""

    service: Service
    version: str
    scheme: Scheme
    facts: ChartFacts
    images: tuple[Name, ...]
    charts: tuple[Name, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Looked:
    """What was found. ``plan`` is None when only the packaged chart can tell whether a published one is the same."""

    desired: Desired
    observed: Mapping[Name, Observation]
    plan: Plan | None

    @property
    def builds(self) -> bool:
        """Whether anything is to be compiled: no name holds the image."""
        return not any(isinstance(self.observed[name], Published) for name in self.desired.images)


@dataclass(frozen=True)
class Prepared:
    """Everything that can be checked without building; the plan is final."""

    desired: Desired
    observed: Mapping[Name, Observation]
    plan: Plan
    chart: PackagedChart


def describe(request: Request, chosen: Chosen, files: Mapping[str, bytes | None]) -> Desired:
    """Derive names from the chart and the naming.

    Raises:
        ChartMissing, ChartDisagrees: the chart is not that of this release.
    """
    service, version = chosen.service, chosen.version
    chart_yaml, values_yaml, notes, kustomization = (files[path] for path in chart_files(service.chart_folder))
    facts = read_chart_facts(service.chart_folder, chart_yaml, values_yaml)
    check_release(facts, service.name, version, request.config.chart_names)
    settings = request.settings
    scheme = choose_scheme(service.naming, settings.production, service.name, version, facts)
    images = scheme.image_names(settings.registry, service.name, version)
    charts = scheme.chart_names(settings.registry, service.name, version)
    return Desired(
        service=service,
        version=version,
        scheme=scheme,
        facts=facts,
        images=(settings.image_for(images[0]), *images[1:]),
        charts=charts,
        warnings=(
            *reference_warnings(facts, settings.production, notes, kustomization),
            *alias_warnings(facts, charts),
        ),
    )


def look(request: Request, desired: Desired, tools: Tools) -> Looked:
    """Read every name and plan; with a layout folder as the destination nothing is read and all is built."""
    names = (*desired.images, *desired.charts)
    if request.settings.to_layout is not None:
        observed: dict[Name, Observation] = dict.fromkeys(names, ABSENT)
        return Looked(desired, observed, for_folder(_plan(request, desired, observed)))
    observed = observe(names, tools.registry)
    unsigned = any(isinstance(found, Published) and not found.revision for found in map(observed.get, desired.charts))
    return Looked(desired, observed, None if unsigned else _plan(request, desired, observed))


def prepare(request: Request, looked: Looked, tools: Tools) -> Prepared:
    """Lint, render and package the chart, and finish the plan.

    Raises:
        ChartUnusable, ChartDisagrees: the chart may not be published.
        BuildFailed, GoTooOld: the image cannot be built, which is seen without compiling.
    """
    desired, observed = looked.desired, dict(looked.observed)
    folder = tools.folder / desired.service.name / "chart"
    folder.mkdir(parents=True)
    chart = package_chart(tools.source, desired.facts, desired.images[0], tools.helm, folder)
    warn(tools, desired.service.name, *chart.warnings)
    if looked.builds:
        tools.builder.inspect(tools.source, desired.service.main_folder)
    for name in desired.charts:
        found = observed[name]
        if isinstance(found, Published) and not found.revision:
            same = has_same_files(chart, name, found.manifest, tools.registry, folder)
            observed[name] = replace(found, same_files=same)
    return Prepared(desired, observed, looked.plan or _plan(request, desired, observed), chart)


def builds(plan: Plan) -> bool:
    """Whether carrying out this plan compiles anything."""
    return any(entry.copy_of is None for entry in plan.to_publish(Kind.IMAGE))


def publish(request: Request, prepared: Prepared, base: Base | None, tools: Tools) -> Plan:
    """Publish the image, then the chart, and return the plan with every digest filled in.

    Raises:
        BuildFailed, GoTooOld, BinaryWrong: the image cannot be built; nothing was written.
        RegistryFailed, RegistryAnswerWrong, CredentialsRefused, TagChanged: a write did not come to its end.
    """
    desired, plan, service = prepared.desired, prepared.plan, prepared.desired.service.name
    artifact = None
    if builds(plan):
        if base is None:
            raise ValueError("a plan that builds comes with a base image")
        with tools.record.step("build", service):
            artifact = _build(request, desired, base, tools)
    with tools.record.step("publish image", service) as step:
        image = _publish_image(prepared, artifact, tools)
        if not plan.to_publish(Kind.IMAGE):
            step.skip("already published")
    with tools.record.step("publish chart", service) as step:
        if plan.to_publish(Kind.CHART):
            chart = _publish_chart(request, prepared, image, tools)
        else:
            chart = None
            step.skip("already published")
        _warn_of_other_image(prepared, image, tools)
    return _with_digests(plan, image.digest, chart)


def _plan(request: Request, desired: Desired, observed: Mapping[Name, Observation]) -> Plan:
    return plan_release(
        desired.service.name,
        identity=request.identity,
        images=desired.images,
        charts=desired.charts,
        platforms=request.config.platforms,
        observed=observed,
    )


def _build(request: Request, desired: Desired, base: Base, tools: Tools) -> Artifact:
    platforms = ",".join(map(str, request.config.platforms))
    tools.log.info("building", service=desired.service.name, builder=tools.builder.name, platforms=platforms)
    built = tools.builder.build(
        BuildRequest(
            service=desired.service.name,
            source=tools.source,
            main=desired.service.main_folder,
            version=desired.scheme.version_text(desired.version),
            revision=request.checkout.commit,
            created=request.created,
            source_url=request.event.source,
            platforms=request.config.platforms,
            base=base,
            folder=tools.folder / desired.service.name / "image",
        )
    )
    warn(tools, desired.service.name, *built.warnings)
    return built.artifact


def _publish_image(prepared: Prepared, artifact: Artifact | None, tools: Tools) -> Manifest:
    entries = prepared.plan.to_publish(Kind.IMAGE)
    if not entries:
        return _found(prepared, prepared.desired.images).manifest
    copied = entries[0].copy_of
    if artifact is None:
        if copied is None:
            raise ValueError("an image that is neither built nor copied cannot be published")
        artifact = published_artifact(copied, _found(prepared, (copied,)), tools.registry)
    tools.destination.publish(artifact, [(entry.name, prepared.observed[entry.name]) for entry in entries])
    return artifact.root


def _publish_chart(request: Request, prepared: Prepared, image: Manifest, tools: Tools) -> str:
    desired = prepared.desired
    _hold_back(prepared, image, tools)
    entries = prepared.plan.to_publish(Kind.CHART)
    copied = entries[0].copy_of
    if copied is not None:
        artifact = published_artifact(copied, _found(prepared, (copied,)), tools.registry)
    else:
        annotations = {
            **request.annotations,
            RELEASE_VERSION: desired.version,
            RELEASE_IMAGE: f"{desired.images[0].repository}@{image.digest}",
        }
        artifact = chart_artifact(prepared.chart, annotations, tools.folder / desired.service.name / "chart")
    tools.destination.publish(artifact, [(entry.name, prepared.observed[entry.name]) for entry in entries])
    return artifact.root.digest


def _hold_back(prepared: Prepared, image: Manifest, tools: Tools) -> None:
    desired = prepared.desired
    missing = tools.destination.missing(desired.images[0], image)
    if missing:
        raise RegistryAnswerWrong(
            f"the chart is held back: the image it names does not answer as {missing[0]}", detail=missing
        )
    chart = _first(prepared, desired.charts)
    digest = None if chart is None else chart.image_digest
    if digest in {None, image.digest}:
        return
    if tools.registry.manifest(desired.images[0].repository, str(digest)) is None:
        raise AlreadyPublished(
            f"no further name is given to the chart of {desired.version}: it was released with the image {digest},"
            f" which is gone; what is built today is {image.digest}"
        )


def _warn_of_other_image(prepared: Prepared, image: Manifest, tools: Tools) -> None:
    chart = _first(prepared, prepared.desired.charts)
    if chart is not None and chart.image_digest not in {None, image.digest}:
        warn(
            tools,
            prepared.desired.service.name,
            f"the chart was released with image {chart.image_digest}; the image published now is {image.digest}",
        )


def _first(prepared: Prepared, names: tuple[Name, ...]) -> Published | None:
    return next((found for name in names if isinstance(found := prepared.observed[name], Published)), None)


def _found(prepared: Prepared, names: tuple[Name, ...]) -> Published:
    found = _first(prepared, names)
    if found is None:
        raise ValueError(f"none of {', '.join(map(str, names))} is published")
    return found


def _with_digests(plan: Plan, image: str, chart: str | None) -> Plan:
    digests = {Kind.IMAGE: image, Kind.CHART: chart}
    return replace(
        plan,
        entries=tuple(
            replace(entry, digest=digests[entry.kind]) if entry.action is Action.PUBLISH else entry
            for entry in plan.entries
        ),
    )
