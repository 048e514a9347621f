"""A move of the stable chart of one service: chart only, nothing built, and only behind an image that answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.annotations import RELEASE_IMAGE, RELEASE_RESOLVED_VERSION, RELEASE_VERSION
from runner.chart.checks import check_stable, image_version_of
from runner.chart.facts import ChartFacts, chart_files, read_chart_facts
from runner.chart.manifest import chart_artifact
from runner.chart.packaging import has_same_files, package_chart
from runner.chart.references import reference_warnings
from runner.errors import StableImageAbsent, TagChanged
from runner.published.former import flaws, has_platform
from runner.published.history import history_names
from runner.published.observed import (
    ABSENT,
    Observation,
    Published,
    PublishedChart,
    PublishedImage,
    observe,
    observe_name,
    unanswered,
)
from runner.published.parts import with_gone
from runner.run.clusters import clusters_of
from runner.run.plan.model import DesiredArtifact, Kind, Plan, for_folder
from runner.run.plan.stable import (
    Candidate,
    Position,
    named_commit,
    plan_stable,
    plan_stable_unchanged,
    position_of,
)
from runner.run.publish.copy import published_artifact
from runner.run.reporting import note, warn
from runner.source.route import StablePath
from runner.versions import release_tag, semantic_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from runner.chart.archive import PackagedChart
    from runner.config.load import Service
    from runner.config.naming import Scheme
    from runner.oci.artifact import Artifact
    from runner.oci.name import Name
    from runner.run.inputs import Inputs
    from runner.run.prerequisites import Prerequisites
    from runner.run.selection import Selected
    from runner.run.tools import Tools

BACKWARDS_TRAILER = ("stable-move", "backwards")


@dataclass(frozen=True)
class Desired:
    """What this service's stable chart should be: from the chart's files, the naming and the merged tags.

    ``image_name`` is the image that the chart deploys, in the registry that is written to; ``chart`` has the moving
    names; ``releases`` are the names of the image version's own chart.
    """

    inputs: Inputs
    service: Service
    version: str
    image_version: str
    scheme: Scheme
    facts: ChartFacts
    image_name: Name
    chart: DesiredArtifact
    releases: tuple[Name, ...]
    warnings: tuple[str, ...]

    def observe(self, tools: Tools) -> Observed:
        """Read the image, the moving names with the newest history of each, and the image version's own chart.

        Raises:
            StableImageAbsent: the image does not answer; nothing may move to a chart that cannot be run.
        """
        if self.inputs.settings.to_layout is not None:
            observed = observe((self.image_name,), tools.registry)
            observed |= dict.fromkeys((*self.chart.names, *self.releases), ABSENT)
            histories: dict[Name, Sequence[Name]] = {}
        else:
            histories = {name: history_names(name, tools.registry.tags(name.repository)) for name in self.chart.names}
            newest = [history[-1] for history in histories.values() if history]
            observed = observe((self.image_name, *self.chart.names, *self.releases, *newest), tools.registry)
        observed = with_gone(observed, self._ours(observed), tools.registry)
        image = self._check_image(observed[self.image_name], tools)
        unchanged = plan_stable_unchanged(self.service.name, self.chart, observed)
        return Observed(self, observed, histories, image, unchanged)

    def _ours(self, observed: Mapping[Name, Observation]) -> tuple[Name, ...]:
        """The names of which everything must be there: the image's, and those that the chart may be copied from."""
        found = {name: observed[name] for name in (self.image_name, *self.releases)}
        stated = (name for name, one in found.items() if isinstance(one, Published) and one.revision)
        return (*stated, *self.chart.to_look_at(observed))

    def _check_image(self, found: Observation, tools: Tools) -> PublishedImage:
        name = self.image_name
        if not isinstance(found, PublishedImage):
            there = "holds a chart" if isinstance(found, PublishedChart) else "is not in the registry"
            raise StableImageAbsent(f"{name} {there}, and {self.facts.says('image_tag')}")
        tag = release_tag(self.image_version)
        remedy = f"Rerun the job of the tag {tag}, which restores what is gone, then rerun this one."
        missing = unanswered(name, found.manifest, tools.registry)
        if missing and (found.revision is not None or not has_platform(name, found, missing)):
            raise StableImageAbsent(
                f"{name} is there, but {missing[0]} does not answer",
                remedy=remedy if found.revision else None,
                detail=missing,
            )
        if found.gone:
            raise StableImageAbsent(
                f"{name} is there, but {found.gone[0]} of it is gone", remedy=remedy, detail=tuple(map(str, found.gone))
            )
        warn(tools, self.service.name, *flaws(name, found, missing, tools.registry))
        return found


