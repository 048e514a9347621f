"""A move of the stable chart, stage by stage: behind an image that answers, forwards only, with its history."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from runner.annotations import RELEASE_RESOLVED_VERSION
from runner.chart.facts import chart_files
from runner.config.settings import Options
from runner.errors import (
    ChartDisagrees,
    ChartMissing,
    CredentialsRefused,
    RegistryAnswerWrong,
    RegistryFailed,
    ReleaseError,
    StableBackwards,
    StableDisagrees,
    StableImageAbsent,
)
from runner.oci.artifact import Artifact
from runner.oci.layout import INDEX
from runner.oci.manifest import OCI_CONFIG, OCI_INDEX, REF_NAME, Manifest, Platform
from runner.oci.name import Name
from runner.run import stable
from runner.run.plan.model import Action, DesiredArtifact, Identity, Kind
from runner.run.prerequisites import Prerequisites
from runner.run.selection import Selected
from testbed.base_images import AMD64, ARM64, base_layout, push, write_blob
from testbed.former_images import former_image
from testbed.memory.calls import Call, raising
from testbed.memory.helm import MemoryHelm
from testbed.memory.registry import MemoryRegistry
from tests.support.stages import COMMIT, COMMITTED, NOW, RELEASED, SCHEMES, Asked, World, copy, every_scheme, later

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.run.plan.model import Plan

SEED = SCHEMES["seed"]
IMAGE = SEED.image_name()
MOVING, MOVING_TOO = SEED.stable_names()
RELEASE_NAMES = SEED.chart_names()
HISTORY, HISTORY_TOO = (Name(name.repository, f"{name.tag}-20261124T123015Z-aaaaaaa") for name in (MOVING, MOVING_TOO))
OTHER = "d" * 40
BACKWARDS = (("Stable-Move", "backwards"),)


def desired(world: World) -> stable.Desired:
    """What the stable chart of the run's only service should be."""
    inputs = world.inputs
    [service] = inputs.config.services.values()
    files = inputs.clone.files(chart_files(service.chart_folder))
    return stable.describe(inputs, Selected(service, "", "has a chart on stable"), files)


def observed(world: World) -> stable.Observed:
    return desired(world).observe(world.tools)


def packaged(world: World) -> stable.Packaged:
    source = world.inputs.clone.export(world.tools.folder / "source")
    return observed(world).package(Prerequisites(source, None), world.tools)


def published(world: World) -> Plan:
    return packaged(world).publish(world.tools)


def actions(plan: Plan | None) -> list[tuple[str, str]]:
    """What a plan does with each name, in order."""
    assert plan is not None
    return [(str(entry.target), entry.action.value) for entry in plan.entries]


def held(registry: MemoryRegistry, name: Name) -> Manifest:
    """What a name holds."""
    manifest = registry.another().manifest(name.repository, name.tag)
    assert manifest is not None, f"{name} holds nothing"
    return manifest


def released(folder: Path, *versions: str, scheme: str = "seed") -> MemoryRegistry:
    """A registry with complete releases; of 1.2.3 when none is named."""
    registry = MemoryRegistry()
    for version in versions or ("1.2.3",):
        asked = Asked(scheme, services={"s3": version})
        world = World(folder / f"released-{version}", asked.release(version, commit=RELEASED), registry)
        assert world.run().exit == 0
    return registry


def moved(folder: Path, registry: MemoryRegistry, asked: Asked | None = None, **push_: Any) -> World:
    """A whole move of stable that went well."""
    world = World(folder / "moved", (asked or Asked()).stable(**push_), registry, now=NOW - timedelta(days=1))
    assert world.run().exit == 0
    return world


# --- describe ---------------------------------------------------------------------------------------------------------


