"""Whole runs in memory: what stops what, and what is there whenever a run ends, or somebody else writes."""

from __future__ import annotations

import itertools
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.config.settings import Options
from runner.errors import (
    BuildFailed,
    ChartUnusable,
    CredentialsRefused,
    NotARelease,
    RegistryAnswerWrong,
    RegistryFailed,
    ReleaseError,
    RunEnded,
    ToolUnusable,
    UsageInvalid,
)
from runner.oci.artifact import Artifact
from runner.oci.layout import INDEX
from runner.oci.manifest import Manifest
from runner.published import observed as observed_module
from runner.run.publish import registry as publishing
from testbed.base_images import base_layout, push, write_blob
from testbed.memory.calls import raising
from testbed.memory.registry import MemoryRegistry
from tests.support.stages import (
    COMMITTED,
    RELEASED,
    SCHEMES,
    WRITES,
    Asked,
    Killed,
    World,
    at_call,
    kill_at,
    later,
    tags_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from runner.oci.name import Name, Repository
    from runner.run.inputs import Inputs
    from testbed.memory.calls import Call
    from testbed.memory.registry import Content

THREE = {"ecr": "1.2.3", "s3": "1.2.3", "sns": "1.2.3"}
SEED = SCHEMES["seed"]
OTHER, THEIRS = "d" * 40, "e" * 40


def of_service(world: World, service: str) -> list[str]:
    """The outcome of each step of a service, by its name."""
    return [f"{name} {outcome}" for name, its, outcome in world.steps() if its == service]


def released(folder: Path, scheme: str = "seed") -> MemoryRegistry:
    """A registry with the release that stable is to move to."""
    world = World(folder / "released", Asked(scheme).release(commit=RELEASED))
    assert world.run().exit == 0
    return world.registry


# --- the order of things ----------------------------------------------------------------------------------------------


def test_steps_of_a_release(tmp_path: Path) -> None:
    """A release takes its steps in this order, and ends with every name written and verified."""
    world = World(tmp_path, Asked().release())
    document = world.run()
    assert (document.exit, document.errors, document.warnings) == (0, (), ())
    shared = ("select", "describe", "tools", "base image", "export", "access", "verify")
    assert world.steps() == [
        (name, None if name in shared and of is None else "s3", "passed")
        for name, of in (
            *(("select", None), ("describe", None), ("describe", "s3"), ("observe", "s3"), ("plan", "s3")),
            *(("tools", None), ("base image", None), ("export", None), ("chart", "s3"), ("access", None)),
            *(("build", "s3"), ("publish image", "s3"), ("publish chart", "s3"), ("verify", None)),
        )
    ]
    assert {entry.name: entry.digest for entry in document.entries if entry.written} == world.tags()


def test_steps_of_a_move(tmp_path: Path) -> None:
    """On stable nothing is built, and the plan comes after the chart."""
    world = World(tmp_path / "run", Asked().stable(), released(tmp_path))
    assert world.run().exit == 0
    assert [name for name, *_ in world.steps()] == [
        *("select", "describe", "describe", "observe", "tools", "export", "chart", "plan", "access"),
        *("publish chart", "verify"),
    ]
    assert world.builder.calls.made == []


@pytest.mark.parametrize("path", ["release", "stable"])
def test_run_of_skips(tmp_path: Path, path: str) -> None:
    """A rerun of what is complete asks nothing of helm and the builder, exports nothing and writes nothing."""
    inputs, registry = start(path, "seed", tmp_path)
    assert World(tmp_path / "first", inputs, registry).run().exit == 0
    world = World(tmp_path / "again", inputs, registry)
    document = world.run()
    assert document.exit == 0
    assert {entry.action for entry in document.entries} == {"skip"}
    assert (world.helm.calls.made, world.builder.calls.made, world.registry.writes) == ([], [], [])
    assert [name for name, *_ in world.steps()] == ["select", "describe", "describe", "observe", "plan"]
    assert not world.tools.folder.exists()


def test_nothing_is_written_before_all_can_be(tmp_path: Path) -> None:
    """No service writes before the charts and sources of all have passed, and its own image is built."""
    world = World(tmp_path, Asked("repo-per-service-v", services=THREE, parallel=3).release())
    seen: set[tuple[int, int]] = set()
    too_early: list[str] = []

    def look() -> None:
        packaged = [call for call in world.helm.calls.made if call.method == "package"]
        inspected = [call for call in world.builder.calls.made if call.method == "inspect"]
        seen.add((len(packaged), len(inspected)))

    def built(service: str) -> None:
        too_early.extend(call.about for call in world.registry.writes if f"/{service}-" in call.about)

    for method in WRITES:
        world.registry.calls.intervene(method, look, times=None)
    for service in THREE:
        world.builder.calls.intervene("build", partial(built, service), when="after", about=service)
    assert world.run().exit == 0
    assert seen == {(3, 3)}
    assert too_early == []


@pytest.mark.parametrize("path", ["release", "stable"])
def test_plan_only(tmp_path: Path, path: str) -> None:
    """A plan checks and packages the chart, and ends before anything is built or written; nothing is verified."""
    inputs, registry = start(path, "seed", tmp_path)
    world = World(tmp_path / "run", inputs, registry)
    before = registry.contents()
    document = world.run(only_plan=True)
    assert document.exit == 0
    assert {entry.action for entry in document.entries} == {"publish"}
    assert not any(entry.written for entry in document.entries)
    assert registry.contents() == before
    assert "package" in {call.method for call in world.helm.calls.made}
    assert "build" not in {call.method for call in world.builder.calls.made}
    assert {"chart", "plan"} <= {name for name, *_ in world.steps()}
    assert not {"build", "publish image", "publish chart", "verify"} & {name for name, *_ in world.steps()}


# --- what stops what --------------------------------------------------------------------------------------------------


def reading(world: World, error: ReleaseError) -> None:
    """Let the observation of a service fail."""
    world.registry.calls.intervene("manifest", raising(error), about=":s3-v1.2.3")


def linting(world: World, error: ReleaseError) -> None:
    """Let the check of its chart fail."""
    world.helm.calls.intervene("lint", raising(error), about="s3-chart")


def inspecting(world: World, error: ReleaseError) -> None:
    """Let the look at its source fail."""
    world.builder.calls.intervene("inspect", raising(error), about="services/s3/cmd/controller")


def building(world: World, error: ReleaseError) -> None:
    """Let its build fail."""
    world.builder.calls.intervene("build", raising(error), about="s3")


def sending(world: World, error: ReleaseError) -> None:
    """Let the first write of its image fail."""
    world.registry.calls.intervene("put_manifest", raising(error), about=":s3-v1.2.3")


ALONE = {
    "observed, 7": (reading, RegistryFailed("no answer"), "observe"),
    "observed, 8": (reading, CredentialsRefused("403"), "observe"),
    "packaged, 4": (linting, ChartUnusable("no"), "chart"),
    "inspected, 6": (inspecting, BuildFailed("no"), "build"),
    "built, 6": (building, BuildFailed("no"), "build"),
    "sent, 7": (sending, RegistryAnswerWrong("cut"), "publish image"),
    "sent, 8": (sending, CredentialsRefused("401"), "publish image"),
}


@pytest.mark.parametrize(("inject", "error", "step"), ALONE.values(), ids=ALONE)
def test_a_service_fails_alone(
    tmp_path: Path, inject: Callable[[World, ReleaseError], None], error: ReleaseError, step: str
) -> None:
    """Whatever fails for one service, and wherever: it stops there and writes no name, and the others are released."""
    world = World(tmp_path, Asked(services=THREE).release())
    inject(world, error)
    document = world.run()
    assert document.exit == error.exit_code
    assert [(one.service, one.code, one.step) for one in document.errors] == [("s3", error.code, step)]
    assert of_service(world, "s3")[-1] == f"{step} failed"
    others = [name for service in ("ecr", "sns") for name in map(str, SEED.release_names(service=service))]
    assert sorted(world.tags()) == sorted(others)
    assert world.steps()[-1] == ("verify", None, "passed")


@pytest.mark.parametrize("inject", [reading, linting, inspecting])
@pytest.mark.parametrize(
    "error", [UsageInvalid("wrong"), ToolUnusable("gone"), NotARelease("moved"), RunEnded("SIGTERM")]
)
def test_what_stops_the_whole_run(
    tmp_path: Path, inject: Callable[[World, ReleaseError], None], error: ReleaseError
) -> None:
    """What is wrong with the whole run stops every service before anything is built or written."""
    world = World(tmp_path, Asked(services=THREE).release())
    inject(world, error)
    document = world.run()
    assert document.exit == error.exit_code
    assert (world.registry.writes, world.tags()) == ([], {})
    assert "build" not in {call.method for call in world.builder.calls.made}
    assert len(document.errors) == 1, "it is told once"


@pytest.mark.parametrize(("tool", "method"), [("helm", "version"), ("builder", "check")])
def test_without_a_tool(tmp_path: Path, tool: str, method: str) -> None:
    """A tool that is missing stops the run before any chart is looked at."""
    world = World(tmp_path, Asked(services=THREE).release())
    calls = world.helm.calls if tool == "helm" else world.builder.calls
    calls.intervene(method, raising(ToolUnusable("gone")))
    assert world.run().exit == 2
    assert [call.method for call in world.helm.calls.made] == ["version"]
    assert world.registry.writes == []


def test_a_bug_stops_its_service_only(tmp_path: Path) -> None:
    """An exception that nobody expects is a bug, of its service; the others are released."""
    world = World(tmp_path, Asked(services=THREE).release())
    world.helm.calls.intervene("render", raising(KeyError("x")), about="s3-chart")
    document = world.run()
    assert document.exit == 1
    assert [(error.service, error.code) for error in document.errors] == [("s3", "bug")]
    assert len(world.tags()) == 6


def test_nothing_is_verified_where_nothing_was_published(tmp_path: Path) -> None:
    """Where every service fails there is no last look."""
    world = World(tmp_path, Asked(services=THREE).release())
    world.builder.calls.intervene("build", raising(BuildFailed("no")), times=None)
    assert world.run().exit == 6
    assert "verify" not in {name for name, *_ in world.steps()}


@pytest.mark.parametrize("only_plan", [True, False])
@pytest.mark.parametrize(
    ("inject", "error"),
    [
        (reading, RegistryFailed("no answer")),
        (linting, ChartUnusable("no")),
        (inspecting, BuildFailed("no")),
        (linting, ToolUnusable("gone")),
    ],
)
def test_a_plan_exits_as_the_run_would(
    tmp_path: Path, inject: Callable[[World, ReleaseError], None], error: ReleaseError, *, only_plan: bool
) -> None:
    """What is seen before anything is built gives a plan the run's exit code."""
    world = World(tmp_path, Asked(services=THREE).release())
    inject(world, error)
    assert world.run(only_plan=only_plan).exit == error.exit_code


def test_services_that_pass_go_into_the_folder(tmp_path: Path) -> None:
    """A layout folder holds the services that passed, whole, and nothing of one that failed."""
    options = Options(to_layout=tmp_path / "layout")
    world = World(tmp_path / "run", Asked(services=THREE, options=options).release())
    building(world, BuildFailed("no"))
    document = world.run()
    assert document.exit == 6
    assert (tmp_path / "layout" / INDEX).exists()
    written = {entry.service for entry in document.entries if entry.written}
    assert written == {"ecr", "sns"}
    assert world.registry.calls.made == []


def test_a_conflict_is_told_and_leaves_the_others(tmp_path: Path) -> None:
    """A release name that holds something else stays as it is, with exit 5, and other services are released."""
    world = World(tmp_path / "run", Asked(services=THREE).release())
    image = SEED.image_name()
    theirs = base_layout(tmp_path / "theirs")
    push(world.registry.another(), image.repository, image.tag, theirs)
    assert world.run().exit == 5
    others = [name for service in ("ecr", "sns") for name in SEED.release_names(service=service)]
    tags = world.tags()
    assert tags.pop(str(image)) == theirs.root.digest
    assert tags.keys() == set(map(str, others))


# --- whenever a run ends ----------------------------------------------------------------------------------------------


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads and blobs one after the other, so that the same run makes its calls in the same order."""
    monkeypatch.setattr(observed_module, "PARALLEL_READS", 1)
    monkeypatch.setattr(publishing, "PARALLEL_BLOBS", 1)


every_path = pytest.mark.parametrize(
    ("path", "scheme"),
    [*((path, scheme) for path in ("release", "stable") for scheme in SCHEMES), ("backwards", "seed")],
)


def start(path: str, scheme: str, folder: Path) -> tuple[Inputs, MemoryRegistry]:
    """What a run is asked for, and what is there before: on stable the release, and the chart that it replaces."""
    if path == "release":
        return Asked(scheme).release(), MemoryRegistry()
    registry = released(folder, scheme)
    before = "1.2.3" if path == "stable" else "1.4.0"
    earlier = World(folder / "earlier", Asked(scheme).stable(before, commit=OTHER), registry, now=COMMITTED)
    assert earlier.run().exit == 0
    if path == "stable":
        return Asked(scheme).stable("1.3.0"), registry
    meant = (("Stable-Move", "backwards"),)
    return Asked(scheme, trailers=meant).stable("1.3.0", after=(OTHER,)), registry


@dataclass(frozen=True)
class Undisturbed:
    """A run that nothing disturbs, and its state before: what others are compared with."""

    path: str
    scheme: str
    inputs: Inputs
    before: MemoryRegistry
    run: World

    @classmethod
    def of(cls, path: str, scheme: str, folder: Path) -> Undisturbed:
        """Carry it out."""
        inputs, registry = start(path, scheme, folder)
        run = World(folder / "run", inputs, MemoryRegistry(registry.contents()))
        assert run.run().exit == 0
        return cls(path, scheme, inputs, registry, run)

    def again(self, folder: Path) -> World:
        """The same run from the same state."""
        return World(folder, self.inputs, MemoryRegistry(self.before.contents()))

    @property
    def calls(self) -> list[Call]:
        """The calls that it made."""
        return self.run.registry.calls.made

    @property
    def names(self) -> list[Name]:
        """Every name whose content is a promise: those of a release, or the moving ones."""
        names = SCHEMES[self.scheme]
        return names.release_names() if self.path == "release" else names.stable_names()


def timeless(contents: Mapping[Repository, Content]) -> dict[Repository, tuple[Any, ...]]:
    """What registries hold, without the times in the names of histories; each name counts."""
    return {
        repository: (
            content.blobs,
            content.manifests,
            sorted((re.sub(r"\d{8}T\d{6}Z", "TIME", tag), digest) for tag, digest in content.tags.items()),
        )
        for repository, content in contents.items()
    }


def all_of(registry: MemoryRegistry, name: str) -> set[str]:
    """Whatever a write of this name, or of what it holds, would be about."""
    repository, _, tag = name.rpartition(":")
    [content] = [one for place, one in registry.contents().items() if str(place) == repository]
    root = content.manifests[content.tags[tag]]
    manifests = [root, *(content.manifests[child.digest] for child in root.children)]
    digests = {one.digest for one in manifests} | {blob.digest for one in manifests for blob in one.blobs}
    return {name, *(f"{repository}@{digest}" for digest in digests)}


def check_rerun(world: World, before: Mapping[str, str], done: Mapping[str, str], image: Name) -> None:
    """Check that a run that went on sent nothing again of what the names hold that were written.

    The manifest itself is sent again where a further name of it is written beside.
    """
    again = {call.about for call in world.registry.writes}
    now = world.tags()
    for name, digest in done.items():
        if before.get(name) != digest:
            repository = name.rpartition(":")[0]
            beside = [other for other in again & now.keys() if other.startswith(f"{repository}:")]
            allowed = {f"{repository}@{digest}"} if any(now[other] == digest for other in beside) else set()
            assert not again & all_of(world.registry, name) - allowed, f"{name} was written before"
    if str(image) in done:
        assert "build" not in {call.method for call in world.builder.calls.made}


@every_path
@pytest.mark.usefixtures("one_at_a_time")
def test_killed_before_any_write(tmp_path: Path, path: str, scheme: str) -> None:
    """Wherever a run is killed, a rerun completes: the same content, one history, nothing sent again that is named."""
    whole = Undisturbed.of(path, scheme, tmp_path / "whole")
    before = tags_in(whole.before)
    writes = [call for call in whole.calls if call.method in WRITES]
    assert len(writes) >= 4
    for number in range(len(writes)):
        first = whole.again(tmp_path / str(number) / "first")
        kill_at(first.registry, number)
        with pytest.raises(Killed):
            first.run()
        assert len(first.registry.writes) <= number
        done = first.tags()
        world = World(tmp_path / str(number) / "again", whole.inputs, first.registry, now=later())
        assert world.run().exit == 0
        assert timeless(world.contents()) == timeless(whole.run.contents())
        check_rerun(world, before, done, SCHEMES[scheme].image_name())


@pytest.mark.parametrize("path", ["release", "stable", "backwards"])
@pytest.mark.usefixtures("one_at_a_time")
def test_killed_again_and_again(tmp_path: Path, path: str) -> None:
    """However often a run is killed, one that is not leaves what an undisturbed run leaves, and no more history."""
    whole = Undisturbed.of(path, "seed", tmp_path / "whole")
    folders = (tmp_path / str(number) for number in itertools.count())

    @settings(deadline=None, max_examples=20)
    @given(kills=st.lists(st.integers(0, 20), max_size=5))
    def check(kills: list[int]) -> None:
        registry = MemoryRegistry(whole.before.contents())
        for number, place in enumerate(kills):
            world = World(next(folders), whole.inputs, registry, now=later(number))
            kill_at(world.registry, place)
            with suppress(Killed):
                world.run()
        last = World(next(folders), whole.inputs, registry, now=later())
        assert last.run().exit == 0
        assert timeless(last.contents()) == timeless(whole.run.contents())

    check()


# --- whenever somebody else writes ------------------------------------------------------------------------------------


def fetched(registry: MemoryRegistry, name: Name, folder: Path) -> Artifact:
    """What a name holds, as files."""
    content = registry.contents()[name.repository]
    root = content.manifests[content.tags[name.tag]]
    children = tuple(content.manifests[child.digest] for child in root.children)
    folder.mkdir(exist_ok=True)
    listed = [blob for manifest in (root, *children) for blob in manifest.blobs]
    blobs = [write_blob(folder, blob.media_type, content.blobs[blob.digest]) for blob in listed]
    return Artifact(root, children, tuple(blobs))


def their_artifact(path: str, scheme: str, folder: Path) -> Artifact:
    """What somebody else writes: something of no release; on stable a chart that is newer than ours."""
    if path == "release":
        return base_layout(folder / "theirs", top={"author": "them"})
    _, registry = start(path, scheme, folder)
    newer = World(folder / "newer", Asked(scheme).stable("1.9.0", commit=THEIRS), registry, now=later())
    assert newer.run().exit == 0
    return fetched(registry, SCHEMES[scheme].stable_names()[0], folder / "theirs")


def moments(whole: Undisturbed) -> Iterator[tuple[int, Name, bool]]:
    """Before which call of a run, counted from 0, which name is written to, and whether the run looks at it after that.

    Left out is the one moment that registries leave open: between the last look at a name and its own write.
    """
    for name in whole.names:
        last = max(number for number, call in enumerate(whole.calls) if call == ("manifest", str(name)))
        for number, call in enumerate(whole.calls):
            if call != ("put_manifest", str(name)):
                yield number, name, number <= last


@every_path
@pytest.mark.usefixtures("one_at_a_time")
def test_what_somebody_else_writes_stays(tmp_path: Path, path: str, scheme: str) -> None:
    """Whenever somebody else writes one of our names, it is not written over, and the run that sees it ends with 5."""
    theirs = their_artifact(path, scheme, tmp_path / "other")
    whole = Undisturbed.of(path, scheme, tmp_path / "whole")
    image, *charts = SCHEMES[scheme].release_names()
    for place, (number, name, seen) in enumerate(moments(whole)):
        world = whole.again(tmp_path / str(place))
        ours: list[bool] = []

        def write(world: World = world, name: Name = name, ours: list[bool] = ours) -> None:
            ours.append(str(name) in {call.about for call in world.registry.writes})
            push(world.registry.another(), name.repository, name.tag, theirs)

        at_call(world.registry, number, write)
        document = world.run()
        assert len(ours) == 1, "the run made that call"
        assert world.tags()[str(name)] == theirs.root.digest, f"{name} at call {number}"
        assert document.exit == (5 if seen else 0), f"{name} at call {number}"
        if path == "release" and name == image and not ours[0]:
            assert not world.tags().keys() & set(map(str, charts)), "no chart goes out without its image"


# --- whatever is there before -----------------------------------------------------------------------------------------


def without_a_commit(artifact: Artifact) -> Artifact:
    """The same as the former job published it: nothing says of which commit it is."""
    document = {key: value for key, value in artifact.root.document.items() if key != "annotations"}
    return replace(artifact, root=Manifest.write(artifact.root.media_type, document))


def complete(folder: Path, inputs: Inputs, registry: MemoryRegistry | None = None) -> MemoryRegistry:
    """What is there after such a run."""
    world = World(folder / "run", inputs, registry)
    assert world.run().exit == 0
    return world.registry


def test_release_over_any_state(tmp_path: Path) -> None:
    """Whatever a release finds: what holds something keeps it, a conflict writes nothing, and all else completes."""
    image, *charts = SEED.release_names()
    ours = complete(tmp_path / "ours", Asked().release())
    others = complete(tmp_path / "others", Asked(edits={"helm/more": b"x"}).release(commit=OTHER))
    pools: dict[Name, dict[str, Artifact | None]] = {}
    for name in (image, *charts):
        mine, theirs = (
            fetched(registry, name, tmp_path / f"{place}-{name.tag}")
            for place, registry in (("ours", ours), ("others", others))
        )
        former = {"former": without_a_commit(mine), "former, other files": without_a_commit(theirs)}
        pools[name] = {"absent": None, "ours": mine, "of another commit": theirs, **former}
    # An image without a commit is nobody's; a chart is told by its files.
    conflicts = {name: {"of another commit", "former, other files"} for name in charts}
    conflicts[image] = {"of another commit", "former", "former, other files"}
    folders = (tmp_path / str(number) for number in itertools.count())

    @settings(deadline=None, max_examples=40)
    @given(states=st.fixed_dictionaries({name: st.sampled_from(sorted(pool)) for name, pool in pools.items()}))
    def check(states: dict[Name, str]) -> None:
        registry = MemoryRegistry()
        for name, state in states.items():
            artifact = pools[name][state]
            if artifact is not None:
                push(registry, name.repository, name.tag, artifact)
        before = tags_in(registry)
        conflict = any(state in conflicts[name] for name, state in states.items())
        world = World(next(folders), Asked().release(), registry)
        assert world.run().exit == (5 if conflict else 0)
        after = world.tags()
        assert {name: after[name] for name in before} == before
        if conflict:
            assert world.registry.writes == []
            return
        assert after.keys() == set(map(str, (image, *charts)))
        again = World(next(folders), Asked().release(), registry)
        assert {entry.action for entry in again.run().entries} == {"skip"}
        assert again.registry.writes == []

    check()


def test_move_over_any_state(tmp_path: Path) -> None:
    """Whatever stable holds: nothing newer is replaced, and then nothing is written; all else moves, and once."""
    moving = SEED.stable_names()
    base = released(tmp_path)
    states = {
        "older": Asked().stable("1.2.3", commit=OTHER),
        "ours": Asked().stable("1.3.0"),
        "newer": Asked().stable("1.4.0", commit=THEIRS),
    }
    pool: dict[str, Artifact | None] = {"absent": None}
    for state, inputs in states.items():
        registry = complete(tmp_path / state, inputs, MemoryRegistry(base.contents()))
        pool[state] = fetched(registry, moving[0], tmp_path / f"{state}-chart")
        pool[f"{state}, without a commit"] = without_a_commit(fetched(registry, moving[0], tmp_path / f"{state}-bare"))
    folders = (tmp_path / str(number) for number in itertools.count())

    @settings(deadline=None, max_examples=40)
    @given(states=st.tuples(*[st.sampled_from(sorted(pool))] * 2))
    def check(states: tuple[str, str]) -> None:
        registry = MemoryRegistry(base.contents())
        for name, state in zip(moving, states, strict=True):
            if (artifact := pool[state]) is not None:
                push(registry, name.repository, name.tag, artifact)
        before = tags_in(registry)
        world = World(next(folders), Asked().stable("1.3.0"), registry)
        # What says nothing of itself stands at its appVersion, which is that of all of these.
        newer = "newer" in states
        assert world.run().exit == (5 if newer else 0)
        after = world.tags()
        if newer:
            assert (after, world.registry.writes) == (before, [])
            return
        ours = pool["ours"]
        assert ours is not None
        assert {after[str(name)] for name in moving} == {ours.root.digest}
        history = after.keys() - before.keys() - set(map(str, moving))
        assert len(history) == sum(state != "ours" for state in states)
        again = World(next(folders), Asked().stable("1.3.0"), registry, now=later())
        assert {entry.action for entry in again.run().entries} == {"skip"}
        assert again.registry.writes == []

    check()
