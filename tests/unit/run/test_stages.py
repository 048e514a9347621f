"""The stages of a run for several services: each one's failure is its own, and who has nothing to do leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runner.config.settings import Options
from runner.errors import (
    BaseImageUnusable,
    BuildFailed,
    ChartUnusable,
    RegistryFailed,
    TagChanged,
    ToolUnusable,
    UsageInvalid,
)
from runner.run import stages
from runner.run.services import select_services
from testbed.base_images import base_layout, push
from testbed.memory.calls import Call, raising
from testbed.memory.clone import MemoryClone
from tests.support.stages import RELEASED, SCHEMES, Asked, World, copy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from runner.run.prerequisites import Prerequisites
    from runner.run.stages import AnyDesired, AnyObserved, AnyPackaged
    from testbed.memory.registry import MemoryRegistry

THREE = {"ecr": "1.2.3", "s3": "1.2.3", "sns": "1.2.3"}
STAGING = "127.0.0.1:5000/staging"
NAMES = SCHEMES["seed"]
OF_S3 = "services/s3/helm"


def describe(world: World) -> tuple[AnyDesired, ...]:
    selected = select_services(world.inputs, world.session)
    return stages.describe(world.inputs, selected, world.tools)


def observe(world: World) -> tuple[AnyObserved, ...]:
    return stages.observe(describe(world), world.tools)


def package(world: World, base: BaseImageUnusable | None = None) -> tuple[AnyPackaged, ...]:
    observed = observe(world)
    found: Prerequisites = stages.check(world.inputs, observed, world.tools)
    found = replace(found, base=base or found.base)
    return stages.package(world.inputs, observed, found, world.tools)


def services(found: Sequence[AnyDesired | AnyObserved | AnyPackaged]) -> list[str]:
    """Whose they are."""
    return [one.service.name for one in found]


def failures(world: World) -> dict[str | None, tuple[str, str | None]]:
    """The error and the step of each service that failed."""
    return {error.service: (error.code, error.step) for error in world.record.document.errors}


def released(folder: Path, *wanted: str) -> MemoryRegistry:
    """A registry in which the releases of these services are complete."""
    world = World(folder / "released", Asked(services=THREE, options=Options(services=wanted)).release())
    assert world.run().exit == 0
    return world.registry


# --- describe ---------------------------------------------------------------------------------------------------------


def test_describe_each_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every service has the scheme that its chart chooses recorded; the charts of all are read at once."""
    asked: list[list[str]] = []

    def files(clone: MemoryClone, paths: Iterable[str], *, at: str | None = None) -> dict[str, bytes | None]:
        asked.append(list(paths))
        return files_really(clone, asked[-1], at=at)

    files_really = MemoryClone.files
    values = b"image: {repository: registry.example/ack/s3-controller, tag: 1.2.3}\n"
    world = World(tmp_path, Asked(services=THREE, edits={f"{OF_S3}/values.yaml": values}).release())
    selected = select_services(world.inputs, world.session)
    monkeypatch.setattr(MemoryClone, "files", files)
    found = stages.describe(world.inputs, selected, world.tools)
    assert services(found) == ["ecr", "s3", "sns"]
    assert [row.scheme for row in world.record.document.services] == ["seed", "repo-per-service", "seed"]
    assert [row.selected for row in world.record.document.services] == [True] * 3
    assert len(asked) == 1
    assert world.steps()[1:] == [("describe", service, "passed") for service in (None, *THREE)]


def test_describe_fails_for_one(tmp_path: Path) -> None:
    """A chart that is not that of the tag is an error of its service; it has no scheme, and the others go on."""
    values = b"image: {repository: registry.example/ack/other, tag: 1.2.3}\n"
    world = World(tmp_path, Asked(services=THREE, edits={f"{OF_S3}/values.yaml": values}).release())
    assert services(describe(world)) == ["ecr", "sns"]
    assert failures(world) == {"s3": ("chart-disagrees", "describe")}
    assert [row.scheme for row in world.record.document.services] == ["seed", None, "seed"]