@every_scheme
@pytest.mark.parametrize("registry", ["registry.example/ack", "127.0.0.1:5000/staging"])
def test_names_of_stable(tmp_path: Path, scheme: str, registry: str) -> None:
    """The scheme of the image's name gives the moving names, and those of the image version's own chart."""
    options = Options(registry=registry)
    found = desired(World(tmp_path, Asked(scheme, options=options).stable("1.3.0")))
    names = SCHEMES[scheme]
    image = names.image_name(registry=registry)
    assert (found.image_name, found.image_version, found.version) == (image, "1.2.3", "1.3.0")
    assert found.chart == DesiredArtifact(
        Kind.CHART,
        tuple(names.stable_names(registry=registry)),
        Identity(COMMIT, "https://github.com/aws-controllers-k8s/s3-controller", str(image.repository)),
    )
    assert found.releases == tuple(names.chart_names(registry=registry))
    assert found.scheme.label == scheme


NO_NAME_OF_OURS = b"image: {repository: registry.example/x, tag: v1}\n"

NOT_STABLE = {
    "no values": (Asked(edits={"helm/values.yaml": None}), "1.3.0", ChartMissing),
    "no name of ours": (Asked(edits={"helm/values.yaml": NO_NAME_OF_OURS}), "1.3.0", ChartDisagrees),
    "newer than what is merged": (Asked(services={"s3": "1.4.0"}), "1.3.0", StableDisagrees),
    "next major": (Asked(services={"s3": "2.0.0"}), "1.3.0", StableDisagrees),
    "last major": (Asked(), "2.0.0", StableDisagrees),
}


@pytest.mark.parametrize(("asked", "resolved", "error"), NOT_STABLE.values(), ids=NOT_STABLE)
def test_chart_that_cannot_be_stable(tmp_path: Path, asked: Asked, resolved: str, error: type[ReleaseError]) -> None:
    """A chart that names no image of ours, or one that does not fit what is merged, is exit 4."""
    with pytest.raises(error):
        desired(World(tmp_path, asked.stable(resolved)))


# --- observe ----------------------------------------------------------------------------------------------------------


def test_what_is_read_for_a_move(tmp_path: Path) -> None:
    """Read are the image with its platforms, the moving names, the newest history of each, and the image's chart.

    Of the image and of the charts that could be copied, every blob is looked up.
    """
    registry = released(tmp_path)
    moved(tmp_path, registry, Asked(), commit=OTHER, time=COMMITTED - timedelta(hours=1))
    older = Name(MOVING.repository, "s3-v1-stable-20250101T000000Z-1234567")
    push(registry.another(), older.repository, older.tag, base_layout(tmp_path / "older"))
    world = World(tmp_path / "again", Asked().stable(), registry)
    image = held(registry, IMAGE)
    found = observed(world)
    newest = [Name(name.repository, f"{name.tag}-20261123T123015Z-ddddddd") for name in (MOVING, MOVING_TOO)]
    assert found.histories == {MOVING: (older, newest[0]), MOVING_TOO: (newest[1],)}
    digests = [image.digest, *(child.digest for child in image.children)]
    calls = world.registry.calls.made
    assert {call.about for call in calls if call.method == "tags"} == {
        str(MOVING.repository),
        str(MOVING_TOO.repository),
    }
    assert {call.about for call in calls if call.method == "manifest"} == {
        *map(str, (IMAGE, MOVING, MOVING_TOO, *RELEASE_NAMES, *newest)),
        *(f"{IMAGE.repository}@{digest}" for digest in digests),
    }
    assert {call.method for call in calls} == {"manifest", "tags", "read_blob", "has_blob"}
    assert (found.plan, found.builds) == (None, False)
    assert (world.helm.calls.made, world.builder.calls.made, world.registry.writes) == ([], [], [])


def test_stable_into_a_folder(tmp_path: Path) -> None:
    """With a layout folder only the image is looked up, and nothing is known of the moving names."""
    registry = released(tmp_path)
    moved(tmp_path, registry)
    world = World(tmp_path / "again", Asked(options=Options(to_layout=tmp_path / "layout")).stable(), registry)
    found = observed(world)
    repositories = {call.about.partition("@")[0].removesuffix(f":{IMAGE.tag}") for call in world.registry.calls.made}
    assert repositories == {str(IMAGE.repository)}
    assert found.plan is None
    assert found.histories == {}


