"""A release vX.Y.Z of one service, stage by stage: desired, observed, packaged, published."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from runner.annotations import RELEASE_IMAGE, RELEASE_VERSION
from runner.builders.builder import BuildRequest
from runner.chart.checks import check_release, choose_scheme
from runner.chart.facts import ChartFacts, chart_files, read_chart_facts
from runner.chart.manifest import chart_artifact
from runner.chart.packaging import has_same_files, package_chart
from runner.chart.references import alias_warnings, reference_warnings
from runner.config.naming import Scheme
from runner.errors import AlreadyPublished, RegistryAnswerWrong, ReleaseError
from runner.published.former import has_platform, inspect_image
from runner.published.observed import ABSENT, Observation, Published, PublishedChart, observe
from runner.published.parts import with_gone
from runner.run.clusters import clusters_of
from runner.run.plan.changed import check_restored
from runner.run.plan.model import DesiredArtifact, Kind, Plan, for_folder
from runner.run.plan.release import (
    NOTHING_COMPARED,
    NOTHING_INSPECTED,
    adopted_before,
    plan_release,
    without_commit,
)
from runner.run.publish.copy import published_artifact
from runner.run.reporting import note, warn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from runner.chart.archive import PackagedChart
    from runner.config.load import Service
    from runner.oci.artifact import Artifact
    from runner.oci.manifest import Manifest
    from runner.oci.name import Name
    from runner.published.former import Adoption
    from runner.report.record import StepName
    from runner.run.inputs import Inputs
    from runner.run.prerequisites import Prerequisites
    from runner.run.selection import Selected
    from runner.run.tools import Tools


@dataclass(frozen=True)
class Desired:
    """What this service's release should be: from the chart's files and the naming.

    ``others`` are the names that further accepted schemes would give this version, each with its scheme.
    """

    inputs: Inputs
    service: Service
    version: str
    scheme: Scheme
    facts: ChartFacts
    image: DesiredArtifact
    chart: DesiredArtifact
    warnings: tuple[str, ...]
    others: Mapping[Name, str] = field(default_factory=dict)

    @property
    def artifacts(self) -> tuple[DesiredArtifact, ...]:
        """All that is published, in the order in which it is: the chart is last."""
        return self.image, self.chart

    @property
    def image_name(self) -> Name:
        """The image that the chart deploys, as the registry that is written to has it."""
        return self.image.names[0]

    def observe(self, tools: Tools) -> Observed:
        """Read every name and plan; with a layout folder as the destination nothing is read and all is built."""
        names = [name for artifact in self.artifacts for name in artifact.names]
        if self.inputs.settings.to_layout is not None:
            observed: dict[Name, Observation] = dict.fromkeys((*names, *self.others), ABSENT)
            return Observed(self, observed, for_folder(self.plan(observed)))
        found = observe((*names, *self.others), tools.registry)
        ours = [name for artifact in self.artifacts for name in artifact.to_look_at(found)]
        observed = with_gone(found, ours, tools.registry)
        adoptions = self._inspect(observed, tools)
        plan = None if _without_revision(self, observed) else self.plan(observed, adoptions=adoptions)
        return Observed(self, observed, plan, adoptions)

    def _inspect(self, observed: Mapping[Name, Observation], tools: Tools) -> Mapping[Name, Adoption]:
        """Look into the images that are to be adopted, each once, however many names it has."""
        if not self._adopts:
            return NOTHING_INSPECTED
        found: dict[str, Adoption] = {}
        images = without_commit(self.image, observed, adopted_before(self.artifacts, observed))
        for name, image in images.items():
            if image.digest not in found:
                found[image.digest] = inspect_image(name, image, self.inputs.identity.revision, tools.registry)
        return {name: found[image.digest] for name, image in images.items()}

    def plan(
        self,
        observed: Mapping[Name, Observation],
        same_files: Mapping[Name, bool] = NOTHING_COMPARED,
        adoptions: Mapping[Name, Adoption] = NOTHING_INSPECTED,
    ) -> Plan:
        """Decide what is to be done; see ``plan_release``."""
        return plan_release(
            self.service.name,
            self.artifacts,
            platforms=self.inputs.config.platforms,
            observed=observed,
            same_files=same_files,
            adoptions=adoptions,
            others=self.others,
            adopts=self._adopts,
        )

    @property
    def _adopts(self) -> bool:
        return self.inputs.settings.adopts(self.service.name, self.version)


@dataclass(frozen=True)
class Observed:
    """What was found. ``plan`` is None when only the packaged chart can tell whether a published one is the same.

    ``adoptions`` says of images without a commit what was found in them, where they may be adopted.
    """

    desired: Desired
    observed: Mapping[Name, Observation]
    plan: Plan | None
    adoptions: Mapping[Name, Adoption] = field(default_factory=lambda: NOTHING_INSPECTED)

    @property
    def service(self) -> Service:
        """Whose release it is."""
        return self.desired.service

    @property
    def builds(self) -> bool:
        """Whether anything is to be compiled: no name holds the image, or a part of it is nowhere."""
        return self.desired.image.is_nowhere(self.observed)

    def package(self, prerequisites: Prerequisites, tools: Tools) -> Packaged:
        """Lint, render and package the chart, check for what would make the build fail, and finish the plan.

        Raises:
            ChartUnusable, ChartDisagrees, CrdsDiffer: the chart may not be published.
        """
        desired, service = self.desired, self.service
        folder = tools.service_folder(service.name) / "chart"
        folder.mkdir(parents=True)
        clusters = clusters_of(desired.inputs, service, prerequisites.source)
        chart = package_chart(
            prerequisites.source, desired.facts, desired.image_name, tools.helm, folder, clusters=clusters
        )
        warn(tools, service.name, *chart.warnings)
        note(tools, service.name, *chart.notes)
        same_files = {
            name: has_same_files(chart, name, found.manifest, tools.registry, folder)
            for name, found in _without_revision(desired, self.observed).items()
        }
        plan = self.plan or desired.plan(self.observed, same_files, self.adoptions)
        return Packaged(desired, self.observed, plan, chart, prerequisites, self._unbuildable(prerequisites, tools))

    def _unbuildable(self, prerequisites: Prerequisites, tools: Tools) -> ReleaseError | None:
        """What would make the build fail, which is seen without compiling; None when nothing does."""
        if not self.builds:
            return None
        try:
            tools.builder.inspect(prerequisites.source, self.service.main_folder, self.desired.inputs.config.platforms)
        except ReleaseError as error:
            return error
        return None


@dataclass(frozen=True)
class Packaged:
    """Everything that can be checked without building; the plan is final.

    ``unbuildable`` is why the image cannot be built, as far as that is seen without compiling.
    """

    desired: Desired
    observed: Mapping[Name, Observation]
    plan: Plan
    chart: PackagedChart
    prerequisites: Prerequisites
    unbuildable: ReleaseError | None = None

    @property
    def service(self) -> Service:
        """Whose release it is."""
        return self.desired.service

    @property
    def unmet(self) -> tuple[StepName, ReleaseError] | None:
        """What keeps this service, which is to be compiled, from being built, and in which step; None where nothing."""
        base = self.prerequisites.base
        if self._builds and isinstance(base, ReleaseError):
            # Each service has an error of its own: the record takes one and the same only once.
            return "base image", copy(base)
        return ("build", self.unbuildable) if self._builds and self.unbuildable is not None else None

    def publish(self, tools: Tools) -> Plan:
        """Publish the image, then the chart, and return the plan with every digest filled in.

        Raises:
            BuildFailed, GoTooOld, BinaryWrong: the image cannot be built; nothing was written.
            RegistryFailed, RegistryAnswerWrong, CredentialsRefused, TagChanged: a write did not come to its end.
        """
        service, record = self.service.name, tools.record
        built = None
        if self._builds:
            with record.step("build", service):
                built = self._build(tools)
        with record.step("publish image", service) as step:
            sent = self._publish(self.desired.image, lambda: built, tools)
            if sent is None:
                step.skip("already published")
            image = sent or self._there(self.desired.image)
        with record.step("publish chart", service) as step:
            chart = None
            if self.plan.to_publish(Kind.CHART):
                self._hold_back(image, tools)
                chart = self._publish(self.desired.chart, partial(self._chart, image, tools), tools)
            if chart is None:
                step.skip("already published")
            self._warn_of_other_image(image, tools)
        digests = {Kind.IMAGE: image.digest} | ({} if chart is None else {Kind.CHART: chart.digest})
        return self.plan.with_digests(digests)

    @property
    def _builds(self) -> bool:
        return any(publication.copy_of is None for publication in self.plan.to_publish(Kind.IMAGE))

    @property
    def _published_chart(self) -> PublishedChart | None:
        found = self.desired.chart.published(self.observed)
        return found if isinstance(found, PublishedChart) else None

    def _build(self, tools: Tools) -> Artifact:
        inputs, desired, base = self.desired.inputs, self.desired, self.prerequisites.base
        if base is None or isinstance(base, ReleaseError):
            raise ValueError("a plan that builds comes with a base image")
        platforms = ",".join(map(str, inputs.config.platforms))
        tools.log.info("building", service=self.service.name, builder=tools.builder.name, platforms=platforms)
        built = tools.builder.build(
            BuildRequest(
                service=self.service.name,
                source=self.prerequisites.source,
                main=self.service.main_folder,
                version=desired.scheme.version_text(desired.version),
                revision=inputs.clone.head.commit,
                created=inputs.created,
                source_url=inputs.event.source,
                platforms=inputs.config.platforms,
                base=base,
                folder=self._folder("image", tools),
            )
        )
        warn(tools, self.service.name, *built.warnings)
        return built.artifact

    def _chart(self, image: Manifest, tools: Tools) -> Artifact:
        desired = self.desired
        annotations = {
            **desired.inputs.annotations,
            RELEASE_VERSION: desired.version,
            RELEASE_IMAGE: f"{desired.image_name.repository}@{image.digest}",
        }
        return chart_artifact(self.chart, annotations, self._folder("chart", tools))

    def _publish(self, desired: DesiredArtifact, make: Callable[[], Artifact | None], tools: Tools) -> Manifest | None:
        """Let every name that is to hold an artifact hold all of it.

        What one of the names holds already is copied from there, so that all hold the same; else it is made.

        Returns:
            The manifest of the first name that holds the artifact now; None where no name is to be published.

        Raises:
            ReleaseNotRestorable: what is made is not that of which a part is gone; nothing is written then.
        """
        publications = self.plan.to_publish(desired.kind)
        if not publications:
            return None
        sources = {one.copy_of: self._source(one.copy_of, desired, make, tools) for one in publications}
        for one in publications:
            found = self.observed[one.name]
            if one.restores and isinstance(found, Published):
                check_restored(one.name, found, sources[one.copy_of].root)
        for copy_of, artifact in sources.items():
            theirs = [one for one in publications if one.copy_of == copy_of]
            tools.destination.publish(artifact, [(one.name, self.observed[one.name]) for one in theirs])
            for one in theirs:
                if one.restores:
                    tools.record.restored(str(one.name))
        first = self.observed[desired.names[0]]
        return first.manifest if isinstance(first, Published) else sources[publications[0].copy_of].root

    def _source(
        self, copy_of: Name | None, desired: DesiredArtifact, make: Callable[[], Artifact | None], tools: Tools
    ) -> Artifact:
        found = None if copy_of is None else self.observed[copy_of]
        if copy_of is not None and isinstance(found, Published):
            return published_artifact(copy_of, found, tools.registry)
        artifact = make()
        if artifact is None:
            raise ValueError(f"the {desired.kind} is neither made nor copied, so it cannot be published")
        return artifact

    def _there(self, desired: DesiredArtifact) -> Manifest:
        found = desired.published(self.observed)
        if found is None:
            raise ValueError(f"none of {', '.join(map(str, desired.names))} is published")
        return found.manifest

    def _hold_back(self, image: Manifest, tools: Tools) -> None:
        """Let the chart out only when the image that it names, and the one it was released with, answer by digest."""
        name, found = self.desired.image_name, self.desired.image.published(self.observed)
        missing = tools.destination.missing(name, image)
        adopted = found is not None and not found.revision and has_platform(name, found, missing)
        if missing and not adopted:
            raise RegistryAnswerWrong(
                f"the chart is held back: its image cannot be read as {missing[0]}", detail=missing
            )
        chart = self._published_chart
        digest = None if chart is None else chart.image_digest
        if digest in {None, image.digest}:
            return
        if tools.registry.manifest(name.repository, str(digest)) is None:
            raise AlreadyPublished(
                f"the chart of {self.desired.version} gets no further tag: it was released with the image {digest},"
                f" which is gone; today's build is {image.digest}"
            )

    def _warn_of_other_image(self, image: Manifest, tools: Tools) -> None:
        chart = self._published_chart
        if chart is not None and chart.image_digest not in {None, image.digest}:
            warn(
                tools,
                self.service.name,
                f"the chart was released with image {chart.image_digest}; the image published now is {image.digest}",
            )

    def _folder(self, name: str, tools: Tools) -> Path:
        return tools.service_folder(self.service.name) / name


def describe(inputs: Inputs, selected: Selected, files: Mapping[str, bytes | None]) -> Desired:
    """Derive the names of a release from the chart and the naming. Pure.

    Args:
        inputs: what is asked for.
        selected: the service, and in which version.
        files: the chart's files at HEAD (``chart_files``), None for those that are not there.

    Raises:
        ChartMissing, ChartDisagrees: the chart is not that of this release.
    """
    service, version, settings = selected.service, selected.version, inputs.settings
    chart_yaml, values_yaml, notes, kustomization = (files[path] for path in chart_files(service.chart_folder))
    facts = read_chart_facts(service.chart_folder, chart_yaml, values_yaml)
    check_release(facts, service.name, version, inputs.config.chart_names)
    scheme = choose_scheme(service.naming, settings.production, service.name, version, facts)
    images = scheme.image_names(settings.registry, service.name, version)
    images = (settings.image_for(images[0]), *images[1:])
    charts = scheme.chart_names(settings.registry, service.name, version)
    images_of, charts_of = (
        {
            name: other.label
            for other in service.naming
            for name in names(other, settings.registry, service.name, version)
        }
        for names in (Scheme.image_names, Scheme.chart_names)
    )
    own = {*images, *charts}
    others = {name: label for name, label in {**images_of, **charts_of}.items() if name not in own}
    return Desired(
        inputs=inputs,
        service=service,
        version=version,
        scheme=scheme,
        facts=facts,
        image=DesiredArtifact(Kind.IMAGE, images, inputs.identity),
        chart=DesiredArtifact(Kind.CHART, charts, inputs.identity.of_chart(images[0])),
        warnings=(
            *reference_warnings(facts, settings.production, notes, kustomization),
            *alias_warnings(facts, charts),
        ),
        others=others,
    )


def _without_revision(desired: Desired, observed: Mapping[Name, Observation]) -> dict[Name, PublishedChart]:
    """The published charts that do not say which commit they are of."""
    return {
        name: found
        for name in desired.chart.names
        if isinstance(found := observed[name], PublishedChart) and not found.revision
    }
