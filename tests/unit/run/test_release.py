"""A release of one service, stage by stage: what is read, what is made, what is written, in which order."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from runner.builders.base import resolve_base
from runner.chart.archive import files_of
from runner.chart.facts import chart_files
from runner.chart.manifest import chart_artifact
from runner.chart.packaging import package_chart
from runner.config.settings import Options
from runner.errors import (
    AlreadyPublished,
    BaseImageUnusable,
    BuildFailed,
    ChartDisagrees,
    ChartMissing,
    ChartUnusable,
    CredentialsRefused,
    RegistryAnswerWrong,
    RegistryFailed,
    ReleaseError,
    UsageInvalid,
)
from runner.oci.layout import INDEX
from runner.oci.manifest import REF_NAME
from runner.oci.name import Name
from runner.report.metadata import render_metadata
from runner.report.record import summary
from runner.run import release
from runner.run.plan.model import Action, DesiredArtifact, Identity, Kind
from runner.run.prerequisites import Prerequisites
from runner.run.selection import Selected
from testbed.base_images import AMD64, ARM64, BOTH, base_layout, push
from testbed.former_images import controller, former_image
from testbed.memory.builder import MemoryBuilder
from testbed.memory.calls import Call, raising
from testbed.memory.helm import MemoryHelm
from testbed.memory.registry import MemoryRegistry
from tests.support.stages import COMMIT, SCHEMES, Asked, World, every_scheme, later

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.oci.manifest import Manifest
    from runner.run.plan.model import Plan

STAGING = "127.0.0.1:5000/staging"
SEED = SCHEMES["seed"]
IMAGE, CHART, ALIAS = SEED.release_names()
TWO_IMAGES = (
    '[{image: ["controller:{service}-v{version}", "{service}-controller:{version}"],'
    ' chart: ["{service}-chart:{version}"], stable: ["{service}-chart:v{major}-stable"]}]'
)
SECOND_IMAGE = Name.parse("registry.example/ack/s3-controller:1.2.3")
ONE_CHART = Name.parse("registry.example/ack/s3-chart:1.2.3")


def desired(world: World) -> release.Desired:
    """What the run's only service should be."""
    inputs = world.inputs
    [service] = inputs.config.services.values()
    files = inputs.clone.files(chart_files(service.chart_folder))
    return release.describe(inputs, Selected(service, "1.2.3", "the only service"), files)


def observed(world: World) -> release.Observed:
    return desired(world).observe(world.tools)


def prerequisites(world: World, base: ReleaseError | None = None) -> Prerequisites:
    source = world.inputs.clone.export(world.tools.folder / "source")
    return Prerequisites(source, base or resolve_base("scratch", world.registry, BOTH))


def packaged(world: World) -> release.Packaged:
    return observed(world).package(prerequisites(world), world.tools)


def published(world: World) -> Plan:
    return packaged(world).publish(world.tools)


def actions(plan: Plan | None) -> dict[str, str]:
    """What a plan does with each name."""
    assert plan is not None
    return {str(entry.target): entry.action.value for entry in plan.entries}


def released(folder: Path, asked: Asked | None = None) -> MemoryRegistry:
    """A registry in which the release of this commit is complete."""
    world = World(folder / "released", (asked or Asked()).release())
    assert world.run().exit == 0
    return world.registry


def held(registry: MemoryRegistry, name: Name) -> Manifest:
    """What a name holds."""
    manifest = registry.another().manifest(name.repository, name.tag)
    assert manifest is not None, f"{name} holds nothing"
    return manifest


def former_chart(folder: Path, registry: MemoryRegistry, name: Name, edits: Mapping[str, bytes]) -> None:
    """Publish the chart as the former job did: without any annotation of this program's."""
    world = World(folder / "former", Asked(edits=edits).release())
    source = world.inputs.clone.export(folder / "former" / "source")
    packages = folder / "former" / "packages"
    packages.mkdir()
    chart = package_chart(source, desired(world).facts, IMAGE, MemoryHelm("3.17.0"), packages)
    push(registry.another(), name.repository, name.tag, chart_artifact(chart, {}, packages))


# --- describe ---------------------------------------------------------------------------------------------------------


@every_scheme
def test_names_of_a_release(tmp_path: Path, scheme: str) -> None:
    """The chart's values choose the scheme, and it gives all names; the chart is that of this very image."""
    found = desired(World(tmp_path, Asked(scheme).release()))
    image, *charts = SCHEMES[scheme].release_names()
    here = Identity(COMMIT, "https://github.com/aws-controllers-k8s/s3-controller")
    assert found.scheme.label == scheme
    assert found.image == DesiredArtifact(Kind.IMAGE, (image,), here)
    assert found.chart == DesiredArtifact(
        Kind.CHART, tuple(charts), replace(here, image_repository=str(image.repository))
    )
    assert found.artifacts == (found.image, found.chart), "the chart is last"
    assert (found.version, found.image_name, found.warnings) == ("1.2.3", image, ())


@every_scheme
def test_names_of_a_staging_release(tmp_path: Path, scheme: str) -> None:
    """For another registry the names are the same there, although the chart names production's image."""
    found = desired(World(tmp_path, Asked(scheme, options=Options(registry=STAGING)).release()))
    assert [*found.image.names, *found.chart.names] == SCHEMES[scheme].release_names(registry=STAGING)
    assert found.facts.image == str(SCHEMES[scheme].image_name())
    assert found.chart.identity.image_repository == str(found.image_name.repository)