def test_stable_is_what_it_should_be(tmp_path: Path) -> None:
    """Where every moving name holds this commit's chart all is skipped, and no chart is packaged to find that out."""
    registry = released(tmp_path)
    moved(tmp_path, registry)
    world = World(tmp_path / "again", Asked().stable(), registry)
    assert actions(observed(world).plan) == [(str(MOVING), "skip"), (str(MOVING_TOO), "skip")]
    registry.forget(MOVING_TOO.repository, MOVING_TOO.tag)
    assert observed(world).plan is None


@pytest.mark.parametrize("error", [RegistryFailed("no answer"), RegistryAnswerWrong("cut"), CredentialsRefused("403")])
@pytest.mark.parametrize(
    ("method", "about"), [("tags", "chart"), ("manifest", ":s3-v1-stable"), ("manifest", ":s3-v1.2.3")]
)
def test_what_cannot_be_read_is_not_absent(tmp_path: Path, method: str, about: str, error: ReleaseError) -> None:
    """A name or a list of tags that cannot be read ends the service: it is never taken as absent."""
    world = World(tmp_path / "run", Asked().stable(), released(tmp_path))
    world.registry.calls.intervene(method, raising(error), about=about)
    with pytest.raises(type(error)):
        observed(world)


def test_image_that_is_absent(tmp_path: Path) -> None:
    """A chart whose image is not there moves nowhere; the cause says where the chart names it."""
    with pytest.raises(StableImageAbsent) as raised:
        observed(World(tmp_path, Asked().stable()))
    assert raised.value.cause == f"{IMAGE} is not in the registry, and helm/values.yaml:3: image.tag is s3-v1.2.3"


def test_chart_in_the_place_of_the_image(tmp_path: Path) -> None:
    """A chart under the image's name is no image."""
    registry = released(tmp_path)
    copy(registry, RELEASE_NAMES[0], IMAGE)
    with pytest.raises(StableImageAbsent, match=f"{IMAGE} holds a chart"):
        observed(World(tmp_path / "run", Asked().stable(), registry))


@pytest.mark.parametrize("missing", ["root", "child"])
def test_image_of_ours_that_does_not_answer(tmp_path: Path, missing: str) -> None:
    """An image that this program released answers with every platform, or stable does not move to it."""
    registry = released(tmp_path)
    root = held(registry, IMAGE)
    digest = root.digest if missing == "root" else root.children[0].digest
    world = World(tmp_path / "run", Asked().stable(), registry)
    gone = f"{IMAGE.repository}@{digest}"
    world.registry.calls.intervene("manifest", lambda: None, when="instead", about=gone, times=None)
    with pytest.raises(StableImageAbsent, match="is there, but") as raised:
        observed(world)
    assert raised.value.detail == (gone,)


def with_image(folder: Path, image: Artifact) -> World:
    """A run of stable over this image, which nothing says who published."""
    world = World(folder / "run", Asked().stable())
    push(world.registry.another(), IMAGE.repository, IMAGE.tag, image)
    return world


def test_good_image_of_the_former_job(tmp_path: Path) -> None:
    """An image without annotations that has all it lists is taken without a word."""
    world = with_image(tmp_path, base_layout(tmp_path / "image"))
    assert observed(world).image.manifest == held(world.registry, IMAGE)
    assert world.record.document.warnings == ()


@pytest.mark.parametrize("gone", [0, 1])
def test_image_of_the_former_job_without_a_platform(tmp_path: Path, gone: int) -> None:
    """Of an image of the former job one platform that answers is enough; what does not is a warning."""
    image = base_layout(tmp_path / "image")
    world = with_image(tmp_path, image)
    world.registry.forget(IMAGE.repository, image.children[gone].digest)
    observed(world)
    [warning] = world.record.document.warnings
    assert warning == f"{IMAGE}: {IMAGE.repository}@{image.children[gone].digest} does not answer"