@dataclass(frozen=True)
class Observed:
    """What was found. ``plan`` is None when the chart must be packaged before anything can be decided."""

    desired: Desired
    observed: Mapping[Name, Observation]
    histories: Mapping[Name, Sequence[Name]]
    image: PublishedImage
    plan: Plan | None

    @property
    def service(self) -> Service:
        """Whose stable chart it is."""
        return self.desired.service

    @property
    def builds(self) -> bool:
        """Whether anything is to be compiled: never."""
        return False

    def package(self, prerequisites: Prerequisites, tools: Tools) -> Packaged:
        """Package the chart, take the image version's own chart where it is the same, and plan the move.

        Raises:
            ChartUnusable, ChartDisagrees, CrdsDiffer: the chart may not be published.
        """
        desired, inputs = self.desired, self.desired.inputs
        folder = tools.service_folder(self.service.name) / "chart"
        folder.mkdir(parents=True)
        # A chart of an older image comes with that image's definitions, which this commit does not have beside it.
        newest = desired.image_version == desired.version
        clusters = clusters_of(inputs, self.service, prerequisites.source, with_crds=newest)
        packaged = package_chart(
            prerequisites.source, desired.facts, desired.image_name, tools.helm, folder, clusters=clusters
        )
        warn(tools, self.service.name, *packaged.warnings)
        note(tools, self.service.name, *packaged.notes)
        moves = inputs.settings.to_layout is None
        holder = self._holder(packaged, tools)
        chart = self._copy(holder, tools) if holder is not None else self._made(packaged, tools)
        candidate = Candidate(
            digest=chart.root.digest,
            revision=named_commit(chart.root) or inputs.identity.revision,
            position=Position(
                semantic_version(desired.image_version), semantic_version(desired.version), inputs.created
            ),
            holder=holder,
            backwards=self._backwards() if self._asks_backwards else {},
            asked_backwards=self._asks_backwards,
        )
        plan = plan_stable(
            self.service.name,
            names=desired.chart.names,
            candidate=candidate,
            observed=self.observed,
            histories=self.histories,
            now=tools.now() if moves else None,
        )
        plan = plan if moves else for_folder(plan)
        return Packaged(desired, self.observed, plan, chart, candidate.position, self.histories)

    def _holder(self, packaged: PackagedChart, tools: Tools) -> Name | None:
        """The name that holds this chart already: a moving one, or one of the image version's own chart."""
        desired = self.desired
        for name in desired.chart.names:
            found = self.observed[name]
            if isinstance(found, Published) and not found.gone and desired.chart.differs_from(found) is None:
                return name
        folder = tools.service_folder(self.service.name) / "chart"
        for name in desired.releases:
            found = self.observed[name]
            if not isinstance(found, Published) or found.gone:
                continue
            if has_same_files(packaged, name, found.manifest, tools.registry, folder):
                return name
        return None

    def _copy(self, holder: Name, tools: Tools) -> Artifact:
        found = self.observed[holder]
        if not isinstance(found, Published):
            raise ValueError(f"{holder} is to be copied and holds nothing")
        return published_artifact(holder, found, tools.registry)

    def _made(self, packaged: PackagedChart, tools: Tools) -> Artifact:
        desired = self.desired
        annotations = {
            **desired.inputs.annotations,
            RELEASE_VERSION: desired.image_version,
            RELEASE_RESOLVED_VERSION: desired.version,
            RELEASE_IMAGE: f"{desired.image_name.repository}@{self.image.digest}",
        }
        return chart_artifact(packaged, annotations, tools.service_folder(self.service.name) / "chart")

    @property
    def _asks_backwards(self) -> bool:
        trailers = self.desired.inputs.clone.head.trailers
        return any((key.lower(), value.strip().lower()) == BACKWARDS_TRAILER for key, value in trailers)

    def _backwards(self) -> Mapping[Name, str]:
        """The names for which a move to something older is allowed, and why: the commit follows that of their chart."""
        clone = self.desired.inputs.clone
        found = {name: self.observed[name] for name in self.desired.chart.names}
        revisions = {name: one.revision for name, one in found.items() if isinstance(one, Published) and one.revision}
        return {
            name: f"the commit says Stable-Move: backwards, and follows {revision[:12]}"
            for name, revision in revisions.items()
            if clone.contains(revision)
        }