@pytest.mark.parametrize(
    ("environment", "image"),
    [
        ({"DOCKER_REPOSITORY": f"{STAGING}/mine"}, f"{STAGING}/mine:s3-v1.2.3"),
        ({"AWS_SERVICE_DOCKER_IMG": f"{STAGING}/mine:now"}, f"{STAGING}/mine:now"),
    ],
)
def test_image_that_the_environment_names(tmp_path: Path, environment: Mapping[str, str], image: str) -> None:
    """The variables of the former job give the image another name in a staging release, and are refused without."""
    staging = Asked(environment=environment, options=Options(registry=STAGING))
    assert str(desired(World(tmp_path / "staging", staging.release())).image_name) == image
    with pytest.raises(UsageInvalid, match="would go to the production registry"):
        desired(World(tmp_path / "production", Asked(environment=environment).release()))


@pytest.mark.parametrize(
    ("edits", "error"),
    [
        ({"helm/Chart.yaml": None}, ChartMissing),
        ({"helm/values.yaml": b"image: ["}, ChartMissing),
        ({"helm/Chart.yaml": b"name: s3-chart\nversion: 1.2.4\nappVersion: 1.2.3\n"}, ChartDisagrees),
        ({"helm/Chart.yaml": b"name: other\nversion: 1.2.3\nappVersion: 1.2.3\n"}, ChartDisagrees),
        ({"helm/values.yaml": b"image: {repository: registry.example/ack/else, tag: v1.2.3}\n"}, ChartDisagrees),
    ],
    ids=["no Chart.yaml", "values cannot be read", "version", "chart's name", "image's name"],
)
def test_chart_of_no_release(tmp_path: Path, edits: Mapping[str, bytes | None], error: type[ReleaseError]) -> None:
    """A chart that is not there, or not that of this tag and naming, is exit 4."""
    with pytest.raises(error):
        desired(World(tmp_path, Asked(edits=edits).release()))


def test_what_wants_a_look_in_a_chart(tmp_path: Path) -> None:
    """Other images that the chart names in words, and names under which it cannot be a dependency, are warnings."""
    edits = {
        "helm/Chart.yaml": b"name: ack-s3-controller\nversion: v1.2.3\nappVersion: v1.2.3\n",
        "helm/templates/NOTES.txt": b"\nThis is registry.example/ack/controller:s3-v1.0.0\n",
    }
    warnings = desired(World(tmp_path, Asked(edits=edits).release())).warnings
    assert len(warnings) == 2
    assert warnings[0].startswith("helm/templates/NOTES.txt:2: names registry.example/ack/controller:s3-v1.0.0")
    assert warnings[1].startswith(f"{ALIAS} can be pulled and installed, but")


# --- observe ----------------------------------------------------------------------------------------------------------


@every_scheme
def test_what_is_read_of_a_release(tmp_path: Path, scheme: str) -> None:
    """Every name of every accepted scheme is read once; where nothing is there, all of its own names are published."""
    world = World(tmp_path, Asked(scheme).release())
    found = observed(world)
    names = SCHEMES[scheme].release_names()
    read = {name for one in SCHEMES.values() for name in one.release_names()}
    assert sorted(world.registry.calls.made) == sorted(Call("manifest", str(name)) for name in read)
    assert list(actions(found.plan).items()) == [(str(name), "publish") for name in names]
    assert found.builds
    assert (world.helm.calls.made, world.builder.calls.made) == ([], [])


@every_scheme
def test_release_that_is_complete(tmp_path: Path, scheme: str) -> None:
    """What is published from this commit is skipped, with its digest; nothing is to be built."""
    asked = Asked(scheme)
    registry = released(tmp_path, asked)
    found = observed(World(tmp_path / "again", asked.release(), registry))
    assert found.plan is not None
    assert not found.builds
    assert [(str(entry.target), entry.action, entry.digest) for entry in found.plan.entries] == [
        (str(name), Action.SKIP, held(registry, name).digest) for name in SCHEMES[scheme].release_names()
    ]


def test_release_into_a_folder(tmp_path: Path) -> None:
    """With a layout folder the registry is not read at all, whatever it holds, and everything is built."""
    asked = Asked(options=Options(to_layout=tmp_path / "layout"))
    world = World(tmp_path / "again", asked.release(), released(tmp_path))
    found = observed(world)
    assert world.registry.calls.made == []
    assert set(actions(found.plan).values()) == {"publish"}
    assert found.plan is not None
    assert {entry.reason for entry in found.plan.entries} == {"goes into the layout folder; the registry was not read"}
    assert found.builds


@pytest.mark.parametrize("image", [True, False])
def test_chart_without_a_revision(tmp_path: Path, *, image: bool) -> None:
    """What a chart that says no commit means can only be decided once ours is packaged: there is no plan yet."""
    registry = released(tmp_path)
    for name in (CHART, ALIAS, *(() if image else (IMAGE,))):
        registry.forget(name.repository, name.tag)
    former_chart(tmp_path, registry, CHART, {})
    found = observed(World(tmp_path / "again", Asked().release(), registry))
    assert found.plan is None
    assert found.builds is not image