def test_image_of_the_former_job_without_any_platform(tmp_path: Path) -> None:
    """An image of which no platform answers is refused, whoever published it; what answers beside is no platform."""
    image = base_layout(tmp_path / "image", (AMD64, Platform("unknown", "unknown")))
    world = with_image(tmp_path, image)
    world.registry.forget(IMAGE.repository, image.children[0].digest)
    with pytest.raises(StableImageAbsent, match="is there, but"):
        observed(world)


def test_image_of_the_former_job_for_one_platform(tmp_path: Path) -> None:
    """An image without an index is for one platform, which is a warning."""
    world = with_image(tmp_path, base_layout(tmp_path / "image", (ARM64,), single=True))
    observed(world)
    assert world.record.document.warnings == (f"{IMAGE} is for one platform only, linux/arm64",)


def test_image_of_the_former_job_whose_config_is_wrong(tmp_path: Path) -> None:
    """A config that says another platform than the index is a warning that says both, and stable moves."""
    world = with_image(tmp_path, base_layout(tmp_path / "image", stated={ARM64: AMD64}))
    observed(world)
    assert world.record.document.warnings == (f"{IMAGE}: the config of linux/arm64 says linux/amd64",)


def test_image_that_was_adopted(tmp_path: Path) -> None:
    """Stable moves to a release whose image was adopted, and takes over the chart that was published for it."""
    image = former_image(tmp_path / "image", stated={ARM64: AMD64})
    world = with_image(tmp_path, image)
    release = World(tmp_path / "release", Asked(options=Options(adopt_existing=True)).release(), world.registry)
    assert release.run().exit == 0
    stable = World(tmp_path / "stable", Asked().stable(), world.registry)
    document = stable.run()
    assert document.exit == 0
    assert held(stable.registry, MOVING).annotations["dev.ack.release.image"].endswith(image.root.digest)
    assert document.warnings == (f"{IMAGE}: the config of linux/arm64 says linux/amd64",)


CONFIGS = {
    "no platform": b"{}",
    "no JSON": b"{",
    "no text": b"\xff",
    "list": b"[]",
    "nothing": b"null",
    "text": b'"os"',
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_image_of_the_former_job_whose_config_cannot_be_read(tmp_path: Path, config: bytes) -> None:
    """A config that says nothing of its platform is a flaw like any other: a warning."""
    world = with_image(tmp_path, with_last_config(base_layout(tmp_path / "image"), config, tmp_path))
    observed(world)
    [warning] = world.record.document.warnings
    assert warning.startswith(f"{IMAGE}: the config of linux/arm64 says nothing that can be read (")


def with_last_config(image: Artifact, config: bytes, folder: Path) -> Artifact:
    """An image with another config for its last platform."""
    first, last = image.children
    blob = write_blob(folder, OCI_CONFIG, config)
    child = Manifest.write(last.media_type, {**last.document, "config": blob.descriptor.document()})
    listed = [first.descriptor(AMD64).document(), child.descriptor(ARM64).document()]
    root = Manifest.write(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed})
    return Artifact(root, (first, child), (*image.blobs, blob))


# --- package ----------------------------------------------------------------------------------------------------------