def test_describe_stable(tmp_path: Path) -> None:
    """On stable the moving names are described."""
    found = describe(World(tmp_path, Asked(services=THREE).stable()))
    assert [one.chart.names[0].tag for one in found] == ["ecr-v1-stable", "s3-v1-stable", "sns-v1-stable"]


def test_describe_what_stops_the_run(tmp_path: Path) -> None:
    """What is wrong with the whole run is raised, not kept to a service."""
    environment = {"DOCKER_REPOSITORY": "registry.example/ack/other"}
    with pytest.raises(UsageInvalid):
        describe(World(tmp_path, Asked(environment=environment).release()))


def test_warnings_of_charts(tmp_path: Path) -> None:
    """What wants a look in a chart is told for its service."""
    notes = b"registry.example/ack/controller:s3-v1.0.0\n"
    world = World(tmp_path, Asked(services=THREE, edits={f"{OF_S3}/templates/NOTES.txt": notes}).release())
    describe(world)
    [warning] = world.record.document.warnings
    assert ("warning", "warning", {"service": "s3", "text": warning}) in world.told


@pytest.mark.parametrize(
    ("asked", "staging"),
    [
        (Asked(), False),
        (Asked(options=Options(registry="registry.example/ack")), False),
        (Asked(options=Options(registry=STAGING)), True),
        (Asked(environment={"HELM_REGISTRY": STAGING}), True),
    ],
    ids=["production", "production named", "option", "environment"],
)
def test_staging_is_told(tmp_path: Path, asked: Asked, *, staging: bool) -> None:
    """Another registry than production's makes a staging release: recorded, and one line says which for which."""
    world = World(tmp_path, asked.release())
    describe(world)
    assert world.record.document.staging is staging
    lines = [{"registry": STAGING, "production": "registry.example/ack"}] if staging else []
    assert world.said("staging release") == lines


def test_another_image_into_a_folder_is_staging(tmp_path: Path) -> None:
    """An image that is not called as the chart has it is staging too, even without another registry."""
    asked = Asked(
        environment={"DOCKER_REPOSITORY": "registry.example/ack/other"}, options=Options(to_layout=tmp_path / "layout")
    )
    world = World(tmp_path / "run", asked.release())
    describe(world)
    assert world.record.document.staging is True


# --- observe ----------------------------------------------------------------------------------------------------------


def test_who_has_nothing_to_do_leaves(tmp_path: Path) -> None:
    """A service whose release is complete is planned and recorded, and is not among those that go on."""
    world = World(tmp_path / "again", Asked(services=THREE).release(), released(tmp_path, "ecr", "sns"))
    assert services(observe(world)) == ["s3"]
    plans = {step.service: step.outcome for step in world.record.document.steps if step.name == "plan"}
    assert plans == {"ecr": "skipped", "s3": "passed", "sns": "skipped"}
    assert {entry.service for entry in world.record.document.entries} == set(THREE)


def test_observe_fails_for_one(tmp_path: Path) -> None:
    """A registry that does not answer for one service stops that one."""
    world = World(tmp_path, Asked(services=THREE).release())
    world.registry.calls.intervene("manifest", raising(RegistryFailed("no answer")), about=":s3-v1.2.3")
    assert services(observe(world)) == ["ecr", "sns"]
    assert failures(world) == {"s3": ("registry-failed", "observe")}


def test_refusal_is_of_one_service(tmp_path: Path) -> None:
    """A conflict is recorded with its entries, and stops its own service."""
    world = World(tmp_path / "run", Asked(services=THREE).release())
    image = NAMES.image_name(service="sns")
    push(world.registry.another(), image.repository, image.tag, base_layout(tmp_path / "image"))
    assert services(observe(world)) == ["ecr", "s3"]
    assert failures(world) == {"sns": ("already-published", "plan")}
    entries = [entry.action for entry in world.record.document.entries if entry.service == "sns"]
    assert entries == ["refuse", "skip", "skip"]


def test_what_is_only_known_once_it_is_packaged(tmp_path: Path) -> None:
    """A service that has no plan yet goes on, without a step for one."""
    world = World(tmp_path / "again", Asked().stable(), released_alone(tmp_path))
    assert services(observe(world)) == ["s3"]
    assert "plan" not in {step.name for step in world.record.document.steps}