def test_image_without_a_revision(tmp_path: Path) -> None:
    """An image that says no commit is never this one, and that is known at once."""
    world = World(tmp_path / "run", Asked().release())
    push(world.registry.another(), IMAGE.repository, IMAGE.tag, base_layout(tmp_path / "image"))
    found = observed(world)
    assert found.plan is not None
    assert isinstance(found.plan.error, AlreadyPublished)
    assert not found.builds


@pytest.mark.parametrize("error", [RegistryFailed("no answer"), RegistryAnswerWrong("cut"), CredentialsRefused("403")])
@pytest.mark.parametrize("name", [IMAGE, CHART, ALIAS])
def test_what_cannot_be_read_is_not_absent(tmp_path: Path, name: Name, error: ReleaseError) -> None:
    """A name that cannot be read ends the service: it is never taken as absent."""
    world = World(tmp_path, Asked().release())
    world.registry.calls.intervene("manifest", raising(error), about=str(name))
    with pytest.raises(type(error)):
        observed(world)


@pytest.mark.parametrize("there", [IMAGE, SECOND_IMAGE])
def test_image_under_one_of_its_names(tmp_path: Path, there: Name) -> None:
    """An image that is under any of its names is not built again: it is copied from there."""
    asked = Asked(naming=TWO_IMAGES)
    registry = released(tmp_path, asked)
    [gone] = {IMAGE, SECOND_IMAGE} - {there}
    registry.forget(gone.repository, gone.tag)
    found = observed(World(tmp_path / "again", asked.release(), registry))
    assert not found.builds
    assert found.plan is not None
    [publication] = found.plan.to_publish(Kind.IMAGE)
    assert (publication.name, publication.copy_of) == (gone, there)


# --- one version from two commits -------------------------------------------------------------------------------------


def under(folder: Path, scheme: str, commit: str) -> MemoryRegistry:
    """A registry in which this version is complete, as a scheme names it, from a commit."""
    world = World(folder / "first", Asked(scheme).release(commit=commit))
    assert world.run().exit == 0
    return world.registry


@pytest.mark.parametrize("only_plan", [True, False], ids=["plan", "run"])
def test_version_from_another_commit_under_another_scheme(tmp_path: Path, *, only_plan: bool) -> None:
    """A version that is out under another accepted scheme from another commit is refused, whatever the values say."""
    registry = under(tmp_path, "repo-per-service", "d" * 40)
    world = World(tmp_path / "run", Asked("repo-per-service-v").release(), registry)
    document = world.run(only_plan=only_plan)
    assert document.exit == 5
    assert document.error is not None
    there = SCHEMES["repo-per-service"].image_name()
    assert document.error.cause.startswith(f"{there} is published from commit dddddddddddd, but this run is at commit")
    assert "as the naming scheme repo-per-service has it" in document.error.cause
    assert "adopt" not in document.error.remedy
    assert world.registry.writes == []


def test_version_from_this_commit_under_another_scheme(tmp_path: Path) -> None:
    """From the same commit it is a note, and the release is published."""
    registry = under(tmp_path, "repo-per-service", COMMIT)
    document = World(tmp_path / "run", Asked("repo-per-service-v").release(), registry).run()
    assert document.exit == 0
    there = SCHEMES["repo-per-service"].release_names()
    assert document.notes == tuple(
        f"{name} holds this version, too, as the naming scheme repo-per-service has it" for name in there
    )
    assert all(entry.written for entry in document.entries)


@pytest.mark.parametrize("adopts", [True, False])
def test_version_from_no_commit_under_another_scheme(tmp_path: Path, *, adopts: bool) -> None:
    """What the former job left under another scheme is refused with the way out; where it may be adopted, a note."""
    registry = MemoryRegistry()
    there = SCHEMES["repo-per-service"].image_name()
    push(registry, there.repository, there.tag, former_image(tmp_path / "image"))
    asked = Asked("repo-per-service-v", options=Options(adopt_existing=adopts))
    document = World(tmp_path / "run", asked.release(), registry).run()
    assert document.exit == (0 if adopts else 5)
    if adopts:
        assert [note for note in document.notes if str(there) in note]
    else:
        assert document.error is not None
        assert "adopt:" in document.error.remedy


def test_scheme_that_is_not_accepted(tmp_path: Path) -> None:
    """What is there under a scheme that jobs.yaml does not accept is nobody's business here."""
    registry = under(tmp_path, "repo-per-service", "d" * 40)
    asked = Asked("repo-per-service-v", naming="[seed, repo-per-service-v]")
    # The second chart name of seed is the one of repo-per-service.
    assert World(tmp_path / "seed", asked.release(), registry).run().exit == 5
    asked = Asked("repo-per-service-v", naming="[repo-per-service-v]")
    assert World(tmp_path / "run", asked.release(), registry).run().exit == 0


# --- adopt ------------------------------------------------------------------------------------------------------------

ADOPTING = Asked(options=Options(adopt_existing=True))


def with_former_image(folder: Path, **fields: Any) -> MemoryRegistry:
    """A registry in which the release's image is one of the former job."""
    registry = MemoryRegistry()
    push(registry, IMAGE.repository, IMAGE.tag, former_image(folder / "former-image", **fields))
    return registry