def test_chart_of_a_move(tmp_path: Path) -> None:
    """The chart is packaged once; it says commit, image by digest, image version and the release that it stands for."""
    registry = released(tmp_path)
    world = World(tmp_path / "run", Asked().stable(), registry)
    found = packaged(world)
    assert world.helm.calls.made == [Call(method, "s3-chart") for method in ("lint", "render", "package")]
    assert (world.builder.calls.made, world.registry.writes) == ([], [])
    assert found.unmet is None
    assert found.chart.root.annotations == {
        "org.opencontainers.image.title": "s3-chart",
        "org.opencontainers.image.version": "v1-stable",
        "org.opencontainers.image.revision": COMMIT,
        "org.opencontainers.image.source": "https://github.com/aws-controllers-k8s/s3-controller",
        "org.opencontainers.image.created": "2026-08-13T23:46:38Z",
        "dev.ack.release.version": "1.2.3",
        "dev.ack.release.resolved-version": "1.3.0",
        "dev.ack.release.image": f"{IMAGE.repository}@{held(registry, IMAGE).digest}",
    }


@every_scheme
def test_first_move(tmp_path: Path, scheme: str) -> None:
    """Each moving name gets a history name first, of this moment and this commit, and every digest is known."""
    world = World(tmp_path / "run", Asked(scheme).stable(), released(tmp_path, scheme=scheme))
    plan = packaged(world).plan
    names = [
        text for name in SCHEMES[scheme].stable_names() for text in (f"{name}-20261124T123015Z-aaaaaaa", str(name))
    ]
    assert actions(plan) == [(name, "publish") for name in names]
    assert len({entry.digest for entry in plan.entries}) == 1
    assert {entry.copy_of for entry in plan.entries} == {None}


def test_what_is_warned_of_a_stable_chart(tmp_path: Path) -> None:
    """What lint says is a warning of its service."""
    world = World(tmp_path / "run", Asked().stable(), released(tmp_path))
    world.tools = replace(world.tools, helm=MemoryHelm(warnings=("icon is recommended",)))
    packaged(world)
    assert world.record.document.warnings == ("helm lint: icon is recommended",)


def test_stable_that_is_the_release(tmp_path: Path) -> None:
    """Where stable has the very files of the image version's own chart, that chart becomes stable, as it is."""
    registry = released(tmp_path)
    world = World(tmp_path / "run", Asked().stable("1.2.3", chart_version="v1.2.3"), registry)
    found = packaged(world)
    assert found.chart.root == held(registry, RELEASE_NAMES[0])
    assert {entry.copy_of for entry in found.plan.entries} == {RELEASE_NAMES[0]}
    assert [str(entry.target).rpartition("-")[2] for entry in found.plan.entries] == ["bbbbbbb", "stable"] * 2


def test_stable_that_differs_from_the_release(tmp_path: Path) -> None:
    """One file more than the image version's own chart has, and stable is a chart of its own."""
    edits = {"helm/README.md": b"more\n"}
    world = World(tmp_path / "run", Asked(edits=edits).stable("1.2.3", chart_version="v1.2.3"), released(tmp_path))
    found = packaged(world)
    assert found.chart.root.annotations["org.opencontainers.image.revision"] == COMMIT
    assert {entry.copy_of for entry in found.plan.entries} == {None}


@pytest.mark.parametrize(("there", "gone"), [(MOVING, MOVING_TOO), (MOVING_TOO, MOVING)])
def test_one_moving_name_holds_the_chart(tmp_path: Path, there: Name, gone: Name) -> None:
    """What one moving name holds of this commit, the other is given, with a history of its own."""
    registry = released(tmp_path)
    moved(tmp_path, registry)
    chart = held(registry, there)
    for tag in registry.tags(gone.repository):
        if "stable" in tag:
            registry.forget(gone.repository, tag)
    world = World(tmp_path / "again", Asked().stable(), registry)
    plan = published(world)
    assert sorted(actions(plan)) == sorted(
        [
            (str(there), "skip"),
            (f"{gone}-20261124T123015Z-aaaaaaa", "publish"),
            (str(gone), "publish"),
        ]
    )
    assert {entry.copy_of for entry in plan.entries if entry.action is Action.PUBLISH} == {there}
    assert held(registry, gone) == chart