def released_alone(folder: Path) -> MemoryRegistry:
    """A registry with the release of a repository's only service."""
    world = World(folder / "released", Asked().release(commit=RELEASED))
    assert world.run().exit == 0
    return world.registry


# --- check and package ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("complete", "asks"), [(("ecr", "s3"), True), (("ecr", "s3", "sns"), False)])
def test_builder_is_checked_where_one_builds(tmp_path: Path, complete: tuple[str, ...], *, asks: bool) -> None:
    """The builder's tool is asked for when any service builds, and not when all images are there."""
    registry = released(tmp_path, *complete)
    for service in complete:
        chart = NAMES.chart_names(service=service)[0]
        registry.forget(chart.repository, chart.tag)
    world = World(tmp_path / "again", Asked(services=THREE).release(), registry)
    observed = observe(world)
    assert services(observed) == list(THREE)
    assert (stages.check(world.inputs, observed, world.tools).base is not None) is asks
    assert world.builder.calls.made == ([Call("check", "")] if asks else [])
    assert world.helm.calls.made == [Call("version", "")]


def test_package_fails_for_one(tmp_path: Path) -> None:
    """A chart that helm refuses stops its own service; the others are packaged, and nothing is written."""
    world = World(tmp_path, Asked(services=THREE).release())
    world.helm.calls.intervene("lint", raising(ChartUnusable("no")), about="s3-chart")
    assert services(package(world)) == ["ecr", "sns"]
    assert failures(world) == {"s3": ("chart-unusable", "chart")}
    assert world.registry.writes == []


def test_plan_after_packaging(tmp_path: Path) -> None:
    """What has no plan before is planned once its chart is packaged; who has nothing to do then leaves."""
    registry = released_alone(tmp_path)
    inputs = Asked().stable("1.2.3", chart_version="v1.2.3")
    first = World(tmp_path / "first", inputs, registry)
    assert services(package(first)) == ["s3"]
    assert [name for name, service, _ in first.steps() if service == "s3"] == ["describe", "observe", "chart", "plan"]
    for moving in NAMES.stable_names():
        copy(registry, NAMES.chart_names()[0], moving)
    again = World(tmp_path / "again", inputs, registry)
    assert package(again) == ()
    assert again.steps()[-1] == ("plan", "s3", "skipped")


def test_base_image_stops_who_builds(tmp_path: Path) -> None:
    """A base image that cannot be used is an error of each service that builds, once its chart passed; others go on."""
    registry = released(tmp_path, "s3")
    chart = NAMES.chart_names(service="s3")[0]
    registry.forget(chart.repository, chart.tag)
    world = World(tmp_path / "again", Asked(services=THREE).release(), registry)
    assert services(package(world, BaseImageUnusable("gone"))) == ["s3"]
    assert failures(world) == dict.fromkeys(("ecr", "sns"), ("base-image-unusable", "base image"))
    assert [call.method for call in world.helm.calls.made].count("package") == 3


def test_package_what_stops_the_run(tmp_path: Path) -> None:
    """A tool that goes missing is raised once the other services came to their end."""
    world = World(tmp_path, Asked(services=THREE).release())
    error = ToolUnusable("helm is gone")
    world.helm.calls.intervene("render", raising(error), about="ecr-chart")
    with pytest.raises(ToolUnusable) as raised:
        package(world)
    assert raised.value is error
    assert len([call for call in world.helm.calls.made if call.method == "package"]) == 2


# --- publish and verify -----------------------------------------------------------------------------------------------


def publish(world: World) -> dict[str, set[str | None]]:
    """Publish all, and return the digests of each service that passed."""
    plans = stages.publish(world.inputs, package(world), world.tools)
    return {plan.service: {entry.digest for entry in plan.entries} for plan in plans}


def test_publish_each_service(tmp_path: Path) -> None:
    """Every service is published, and its names are recorded with what they hold, and as written by this run."""
    world = World(tmp_path, Asked(services=THREE).release())
    assert set(publish(world)) == set(THREE)
    entries = world.record.document.entries
    assert {entry.name: entry.digest for entry in entries} == world.tags()
    assert all(entry.written for entry in entries)