@dataclass(frozen=True)
class Packaged:
    """The final plan, and the chart that the moving names are to hold; ``histories`` are those that were observed."""

    desired: Desired
    observed: Mapping[Name, Observation]
    plan: Plan
    chart: Artifact
    position: Position
    histories: Mapping[Name, Sequence[Name]]

    @property
    def service(self) -> Service:
        """Whose stable chart it is."""
        return self.desired.service

    @property
    def unmet(self) -> None:
        """What keeps this service from being built: nothing is."""
        return None

    def publish(self, tools: Tools) -> Plan:
        """Write each history name, then the moving name it belongs to.

        Raises:
            RegistryFailed, RegistryAnswerWrong, CredentialsRefused, TagChanged: a write did not come to its end.
        """
        with tools.record.step("publish chart", self.service.name):
            publications = self.plan.to_publish(Kind.CHART)
            names = [(one.name, self.observed.get(one.name, ABSENT)) for one in publications]
            tools.destination.publish(self.chart, names)
            for one in publications:
                if one.restores:
                    tools.record.restored(str(one.name))
            for name in self.histories:
                self._refuse_newer(name, {one.name for one in publications}, tools)
        return self.plan

    def _refuse_newer(self, name: Name, ours: AbstractSet[Name], tools: Tools) -> None:
        """Look for a move to something newer at the same time, of which this one may have been written on top.

        A move's history is written before the move, so it is there whichever of the two was last. What was there when
        this run planned counts where it is of a move that had begun and not ended.
        """
        *ended, newest = self.histories[name] or (name,)
        before, begun = self.observed[name], self.observed.get(newest, ABSENT)
        unfinished = isinstance(begun, Published) and not (
            isinstance(before, Published) and before.digest == begun.digest
        )
        known = {*ended, *ours} if unfinished else {*ended, newest, *ours}
        for history in history_names(name, tools.registry.tags(name.repository)):
            found = ABSENT if history in known else observe_name(history, tools.registry)
            there = position_of(found) if isinstance(found, Published) else None
            if there is not None and self.position < there:
                raise TagChanged(
                    f"{name} was moved to {self.position} while another run moved it to {there}, which is newer"
                    f" ({history})",
                    remedy="Rerun the job of the newest push to stable: it compares again, and moves stable forwards.",
                )


def describe(inputs: Inputs, selected: Selected, files: Mapping[str, bytes | None]) -> Desired:
    """Derive the names of a stable chart from the chart on the branch and the naming. Pure.

    Args:
        inputs: what is asked for; its route is that of stable.
        selected: the service.
        files: the chart's files at HEAD (``chart_files``), None for those that are not there.

    Raises:
        ChartMissing, ChartDisagrees, StableDisagrees: the chart may not become stable.
    """
    route, settings, service = inputs.route, inputs.settings, selected.service
    if not isinstance(route, StablePath):
        raise TypeError(f"{route} is not the stable path")
    chart_yaml, values_yaml, notes, kustomization = (files[path] for path in chart_files(service.chart_folder))
    facts = read_chart_facts(service.chart_folder, chart_yaml, values_yaml)
    scheme, image_version = image_version_of(service.naming, settings.production, service.name, facts)
    check_stable(
        facts,
        service.name,
        inputs.config.chart_names,
        major=route.major,
        resolved_version=route.version,
        image_version=image_version,
    )
    image_name = settings.image_for(scheme.image_names(settings.registry, service.name, image_version)[0])
    names = scheme.stable_names(settings.registry, service.name, route.major)
    return Desired(
        inputs=inputs,
        service=service,
        version=route.version,
        image_version=image_version,
        scheme=scheme,
        facts=facts,
        image_name=image_name,
        chart=DesiredArtifact(Kind.CHART, names, inputs.identity.of_chart(image_name)),
        releases=scheme.chart_names(settings.registry, service.name, image_version),
        warnings=reference_warnings(facts, settings.production, notes, kustomization),
    )