def test_unfinished_move(tmp_path: Path) -> None:
    """A chart under the newest history and not under its moving name is moved there; no second history is written."""
    registry = released(tmp_path)
    moved(tmp_path, registry)
    for name in (MOVING, MOVING_TOO):
        registry.forget(name.repository, name.tag)
    world = World(tmp_path / "again", Asked().stable(), registry)
    plan = published(world)
    histories = [f"{name}-20261123T123015Z-aaaaaaa" for name in (MOVING, MOVING_TOO)]
    assert actions(plan) == [
        (histories[0], "skip"),
        (str(MOVING), "publish"),
        (histories[1], "skip"),
        (str(MOVING_TOO), "publish"),
    ]
    assert [call.about for call in world.registry.writes if "@" not in call.about] == [str(MOVING), str(MOVING_TOO)]


# --- forwards and backwards -------------------------------------------------------------------------------------------


def stable_of(image_version: str = "1.2.3", trailers: tuple[tuple[str, str], ...] = (), **push_: Any) -> Any:
    """The inputs of a push to stable whose chart names the image of a version."""
    return Asked(services={"s3": image_version}, trailers=trailers).stable(**push_)


HOUR = timedelta(hours=1)

ORDER: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any], bool]] = {
    "newer image": ({"image_version": "1.2.3", "resolved": "1.3.0"}, {"image_version": "1.2.4"}, True),
    "older image": ({"image_version": "1.2.4", "resolved": "1.3.0"}, {"resolved": "1.4.0"}, False),
    "numbers, not texts": (
        {"image_version": "1.10.0", "resolved": "1.10.0"},
        {"image_version": "1.9.0", "resolved": "1.10.0"},
        False,
    ),
    "newer resolved": ({"resolved": "1.3.0"}, {"resolved": "1.10.0", "time": COMMITTED - HOUR}, True),
    "older resolved": ({"resolved": "1.10.0"}, {"resolved": "1.3.0", "time": COMMITTED + HOUR}, False),
    "newer commit": ({}, {"time": COMMITTED + HOUR}, True),
    "older commit": ({}, {"time": COMMITTED - HOUR}, False),
    "same moment": ({}, {}, True),
}


@pytest.mark.parametrize(("first", "second", "moves"), ORDER.values(), ids=ORDER)
def test_forwards_only(tmp_path: Path, first: Mapping[str, Any], second: Mapping[str, Any], *, moves: bool) -> None:
    """What stable holds is read back from its chart: image, then resolved version, then commit decide what is newer."""
    registry = released(tmp_path, "1.2.3", "1.2.4", "1.9.0", "1.10.0")
    before = World(tmp_path / "before", stable_of(**first, commit=OTHER), registry)
    assert before.run().exit == 0
    plan = packaged(World(tmp_path / "after", stable_of(**second), registry)).plan
    assert plan.publishes is moves
    assert (plan.error is None) is moves
    if not moves:
        assert isinstance(plan.error, StableBackwards)
        assert {entry.digest for entry in plan.entries if entry.action is not Action.REFUSE} <= {None}


MEANT = {
    "trailer": (BACKWARDS, (OTHER,), True),
    "trailer in other letters": ((("stable-MOVE", " Backwards "),), (OTHER,), True),
    "one of several trailers": ((("Signed-off-by", "Ada"), *BACKWARDS), (OTHER,), True),
    "no trailer": ((), (OTHER,), False),
    "another trailer": ((("Stable-Move", "forwards"),), (OTHER,), False),
    "what is there does not come before": (BACKWARDS, (), False),
}