def test_image_of_the_former_job_is_refused(tmp_path: Path) -> None:
    """Without being asked for it, an image that says no commit is no release of this one, and is not looked into."""
    world = World(tmp_path / "run", Asked().release(), with_former_image(tmp_path))
    plan = observed(world).plan
    assert plan is not None
    assert isinstance(plan.error, AlreadyPublished)
    assert "adopt:" in plan.error.remedy
    assert {call.method for call in world.registry.calls.made} == {"manifest"}


@every_scheme
def test_image_of_the_former_job_is_adopted(tmp_path: Path, scheme: str) -> None:
    """What is there is taken and not written to; the chart is published for it, and every report says so."""
    image = SCHEMES[scheme].image_name()
    registry = MemoryRegistry()
    push(registry, image.repository, image.tag, former_image(tmp_path / "former-image", stated={ARM64: AMD64}))
    before = held(registry, image)
    world = World(tmp_path / "run", replace(ADOPTING, scheme=scheme).release(), registry)
    document = world.run()
    assert document.exit == 0
    assert held(registry, image) == before
    assert not [call for call in world.registry.writes if str(image.repository) in call.about.split("@")[0].split(":")]
    [chart, *_] = SCHEMES[scheme].chart_names()
    assert held(registry, chart).annotations["dev.ack.release.image"] == f"{image.repository}@{before.digest}"
    assert world.builder.calls.made == []
    [entry, *others] = document.entries
    assert (entry.name, entry.action, entry.adopted, entry.digest) == (str(image), "skip", True, before.digest)
    assert entry.reason.startswith("adopted: published without a revision")
    assert not any(other.adopted for other in others)
    assert document.warnings == (f"{image}: the config of linux/arm64 says linux/amd64",)
    assert "adopted (adopted: published without" in render_metadata(document)
    assert f"{len(others)} tag{'s' * (len(others) > 1)} written, the former job's image adopted" in summary(document)


def test_a_plan_adopts_as_the_run_would(tmp_path: Path) -> None:
    """The plan says the same of an image that would be adopted, and of one that would not."""
    taken = World(tmp_path / "one", ADOPTING.release(), with_former_image(tmp_path / "1")).run(only_plan=True)
    assert [(entry.action, entry.adopted) for entry in taken.entries] == [
        ("skip", True),
        ("publish", False),
        ("publish", False),
    ]
    wrong = with_former_image(tmp_path / "2", programs={ARM64: controller("amd64")})
    refused = World(tmp_path / "two", ADOPTING.release(), wrong).run(only_plan=True)
    assert refused.exit == 5
    assert refused.error is not None
    assert "cannot be adopted: its program for linux/arm64 is for amd64" in refused.error.cause
    assert "adopt" not in refused.error.remedy


@pytest.mark.parametrize("options", [Options(), Options(adopt_existing=True)], ids=["not asked again", "asked again"])
@pytest.mark.parametrize("gone", [[], [ALIAS]], ids=["complete", "alias is missing"])
def test_rerun_after_an_adoption(tmp_path: Path, options: Options, gone: list[Name]) -> None:
    """Once the chart names the adopted image, a rerun completes the release, asked to adopt or not, unread."""
    registry = with_former_image(tmp_path)
    assert World(tmp_path / "first", ADOPTING.release(), registry).run().exit == 0
    for name in gone:
        registry.forget(name.repository, name.tag)
    world = World(tmp_path / "again", Asked(options=options).release(), registry)
    document = world.run()
    assert document.exit == 0
    assert [entry.name for entry in document.entries if entry.written] == [str(name) for name in gone]
    assert document.entries[0].adopted
    assert "scan_blob" not in {call.method for call in world.registry.calls.made}


def test_adopted_image_without_a_platform(tmp_path: Path) -> None:
    """One platform that answers is enough for the chart to be published."""
    registry = with_former_image(tmp_path)
    [amd64, _] = held(registry, IMAGE).children
    registry.forget(IMAGE.repository, amd64.digest)
    document = World(tmp_path / "run", ADOPTING.release(), registry).run()
    assert document.exit == 0
    assert document.warnings == (f"{IMAGE}: {IMAGE.repository}@{amd64.digest} does not answer",)


def test_adopted_image_that_goes_away(tmp_path: Path) -> None:
    """An adopted image that no longer answers when the chart is to be written holds the chart back."""
    registry = with_former_image(tmp_path)
    world = World(tmp_path / "run", ADOPTING.release(), registry)
    after = packaged(world)
    for child in held(registry, IMAGE).children:
        registry.forget(IMAGE.repository, child.digest)
    with pytest.raises(RegistryAnswerWrong, match="the chart is held back"):
        after.publish(world.tools)
    assert world.registry.writes == []


def test_release_of_the_former_job_as_a_whole(tmp_path: Path) -> None:
    """Image and chart of the former job together are a complete release once the chart's files are the same."""
    registry = with_former_image(tmp_path)
    former_chart(tmp_path / "chart", registry, CHART, {})
    world = World(tmp_path / "run", ADOPTING.release(), registry)
    document = world.run()
    assert document.exit == 0
    assert [(entry.action, entry.written) for entry in document.entries] == [
        ("skip", False),
        ("skip", False),
        ("publish", True),
    ]
    assert held(registry, ALIAS) == held(registry, CHART)