@pytest.mark.parametrize("parallel", [1, 3])
def test_publish_fails_for_one(tmp_path: Path, parallel: int) -> None:
    """A build that fails stops its own service before any of its writes; the others are published."""
    world = World(tmp_path, Asked(services=THREE, parallel=parallel).release())
    world.builder.calls.intervene("build", raising(BuildFailed("no")), about="s3")
    assert set(publish(world)) == {"ecr", "sns"}
    assert failures(world) == {"s3": ("build-failed", "build")}
    published = {name for service in ("ecr", "sns") for name in map(str, NAMES.release_names(service=service))}
    assert world.tags().keys() == published
    assert {entry.name for entry in world.record.document.entries if entry.written} == published


def test_names_that_were_written_before_a_failure(tmp_path: Path) -> None:
    """A service that fails half way has those names marked as written that it wrote."""
    world = World(tmp_path, Asked(services=THREE).release())
    alias = NAMES.chart_names(service="s3")[1]
    world.registry.calls.intervene("put_manifest", raising(RegistryFailed("no answer")), about=str(alias))
    assert set(publish(world)) == {"ecr", "sns"}
    written = {entry.name: entry.written for entry in world.record.document.entries if entry.service == "s3"}
    assert written == {
        str(NAMES.image_name()): True,
        str(NAMES.chart_names()[0]): True,
        str(alias): False,
    }


def kept(world: World) -> set[str]:
    """The services whose files are still there."""
    folders = {world.tools.service_folder(service) for service in THREE}
    return {folder.name for folder in folders if folder.exists()}


@pytest.mark.parametrize("failing", [None, "ecr"])
def test_files_of_a_service_are_removed(tmp_path: Path, failing: str | None) -> None:
    """When a service is built, those before it have left no files, whether or not they were published."""
    world = World(tmp_path, Asked(services=THREE, parallel=1).release())
    if failing is not None:
        world.builder.calls.intervene("build", raising(BuildFailed("no")), about=failing)
    there: list[set[str]] = []
    for service in ("s3", "sns"):
        world.builder.calls.intervene("build", lambda: there.append(kept(world)), about=service)
    publish(world)
    assert there == [{"s3", "sns"}, {"sns"}]
    assert kept(world) == set()


def test_files_for_a_folder_are_kept(tmp_path: Path) -> None:
    """With a layout folder, which is written at the end, the files of every service are there until then."""
    asked = Asked(services=THREE, options=Options(to_layout=tmp_path / "layout"))
    world = World(tmp_path / "run", asked.release())
    publish(world)
    assert kept(world) == set(THREE)
    stages.verify(world.tools)
    assert (tmp_path / "layout" / "index.json").exists()


def test_services_named_like_folders(tmp_path: Path) -> None:
    """Services may have the names of folders that the run works in, and share none with it."""
    names = ("home", "source", "tmp")
    world = World(tmp_path, Asked(services=dict.fromkeys(names, "1.2.3")).release())
    for name in ("home", "tmp"):
        (world.tools.folder / name).mkdir(parents=True)
    assert set(publish(world)) == set(names)
    assert [path.name for path in (world.tools.folder / "source").iterdir()] == ["services"]
    assert all((world.tools.folder / name).is_dir() for name in names)


def test_verify_reads_once_more(tmp_path: Path) -> None:
    """At the end every name that was written is read again: what somebody else changed since is exit 5."""
    world = World(tmp_path / "run", Asked().release())
    assert set(publish(world)) == {"s3"}
    world.registry.calls.made.clear()
    stages.verify(world.tools)
    assert world.registry.calls.made == [Call("manifest", str(name)) for name in NAMES.release_names()]
    chart = NAMES.chart_names()[0]
    push(world.registry.another(), chart.repository, chart.tag, base_layout(tmp_path / "theirs"))
    with pytest.raises(TagChanged, match=str(chart)):
        stages.verify(world.tools)
    assert [step for step in world.steps() if step[0] == "verify"] == [
        ("verify", None, "passed"),
        ("verify", None, "failed"),
    ]