@pytest.mark.parametrize(("trailers", "after", "moves"), MEANT.values(), ids=MEANT)
def test_backwards_where_it_is_meant(
    tmp_path: Path, trailers: tuple[tuple[str, str], ...], after: tuple[str, ...], *, moves: bool
) -> None:
    """Stable moves backwards only by a commit that says so and follows what is there: no rerun of an old job does."""
    registry = released(tmp_path, "1.2.3", "1.2.4")
    first = World(tmp_path / "before", stable_of("1.2.4", commit=OTHER), registry)
    assert first.run().exit == 0
    before = first.tags()
    world = World(tmp_path / "after", stable_of(trailers=trailers, after=after), registry)
    document = world.run()
    assert document.exit == (0 if moves else 5)
    if moves:
        chart = held(registry, MOVING)
        assert chart.annotations["dev.ack.release.version"] == "1.2.3"
        assert (held(registry, MOVING_TOO), held(registry, HISTORY)) == (chart, chart)
        assert document.notes == tuple(
            f"{name} moves backwards: the commit says Stable-Move: backwards, and follows {OTHER[:12]}"
            for name in (MOVING, MOVING_TOO)
        )
    else:
        assert world.tags() == before
        assert world.registry.writes == []


@pytest.mark.parametrize(("after", "moves"), [((OTHER,), True), ((), False)], ids=["follows", "does not follow"])
def test_backwards_where_only_the_second_name_is_there(tmp_path: Path, after: tuple[str, ...], *, moves: bool) -> None:
    """Each moving name counts on its own: what the second holds must come before, be the first there or not."""
    registry = released(tmp_path, "1.2.3", "1.2.4")
    moved(tmp_path, registry, Asked(services={"s3": "1.2.4"}), commit=OTHER)
    registry.forget(MOVING.repository, MOVING.tag)
    world = World(tmp_path / "after", stable_of(trailers=BACKWARDS, after=after), registry)
    assert packaged(world).plan.publishes is moves


def test_backwards_from_what_says_no_commit(tmp_path: Path) -> None:
    """What says no commit cannot be followed: the trailer does not move stable behind it."""
    registry = released(tmp_path, "1.2.3", "1.2.4")
    moved(tmp_path, registry, Asked(services={"s3": "1.2.4"}), commit=OTHER)
    former = held(registry, MOVING)
    stated = {key: text for key, text in former.annotations.items() if not key.endswith("revision")}
    bare = Manifest.write(former.media_type, {**former.document, "annotations": stated})
    registry.put_manifest(MOVING.repository, MOVING.tag, bare)
    world = World(tmp_path / "after", stable_of(trailers=BACKWARDS, after=(OTHER,)), registry)
    assert isinstance(packaged(world).plan.error, StableBackwards)


@pytest.mark.parametrize(("app_version", "moves"), [("v1.2.3", True), ("1.2.2", True), ("1.2.4", False), ("x", True)])
def test_stable_of_the_former_job(tmp_path: Path, app_version: str, *, moves: bool) -> None:
    """A chart of the former job stands at its appVersion, older than any of ours of that version; without, anywhere."""
    registry = released(tmp_path)
    config = json.dumps({"name": "s3-chart", "version": "v1-stable", "appVersion": app_version}).encode()
    chart = held(registry, RELEASE_NAMES[0])
    blob = write_blob(tmp_path, chart.blobs[0].media_type, config)
    layers = [layer.document() for layer in chart.blobs[1:]]
    document = {"schemaVersion": 2, "config": blob.descriptor.document(), "layers": layers}
    registry.send_blob(MOVING.repository, blob)
    registry.put_manifest(MOVING.repository, MOVING.tag, Manifest.write(chart.media_type, document))
    plan = packaged(World(tmp_path / "run", Asked().stable(), registry)).plan
    assert plan.publishes is moves


# --- publish ----------------------------------------------------------------------------------------------------------


@every_scheme
def test_order_of_a_move(tmp_path: Path, scheme: str) -> None:
    """The chart's content is in every repository first; then each history name, and directly after it its own name."""
    registry = released(tmp_path, scheme=scheme)
    world = World(tmp_path / "run", Asked(scheme).stable(), registry)
    before = world.tags()
    plan = published(world)
    names = SCHEMES[scheme].stable_names()
    written = [call.about for call in world.registry.writes]
    assert written[-2 * len(names) :] == [str(entry.target) for entry in plan.entries]
    assert all("@" in about for about in written[: -2 * len(names)])
    assert world.steps() == [("publish chart", "s3", "passed")]
    assert {str(entry.target): entry.digest for entry in plan.entries} == {
        name: digest for name, digest in world.tags().items() if name not in before
    }
    assert {name: world.tags()[name] for name in before} == before, "nothing else changes"