def test_chart_of_the_former_job_with_other_files(tmp_path: Path) -> None:
    """A chart of the former job that holds other files than this commit's is refused by name, adoption or not."""
    registry = with_former_image(tmp_path)
    former_chart(tmp_path / "chart", registry, CHART, OTHER_FILES)
    world = World(tmp_path / "run", ADOPTING.release(), registry)
    document = world.run()
    assert document.exit == 5
    assert document.error is not None
    assert document.error.cause.startswith(f"{CHART} is published without a revision, and its files are not")
    assert world.registry.writes == []


def test_what_says_another_commit_is_never_adopted(tmp_path: Path) -> None:
    """An image of another commit stays a conflict, and is not looked into."""
    registry = released(tmp_path, Asked())
    world = World(tmp_path / "run", ADOPTING.release(commit="d" * 40), registry)
    document = world.run()
    assert document.exit == 5
    assert "scan_blob" not in {call.method for call in world.registry.calls.made}


def test_image_of_several_names_is_inspected_once(tmp_path: Path) -> None:
    """Two names of one image are one image."""
    registry = with_former_image(tmp_path)
    image = former_image(tmp_path / "too")
    push(registry, SECOND_IMAGE.repository, SECOND_IMAGE.tag, image)
    world = World(tmp_path / "run", replace(ADOPTING, naming=TWO_IMAGES).release(), registry)
    assert [entry.adopted for entry in world.run().entries] == [True, True, False]
    assert [call.method for call in world.registry.calls.made].count("scan_blob") == len(image.children)


# --- package ----------------------------------------------------------------------------------------------------------


def test_chart_is_checked_and_packaged(tmp_path: Path) -> None:
    """The chart is linted, rendered and packaged once, and the source is checked for what would fail the build."""
    world = World(tmp_path, Asked().release())
    found = observed(world)
    after = found.package(prerequisites(world), world.tools)
    assert world.helm.calls.made == [Call(method, "s3-chart") for method in ("lint", "render", "package")]
    assert world.builder.calls.made == [Call("inspect", "cmd/controller")]
    assert after.plan is found.plan
    assert set(files_of(after.chart.archive.read_bytes())) == {
        "Chart.yaml",
        "values.yaml",
        "templates/deployment.yaml",
    }
    assert world.registry.writes == []


def test_what_is_warned_of_a_chart(tmp_path: Path) -> None:
    """What lint says is a warning of its service, recorded and logged."""
    world = World(tmp_path, Asked().release())
    world.tools = replace(world.tools, helm=MemoryHelm(warnings=("icon is recommended",)))
    packaged(world)
    assert world.record.document.warnings == ("helm lint: icon is recommended",)
    assert ("warning", "warning", {"service": "s3", "text": "helm lint: icon is recommended"}) in world.told


def test_image_that_is_there_is_not_inspected(tmp_path: Path) -> None:
    """Where the image is published nothing is asked of the builder, though the chart is packaged."""
    registry = released(tmp_path)
    registry.forget(CHART.repository, CHART.tag)
    world = World(tmp_path / "again", Asked(edits={"cmd/controller/main.go": None}).release(), registry)
    assert actions(packaged(world).plan) == {str(IMAGE): "skip", str(CHART): "publish", str(ALIAS): "skip"}
    assert world.builder.calls.made == []


@pytest.mark.parametrize("method", ["lint", "render", "package"])
def test_chart_that_helm_refuses(tmp_path: Path, method: str) -> None:
    """What helm refuses is exit 4, before the builder is asked for anything."""
    world = World(tmp_path, Asked().release())
    world.helm.calls.intervene(method, raising(ChartUnusable("no")))
    with pytest.raises(ChartUnusable):
        packaged(world)
    assert world.builder.calls.made == []


def test_source_that_cannot_be_built(tmp_path: Path) -> None:
    """What would make the build fail is seen before anything is compiled, and is the build's failure."""
    world = World(tmp_path, Asked(edits={"cmd/controller/main.go": None}).release())
    unmet = packaged(world).unmet
    assert unmet is not None
    assert (unmet[0], type(unmet[1])) == ("build", BuildFailed)
    assert [call.method for call in world.builder.calls.made] == ["inspect"]


@pytest.mark.parametrize("only_plan", [True, False])
def test_missing_main_package(tmp_path: Path, *, only_plan: bool) -> None:
    """The record says that the build failed, after a plan, and the chart's step has passed; nothing is written."""
    world = World(tmp_path, Asked(edits={"cmd/controller/main.go": None}).release())
    document = world.run(only_plan=only_plan)
    assert [(error.exit, error.step) for error in document.errors] == [(6, "build")]
    assert ("chart", "s3", "passed") in world.steps()
    assert world.steps()[-1] == ("build", "s3", "failed")
    assert [entry.action for entry in document.entries] == ["publish"] * 3
    assert world.registry.writes == []


