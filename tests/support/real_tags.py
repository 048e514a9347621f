"""The real release tags, each taken through the program's own stages, and what section after section finds in them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from runner.builders.go import GoBuilder
from runner.chart.facts import chart_files
from runner.chart.packaging import package_chart
from runner.config.settings import Options
from runner.errors import ReleaseError
from runner.pointers import find_pointers
from runner.report.console import Outlet, open_log
from runner.report.record import Record
from runner.run import release
from runner.run.clusters import clusters_of
from runner.run.inputs import read_inputs
from runner.run.services import select_services
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children
from runner.runtime.workspace import open_workspace
from runner.session import Session, open_helm
from testbed.git import git
from testbed.origin import Origin, clone_refs, push_environment
from testbed.paths import ROOT
from testbed.release_harness import go_environment
from tests.support.bundles import open_bundle

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from runner.oci.name import Name
    from runner.run.inputs import Inputs
    from runner.run.release import Desired
    from runner.run.selection import Selected

CONFIG = ROOT / "config" / "jobs.yaml"


@dataclass(frozen=True)
class MovedClone:
    """A clone as Prow makes it, moved from tag to tag."""

    origin: Origin
    workspace: Path
    folder: Path

    @cached_property
    def tags(self) -> Mapping[str, str]:
        """All release tags, each with the object that a push of it names."""
        lines = self.origin.git("for-each-ref", "refs/tags", "--format=%(refname:strip=2) %(objectname)").split("\n")
        return dict(line.split() for line in lines)

    def check_out(self, tag: str) -> None:
        """Leave the clone as a push of this tag does: on a local branch of the tag's name."""
        git(self.folder, "checkout", "--quiet", "--force", self.tags[tag])
        git(self.folder, "branch", "--force", tag, self.tags[tag])
        git(self.folder, "checkout", "--quiet", "--force", tag, "--")


@dataclass(frozen=True)
class Planned:
    """What the stages made of a tag."""

    session: Session
    inputs: Inputs
    selected: Selected
    files: Mapping[str, bytes | None]
    desired: Desired


def clone_of(service: str, folder: Path) -> MovedClone:
    origin = open_bundle(service, folder / "origin")
    newest = origin.git("tag", "--sort=-version:refname").split("\n")[0]
    workspace = folder / "workspace"
    return MovedClone(origin, workspace, clone_refs(workspace, origin, newest, origin.resolve(f"refs/tags/{newest}")))


def describe(clone: MovedClone, tag: str, folder: Path) -> Planned:
    """Take a push of a tag through event, configuration, clone, route, selection and description."""
    clone.check_out(tag)
    environment = {**go_environment(), **push_environment(clone.origin, tag, clone.tags[tag])}
    lifetime = Lifetime(60)
    session = Session(
        environment=environment,
        lifetime=lifetime,
        run=Children(lifetime).run,
        record=Record(lambda _: None),
        log=open_log(Outlet(io.StringIO()), None),
        folder=folder,
        artifacts=None,
    )
    inputs = read_inputs(Options(config=CONFIG, workspace=clone.workspace), session)
    [selected] = select_services(inputs, session)
    files = inputs.clone.files(chart_files(selected.service.chart_folder))
    assert session.record.document.warnings == ()
    return Planned(session, inputs, selected, files, release.describe(inputs, selected, files))


@dataclass(frozen=True)
class Checked:
    """What the checks of a tag's content said, and which names its version has under every accepted scheme."""

    tag: str
    commit: str
    own: tuple[Name, ...]
    others: tuple[Name, ...]
    hits: tuple[str, ...]


def check_content(clone: MovedClone, tag: str, folder: Path, helm: Path) -> Checked:
    """Export a tag and hold it to every check of its content: pointers, definitions, what is held and installable."""
    hits: list[str] = []
    with open_workspace({"TMPDIR": str(folder)}) as work:
        planned = describe(clone, tag, work)
        inputs, desired, session = planned.inputs, planned.desired, planned.session
        source = inputs.clone.export(work / "source")
        hits += [f"pointer: {one.below('.')}" for one in find_pointers(source)]
        builder = GoBuilder("go", session.run, inputs.clone.environment, pause=lambda *_: None)
        (work / "chart").mkdir()
        clusters = clusters_of(inputs, planned.selected.service, source)
        try:
            tool = open_helm(session, str(helm), inputs.clone.environment)
            chart = package_chart(source, desired.facts, desired.image_name, tool, work / "chart", clusters=clusters)
            hits += [f"chart: {text}" for text in chart.warnings if not text.startswith("helm lint: ")]
        except ReleaseError as error:
            hits.append(f"chart: {error.code}: {error.cause}")
        try:
            builder.inspect(source, planned.selected.service.main_folder, inputs.config.platforms)
        except ReleaseError as error:
            hits.append(f"program: {error.code}: {error.cause}")
    own = tuple(name for artifact in desired.artifacts for name in artifact.names)
    return Checked(tag, inputs.identity.revision, own, tuple(desired.others), tuple(hits))


def taken_twice(checked: Iterable[Checked]) -> tuple[str, ...]:
    """Versions that two commits have, under one scheme of names or under two."""
    all_of = tuple(checked)
    holder = {name: one for one in all_of for name in one.own}
    return tuple(
        f"version: {name} of {holder[name].tag} is a name of {one.tag}, too"
        for one in all_of
        for name in (*one.own, *one.others)
        if name in holder and holder[name].commit != one.commit
    )


def told(service: str, checked: Iterable[Checked]) -> tuple[str, tuple[str, ...]]:
    """The count in words, and each hit with its tag."""
    all_of = tuple(checked)
    hits = (*(f"{one.tag}: {hit}" for one in all_of for hit in one.hits), *taken_twice(all_of))
    return f"{service}: {len(all_of)} real tags checked, {len(hits)} hits", hits