def test_move_to_the_release(tmp_path: Path) -> None:
    """A release's own chart that becomes stable is not sent again: it is there, or mounted."""
    registry = released(tmp_path)
    world = World(tmp_path / "run", Asked().stable("1.2.3", chart_version="v1.2.3"), registry)
    published(world)
    assert held(registry, MOVING) == held(registry, MOVING_TOO) == held(registry, RELEASE_NAMES[0])
    assert "send_blob" not in {call.method for call in world.registry.writes}


def test_stable_is_written_into_a_folder(tmp_path: Path) -> None:
    """With a layout folder the moving names are in it, without history, and nothing is written to the registry."""
    layout = tmp_path / "layout"
    registry = released(tmp_path)
    world = World(tmp_path / "run", Asked(options=Options(to_layout=layout)).stable(), registry)
    assert world.run().exit == 0
    entries = json.loads((layout / INDEX).read_bytes())["manifests"]
    assert {entry["annotations"][REF_NAME] for entry in entries} == {str(MOVING), str(MOVING_TOO)}
    assert {entry.reason for entry in world.record.document.entries} == {
        "goes into the layout folder; the registry was not read"
    }
    assert world.registry.writes == []


def test_next_move(tmp_path: Path) -> None:
    """A later move adds to the history and leaves what was: each history name still holds the chart of its time."""
    registry = released(tmp_path)
    moved(tmp_path, registry, commit=OTHER)
    first = held(registry, MOVING)
    before = Name(MOVING.repository, "s3-v1-stable-20261123T123015Z-ddddddd")
    world = World(tmp_path / "again", Asked().stable(time=COMMITTED + HOUR), registry, now=later())
    published(world)
    after = Name(MOVING.repository, "s3-v1-stable-20261124T133015Z-aaaaaaa")
    assert (held(registry, before), held(registry, after)) == (first, held(registry, MOVING))
    assert first != held(registry, MOVING)


@pytest.mark.parametrize("begun", [True, False], ids=["begun before this run planned", "begun after it"])
def test_newer_move_at_the_very_same_moment(tmp_path: Path, *, begun: bool) -> None:
    """A move that is written on top of a newer one ends with 5, and a rerun of the newer one moves stable forwards."""
    asked = Asked("repo-per-service")
    [moving] = asked.names.stable_names()
    registry = released(tmp_path / "release", scheme="repo-per-service")

    def newer(folder: str) -> World:
        return World(tmp_path / folder, asked.stable("1.4.0", commit="d" * 40, time=later()), registry)

    if begun:
        broken = newer("broken")
        broken.registry.calls.intervene("put_manifest", raising(RegistryFailed("HTTP 500")), about=f":{moving.tag}")
        assert broken.run().exit == 7
    older = World(tmp_path / "older", asked.stable("1.3.0"), registry)
    exits: list[int | None] = []
    older.registry.calls.intervene(
        "put_manifest", lambda: exits.append(newer("meanwhile").run().exit), about=f":{moving.tag}"
    )
    document = older.run()
    assert (exits, document.exit) == ([0], 5)
    assert document.error is not None
    assert (document.error.code, "resolved 1.4.0" in document.error.cause) == ("tag-changed", True)
    assert "newest push to stable" in document.error.remedy
    assert held(registry, moving).annotations[RELEASE_RESOLVED_VERSION] == "1.3.0"
    assert newer("again").run().exit == 0
    assert held(registry, moving).annotations[RELEASE_RESOLVED_VERSION] == "1.4.0"