def test_chart_that_runs_another_image(tmp_path: Path) -> None:
    """A chart that renders another tag than its values name is exit 4."""
    world = World(tmp_path, Asked().release())
    container = {"name": "controller", "image": f"{IMAGE.repository}:s3-v1.0.0"}
    pod = {"kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [container]}}
    world.helm.calls.intervene("render", lambda: (pod,), when="instead")
    with pytest.raises(ChartDisagrees):
        packaged(world)


def test_chart_for_staging(tmp_path: Path) -> None:
    """For another registry the packaged chart names the image there."""
    world = World(tmp_path, Asked(options=Options(registry=STAGING)).release())
    values = files_of(packaged(world).chart.archive.read_bytes())["values.yaml"]
    assert yaml.safe_load(values) == {"image": {"repository": f"{STAGING}/controller", "tag": "s3-v1.2.3"}}


def test_texts_of_a_staging_chart_are_notes(tmp_path: Path) -> None:
    """What a staging chart's texts still say of production is noted, and logged as a note; it warns of nothing."""
    edits = {"helm/templates/NOTES.txt": b"It runs registry.example/ack/controller:s3-v1.2.3\n"}
    world = World(tmp_path, Asked(options=Options(registry=STAGING), edits=edits).release())
    packaged(world)
    note = "helm/templates/NOTES.txt:1: still names registry.example/ack/controller:s3-v1.2.3"
    assert note in world.record.document.notes
    assert ("info", "note", {"service": "s3", "text": note}) in world.told
    assert not [text for text in world.record.document.warnings if "still names" in text]


OTHER_FILES = {"helm/README.md": b"of another commit\n"}


@pytest.mark.parametrize("edits", [{}, OTHER_FILES], ids=["same", "other"])
@pytest.mark.parametrize("alias", [True, False])
def test_files_of_a_chart_without_a_revision(tmp_path: Path, edits: Mapping[str, bytes], *, alias: bool) -> None:
    """A chart that says no commit is the same when its files are: then it is skipped, or copied; else refused."""
    registry = released(tmp_path)
    for name in (CHART, ALIAS):
        registry.forget(name.repository, name.tag)
    for name in (CHART, ALIAS) if alias else (CHART,):
        former_chart(tmp_path / name.tag, registry, name, edits)
    world = World(tmp_path / "again", Asked().release(), registry)
    plan = packaged(world).plan
    assert world.registry.writes == []
    if edits:
        assert isinstance(plan.error, AlreadyPublished)
        assert not plan.publishes
        assert str(CHART) in plan.error.cause
    else:
        assert plan.error is None
        assert actions(plan) == {str(IMAGE): "skip", str(CHART): "skip", str(ALIAS): "skip" if alias else "publish"}
        assert {one.copy_of for one in plan.to_publish(Kind.CHART)} == (set() if alias else {CHART})


def test_chart_of_the_same_bytes_is_not_downloaded(tmp_path: Path) -> None:
    """A published chart whose archive has our digest has the same files, and is not fetched."""
    registry = released(tmp_path)
    for name in (CHART, ALIAS):
        registry.forget(name.repository, name.tag)
    former_chart(tmp_path, registry, CHART, {})
    world = World(tmp_path / "again", Asked().release(), registry)
    assert packaged(world).plan.error is None
    assert "download_blob" not in {call.method for call in world.registry.calls.made}


@pytest.mark.parametrize("there", [True, False])
def test_base_image_is_missed_by_who_builds(tmp_path: Path, *, there: bool) -> None:
    """A base image that cannot be used keeps a service from being built, and none whose image is there."""
    registry = released(tmp_path)
    registry.forget(ALIAS.repository, ALIAS.tag)
    if not there:
        registry.forget(IMAGE.repository, IMAGE.tag)
    world = World(tmp_path / "again", Asked().release(), registry)
    error = BaseImageUnusable("gone", remedy="another", detail=("one", "two"))
    unmet = observed(world).package(prerequisites(world, error), world.tools).unmet
    if there:
        assert unmet is None
    else:
        assert unmet is not None
        step, missing = unmet
        assert step == "base image"
        assert isinstance(missing, BaseImageUnusable)
        assert (missing.cause, missing.remedy, missing.detail) == ("gone", "another", ("one", "two"))
    good = World(tmp_path / "good", Asked().release(), registry)
    assert packaged(good).unmet is None


# --- publish ----------------------------------------------------------------------------------------------------------


def kinds_of_writes(world: World) -> list[str]:
    """What each write was, in order: a blob, a manifest by digest, or the name of a tag."""
    return [
        "content" if "@" in call.about else call.about.removeprefix("registry.example/ack/")
        for call in world.registry.writes
    ]


@every_scheme
def test_order_of_writes(tmp_path: Path, scheme: str) -> None:
    """The image's content, its name; then the chart's content, everywhere, and its names, the last of them last."""
    world = World(tmp_path, Asked(scheme).release())
    published(world)
    image, *charts = (str(name).removeprefix("registry.example/ack/") for name in SCHEMES[scheme].release_names())
    told = kinds_of_writes(world)
    assert [kind for kind in told if kind != "content"] == [image, *charts]
    # Two platforms with config and layer, and an index; a chart has a config and a layer in each repository.
    assert told == [*["content"] * 7, image, *["content"] * 3 * len(charts), *charts]
    repositories = [call.about.partition("@")[0].rpartition("/")[2] for call in world.registry.writes[:7]]
    assert set(repositories) == {image.partition(":")[0]}


@every_scheme
def test_digests_of_a_release(tmp_path: Path, scheme: str) -> None:
    """The plan that is returned says of every name what it holds now; all names of the chart hold the same."""
    world = World(tmp_path, Asked(scheme).release())
    plan = published(world)
    assert {str(entry.target): entry.digest for entry in plan.entries} == world.tags()
    assert len({held(world.registry, name).digest for name in SCHEMES[scheme].chart_names()}) == 1
    assert set(actions(plan).values()) == {"publish"}


def test_what_a_chart_says_of_its_release(tmp_path: Path) -> None:
    """The chart carries commit, time and version, its image by digest, and the repository in the place of Helm's."""
    chart = b"name: s3-chart\nversion: v1.2.3\nappVersion: v1.2.3\nsources: [https://example.com/other]\n"
    world = World(tmp_path, Asked(edits={"helm/Chart.yaml": chart}).release())
    published(world)
    assert held(world.registry, CHART).annotations == {
        "org.opencontainers.image.title": "s3-chart",
        "org.opencontainers.image.version": "v1.2.3",
        "org.opencontainers.image.revision": COMMIT,
        "org.opencontainers.image.source": "https://github.com/aws-controllers-k8s/s3-controller",
        "org.opencontainers.image.created": "2026-08-13T23:46:38Z",
        "dev.ack.release.version": "1.2.3",
        "dev.ack.release.image": f"{IMAGE.repository}@{held(world.registry, IMAGE).digest}",
    }


@every_scheme
def test_what_is_built(tmp_path: Path, scheme: str) -> None:
    """The image is built once, of this commit, version as the tag has it, and every platform; warnings are recorded."""
    world = World(tmp_path, Asked(scheme).release())
    world.builder = MemoryBuilder(warnings=("no licence",))
    world.tools = replace(world.tools, builder=world.builder)
    published(world)
    assert [call for call in world.builder.calls.made if call.method == "build"] == [Call("build", "s3")]
    image = held(world.registry, SCHEMES[scheme].image_name())
    assert image.annotations["org.opencontainers.image.revision"] == COMMIT
    assert image.annotations["org.opencontainers.image.version"] == f"{SCHEMES[scheme].v}1.2.3"
    assert [str(child.platform) for child in image.children] == ["linux/amd64", "linux/arm64"]
    assert world.said("building") == [{"service": "s3", "builder": "memory", "platforms": "linux/amd64,linux/arm64"}]
    assert world.record.document.warnings == ("no licence",)


def test_steps_of_publishing(tmp_path: Path) -> None:
    """Build, image and chart are steps of the service; one with nothing to do says so."""
    world = World(tmp_path, Asked().release())
    published(world)
    steps = [("build", "s3", "passed"), ("publish image", "s3", "passed"), ("publish chart", "s3", "passed")]
    assert world.steps() == steps
    registry = world.registry
    registry.forget(ALIAS.repository, ALIAS.tag)
    again = World(tmp_path / "again", Asked().release(), registry)
    published(again)
    assert again.steps() == [("publish image", "s3", "skipped"), ("publish chart", "s3", "passed")]


def test_build_that_fails(tmp_path: Path) -> None:
    """A build that fails writes nothing at all."""
    world = World(tmp_path, Asked().release())
    world.builder.calls.intervene("build", raising(BuildFailed("no")))
    with pytest.raises(BuildFailed):
        published(world)
    assert world.registry.writes == []
    assert world.steps() == [("build", "s3", "failed")]


@pytest.mark.parametrize("missing", ["root", "child"])
@pytest.mark.parametrize("there", [True, False], ids=["published before", "published now"])
def test_chart_is_held_back(tmp_path: Path, missing: str, *, there: bool) -> None:
    """While the image, or one platform of it, does not answer by digest, no name of the chart is written."""
    registry = released(tmp_path)
    root = held(registry, IMAGE)
    for name in (CHART, ALIAS) if there else (CHART, ALIAS, IMAGE):
        registry.forget(name.repository, name.tag)
    digest = root.digest if missing == "root" else root.children[-1].digest
    world = World(tmp_path / "again", Asked().release(), registry)
    after = packaged(world)
    gone = f"{IMAGE.repository}@{digest}"
    # Of what is published now, the root is read back once before.
    world.registry.calls.intervene(
        "manifest", lambda: None, when="instead", about=gone, skip=int(missing == "root" and not there), times=None
    )
    with pytest.raises(RegistryAnswerWrong, match="the chart is held back") as raised:
        after.publish(world.tools)
    assert raised.value.detail == (gone,)
    assert not {str(CHART), str(ALIAS)} & world.tags().keys()
    assert not [call for call in world.registry.writes if "chart" in call.about]


def clear(registry: MemoryRegistry, name: Name) -> None:
    """Let the whole repository of a name be empty."""
    content = registry.contents()[name.repository]
    for reference in (*content.tags, *content.manifests, *content.blobs):
        registry.forget(name.repository, reference)


@pytest.mark.parametrize(
    ("naming", "there", "gone"),
    [
        (Asked().naming, CHART, ALIAS),
        (Asked().naming, ALIAS, CHART),
        (TWO_IMAGES, IMAGE, SECOND_IMAGE),
        (TWO_IMAGES, SECOND_IMAGE, IMAGE),
    ],
    ids=["chart's second", "chart's first", "image's second", "image's first"],
)
def test_further_name(tmp_path: Path, naming: str, there: Name, gone: Name) -> None:
    """A name that is missing gets what another one holds: the same digest, mounted, with no blob uploaded or built."""
    asked = Asked(naming=naming)
    registry = released(tmp_path, asked)
    before = registry.contents()
    clear(registry, gone)
    world = World(tmp_path / "again", asked.release(), registry)
    plan = published(world)
    assert world.contents() == before
    assert held(registry, gone) == held(registry, there)
    assert {str(entry.target): entry.digest for entry in plan.entries} == world.tags()
    [sent] = world.said("content sent")
    assert {key for key in sent if key.startswith("blobs_")} == {"blobs_mounted"}
    assert "build" not in {call.method for call in world.builder.calls.made}
    assert {call.about.partition("@")[0].removesuffix(f":{gone.tag}") for call in world.registry.writes} == {
        str(gone.repository)
    }


def test_further_name_in_a_repository_that_has_the_content(tmp_path: Path) -> None:
    """Where the content is there already only manifests are written."""
    registry = released(tmp_path)
    registry.forget(ALIAS.repository, ALIAS.tag)
    world = World(tmp_path / "again", Asked().release(), registry)
    published(world)
    digest = held(registry, CHART).digest
    assert world.registry.writes == [
        Call("put_manifest", f"{ALIAS.repository}@{digest}"),
        Call("put_manifest", str(ALIAS)),
    ]


def test_image_that_is_there_already(tmp_path: Path) -> None:
    """A rerun takes the image that is published for the chart, builds none, and sends none of it."""
    registry = released(tmp_path)
    image = held(registry, IMAGE)
    for name in (CHART, ALIAS):
        clear(registry, name)
    world = World(tmp_path / "again", Asked().release(), registry)
    plan = published(world)
    assert world.builder.calls.made == []
    assert held(registry, CHART).annotations["dev.ack.release.image"] == f"{IMAGE.repository}@{image.digest}"
    assert not [call for call in world.registry.writes if "/controller" in call.about]
    assert [entry.digest for entry in plan.entries] == [image.digest, *[held(registry, CHART).digest] * 2]


def rebuilt(folder: Path, registry: MemoryRegistry) -> World:
    """A run of the same commit whose base image is another today, so that its image has another digest."""
    asked = Asked(base_image="registry.example/base/static:1")
    world = World(folder / "rebuilt", asked.release(), registry)
    base = Name.parse("registry.example/base/static:1")
    push(world.registry.another(), base.repository, base.tag, base_layout(folder / "base"))
    return world


def publish_on_base(world: World) -> Plan:
    base = resolve_base(world.inputs.settings.base_image, world.registry, BOTH)
    source = world.inputs.clone.export(world.tools.folder / "source")
    return observed(world).package(Prerequisites(source, base), world.tools).publish(world.tools)


def test_chart_whose_image_is_gone(tmp_path: Path) -> None:
    """An image that is gone is built and published, the chart that is there stays; that they differ is a warning."""
    registry = released(tmp_path)
    chart, image = held(registry, CHART), held(registry, IMAGE)
    registry.forget(IMAGE.repository, IMAGE.tag)
    world = rebuilt(tmp_path, registry)
    plan = publish_on_base(world)
    now = held(registry, IMAGE)
    assert now.digest != image.digest
    assert (held(registry, CHART), held(registry, ALIAS)) == (chart, chart)
    assert [entry.digest for entry in plan.entries] == [now.digest, chart.digest, chart.digest]
    assert world.steps()[-1] == ("publish chart", "s3", "skipped")
    assert world.record.document.warnings == (
        f"the chart was released with image {image.digest}; the image published now is {now.digest}",
    )


@pytest.mark.parametrize("there", [True, False], ids=["old image answers", "old image is gone"])
def test_further_name_of_a_chart_whose_image_is_gone(tmp_path: Path, *, there: bool) -> None:
    """A chart gets a further name as long as the very image that it was released with answers; else it is refused."""
    registry = released(tmp_path)
    chart, image = held(registry, CHART), held(registry, IMAGE)
    registry.forget(ALIAS.repository, ALIAS.tag)
    registry.forget(IMAGE.repository, IMAGE.tag)
    if not there:
        registry.forget(IMAGE.repository, image.digest)
    world = rebuilt(tmp_path, registry)
    if there:
        publish_on_base(world)
        assert held(registry, ALIAS) == chart
        assert len(world.record.document.warnings) == 1
    else:
        with pytest.raises(AlreadyPublished, match=f"released with the image {image.digest}, which is gone"):
            publish_on_base(world)
        assert str(ALIAS) not in world.tags()


def test_release_is_written_into_a_folder(tmp_path: Path) -> None:
    """With a layout folder nothing is written to the registry; the folder has one entry for each name."""
    layout = tmp_path / "layout"
    world = World(tmp_path / "run", Asked(options=Options(to_layout=layout)).release())
    plan = published(world)
    assert not layout.exists()
    world.tools.destination.finish()
    entries = json.loads((layout / INDEX).read_bytes())["manifests"]
    assert {entry["annotations"][REF_NAME]: entry["digest"] for entry in entries} == {
        str(entry.target): entry.digest for entry in plan.entries
    }
    assert (world.registry.writes, world.registry.calls.made) == ([], [])


def test_same_inputs_same_digests(tmp_path: Path) -> None:
    """Whenever and wherever it runs, the same commit gives the same content, to the last byte."""
    worlds = [
        World(tmp_path / "one", Asked().release()),
        World(tmp_path / "an" / "other", Asked().release(), now=later()),
    ]
    for world in worlds:
        published(world)
    assert worlds[0].contents() == worlds[1].contents()
