"""Two whole runs before one registry, each held at a fixed request while the other goes on: what both leave and say.

The proxy holds a run before the registry sees one request of it, so that each schedule is the same every time. Helm and
the builder are those in memory; the pipeline, the client and the registry are real.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import pytest

from runner.annotations import RELEASE_IMAGE, RELEASE_RESOLVED_VERSION
from runner.config.settings import Options
from runner.errors import ReleaseError
from runner.oci.credentials import Anonymous
from runner.oci.manifest import REVISION, Manifest
from runner.oci.registry import Registry
from runner.oci.transport import Transport
from runner.published import observed as observed_module
from runner.run import pipeline, stages
from runner.run.publish import registry as publishing
from runner.run.publish.registry import RegistryDestination
from runner.runtime.lifetime import Lifetime
from testbed.faults.proxy import FaultProxy
from tests.support.registry import crane_registry
from tests.support.stages import COMMIT, SCHEMES, Asked, World, later

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from runner.oci.name import Name
    from runner.report.record import RecordDocument
    from runner.run.inputs import Inputs
    from runner.session import Session
    from testbed.faults.rules import Held

OTHER = "d" * 40
LIMIT = 60.0
SEED = SCHEMES["seed"]
MOMENTS = {
    "observe": ("GET", 0),
    "read before the tag": ("GET", 1),
    "tag": ("PUT", 0),
    "read back": ("GET", 2),
    "end of the run": ("GET", 3),
}
"""Before which request for a name a run is held: its method, and how many like it pass first."""


class Point(NamedTuple):
    """Where a run is held: at a moment of a name, given as its repository below the namespace and its tag."""

    repository: str
    tag: str
    moment: str

    @property
    def path(self) -> str:
        """What requests for the name end with, as a regular expression."""
        return rf"/{self.repository}/manifests/{self.tag}$"

    def __str__(self) -> str:
        return f"{self.moment} of {self.repository}"


@dataclass(frozen=True)
class Rig:
    """A registry behind a proxy, and a namespace in it for each schedule."""

    proxy: FaultProxy
    folder: Path
    client: Registry
    worlds: dict[int, World]
    numbers: Iterator[int]

    def namespace(self) -> str:
        """A place in the registry that nobody has used; all that the proxy remembers is forgotten."""
        self.proxy.clear()
        return f"{self.proxy.host}/ack{next(self.numbers)}"

    @contextlib.contextmanager
    def world(self, inputs: Inputs, now: datetime | None = None) -> Iterator[World]:
        """A run with a client of its own."""
        folder = self.folder / str(next(self.numbers))
        world = World(folder, inputs) if now is None else World(folder, inputs, now=now)
        with Transport(Lifetime(), {}) as transport:
            registry = Registry(transport, Anonymous())

            def written(name: Name, digest: str | None) -> None:
                world.record.written(str(name), digest)

            destination = RegistryDestination(registry, world.lifetime, world.session.log.info, written=written)
            world.tools = replace(world.tools, registry=registry, destination=destination)
            self.worlds[id(world.session)] = world
            yield world

    def interleave(self, first: World, held: Point, second: World, then: Point | None) -> tuple[RecordDocument, ...]:
        """Hold the first run, let the second go on to where it is held (None: to its end), then end both in order."""
        with ThreadPoolExecutor(2) as pool:
            one, running = self._until(first, held, pool)
            if then is None:
                ended = run(second)
                one.let_go(forward=True)
                return running.result(LIMIT), ended
            other, also = self._until(second, then, pool)
            one.let_go(forward=True)
            document = running.result(LIMIT)
            other.let_go(forward=True)
            return document, also.result(LIMIT)

    def _until(self, world: World, point: Point, pool: ThreadPoolExecutor) -> tuple[Held, Future[RecordDocument]]:
        """Start a run and wait until it is held; one that ends before lets the next request like it pass."""
        method, skip = MOMENTS[point.moment]
        held = self.proxy.hold(method=method, path=point.path, skip=skip)
        running = pool.submit(run, world)
        deadline = time.monotonic() + LIMIT
        while not held.reached.wait(0.005):
            if running.done():
                held.let_go(forward=True)
                break
            assert time.monotonic() < deadline, f"{point} is never reached"
        return held, running

    def holds(self, name: Name) -> Manifest | None:
        """What a name holds in the end."""
        return self.client.manifest(name.repository, name.tag)

    def writes_of(self, name: Name) -> int:
        """How often a name was written."""
        return self.proxy.count("PUT", f"/{name.repository.path}/manifests/{name.tag}$")


def run(world: World) -> RecordDocument:
    """A whole run, up to its record."""
    try:
        pipeline.release(Options(), world.session, only_plan=False)
    except ReleaseError as error:
        world.record.fail(error)
    return world.record.close()


@pytest.fixture
def rig(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    worlds: dict[int, World] = {}

    def inputs_of(_: Options, session: Session) -> Inputs:
        return worlds[id(session)].inputs

    monkeypatch.setattr(pipeline, "read_inputs", inputs_of)
    monkeypatch.setattr(stages, "open_tools", lambda _, session, **__: worlds[id(session)].tools)
    # One request after the other, so that the same one is held each time.
    monkeypatch.setattr(observed_module, "PARALLEL_READS", 1)
    monkeypatch.setattr(publishing, "PARALLEL_BLOBS", 1)
    with crane_registry(tmp_path / "registry") as server, FaultProxy(server.host) as proxy:
        yield Rig(proxy, tmp_path / "runs", registry, worlds, itertools.count())


def points(*names: Name) -> list[Point]:
    """Every moment of these names."""
    return [Point(name.repository.path.rpartition("/")[2], name.tag, moment) for name in names for moment in MOMENTS]


def to(namespace: str, scheme: str = "seed") -> Asked:
    """What is asked for in a namespace."""
    return Asked(scheme, options=Options(registry=namespace))


IMAGE, CHART, _ = SEED.release_names()


@pytest.mark.parametrize("held", points(IMAGE, CHART), ids=str)
def test_one_release_twice(rig: Rig, held: Point) -> None:
    """Two runs of one release: wherever they meet, both end well, and leave what one run leaves."""
    alone = rig.namespace()
    with rig.world(to(alone).release()) as world:
        assert run(world).exit == 0
    for then in (None, *points(IMAGE, CHART)):
        namespace = rig.namespace()
        asked = to(namespace)
        with rig.world(asked.release()) as first, rig.world(asked.release(), later()) as second:
            documents = rig.interleave(first, held, second, then)
        assert [document.exit for document in documents] == [0, 0], then
        names = SEED.release_names(registry=namespace)
        found = [rig.holds(name) for name in names]
        assert None not in found
        assert found[0] == rig.holds(SEED.image_name(registry=alone))
        assert found[1] == found[2]
        for document in documents:
            assert [entry.digest for entry in document.entries] == [one.digest for one in found if one], then


@pytest.mark.parametrize("held", points(IMAGE, CHART), ids=str)
def test_one_version_from_two_commits(rig: Rig, held: Point) -> None:
    """Two commits under one version: at most one run ends well, and it has every name; the other says 5, and why.

    Only where both write one name at the very same moment, which no registry can rule out, may names be of both; then
    the chart's own image answers all the same, and a run says 5.
    """
    for then in (None, *points(IMAGE, CHART)):
        namespace = rig.namespace()
        asked = to(namespace)
        with rig.world(asked.release()) as first, rig.world(asked.release(commit=OTHER)) as second:
            documents = rig.interleave(first, held, second, then)
        names = SEED.release_names(registry=namespace)
        found = [one for name in names if (one := rig.holds(name)) is not None]
        assert len(found) == len(names), then
        said = dict(zip((COMMIT, OTHER), documents, strict=True))
        lost = [document for document in documents if document.exit == 5]
        assert {document.exit for document in documents} <= {0, 5}
        assert lost, then
        assert {one.error.code for one in lost if one.error} <= {"tag-changed", "already-published"}
        image, chart = found[:2]
        deployed = chart.annotations[RELEASE_IMAGE].rpartition("@")[2]
        assert rig.client.manifest(names[0].repository, deployed) is not None
        if max(map(rig.writes_of, names)) == 1:
            [won] = {one.annotations[REVISION] for one in found}
            assert said[won].exit == 0, then
            assert deployed == image.digest
            assert not any(entry.written for document in lost for entry in document.entries), then
        elif deployed != image.digest:
            assert held.moment == "tag" or (then and then.moment == "tag")


@pytest.mark.parametrize("held", points(IMAGE, CHART), ids=str)
def test_two_releases_of_one_service(rig: Rig, held: Point) -> None:
    """Two versions of a service, whose names lie in the same repositories, do not disturb each other."""
    others = [Point(point.repository, "s3-v1.3.0", point.moment) for point in (held, *points(IMAGE)[:3])]
    for then in (None, *others):
        namespace = rig.namespace()
        newer = replace(to(namespace), services={"s3": "1.3.0"}).release("1.3.0", commit=OTHER)
        with rig.world(to(namespace).release()) as first, rig.world(newer) as second:
            documents = rig.interleave(first, held, second, then)
        assert [document.exit for document in documents] == [0, 0], then
        for version, revision in (("1.2.3", COMMIT), ("1.3.0", OTHER)):
            found = [rig.holds(name) for name in SEED.release_names(version, registry=namespace)]
            assert {one and one.annotations[REVISION] for one in found} == {revision}


def released(rig: Rig, scheme: str) -> Asked:
    """What is asked for where the image that stable deploys is published."""
    asked = to(rig.namespace(), scheme)
    with rig.world(asked.release()) as world:
        assert run(world).exit == 0
    return asked


def moved_to(rig: Rig, asked: Asked) -> set[str]:
    """Which releases the moving names follow in the end."""
    names = asked.names.stable_names(registry=str(asked.options.registry))
    found = [rig.holds(name) for name in names]
    return {one.annotations[RELEASE_RESOLVED_VERSION] for one in found if one is not None}


MOVING, _ = SEED.stable_names()
every_move = pytest.mark.parametrize(
    ("scheme", "held"),
    [(scheme, held) for scheme in ("seed", "repo-per-service") for held in points(SCHEMES[scheme].stable_names()[0])],
    ids=str,
)


@pytest.mark.parametrize("held", points(MOVING), ids=str)
def test_one_move_of_stable_twice(rig: Rig, held: Point) -> None:
    """Two runs of one move both end well, and stable is where the one run alone would have moved it."""
    for then in (None, *points(MOVING)):
        asked = released(rig, "seed")
        with rig.world(asked.stable()) as first, rig.world(asked.stable(), later()) as second:
            documents = rig.interleave(first, held, second, then)
        assert [document.exit for document in documents] == [0, 0], then
        assert moved_to(rig, asked) == {"1.3.0"}


@pytest.mark.parametrize("newer_first", [True, False], ids=["newer is held", "older is held"])
@every_move
def test_two_moves_of_stable(rig: Rig, scheme: str, held: Point, *, newer_first: bool) -> None:
    """Of two moves at once the newer one is what stays, or a run says 5; then a rerun of the newer one completes it."""
    for then in (None, *points(SCHEMES[scheme].stable_names()[0])):
        asked = released(rig, scheme)
        older, newer = asked.stable("1.3.0"), asked.stable("1.4.0", commit=OTHER, time=later())
        both = (newer, older) if newer_first else (older, newer)
        with rig.world(both[0]) as first, rig.world(both[1], later()) as second:
            documents = rig.interleave(first, held, second, then)
        exits = [document.exit for document in documents]
        assert set(exits) <= {0, 5}, then
        assert {one.error.code for one in documents if one.error} <= {"tag-changed", "stable-backwards"}
        if moved_to(rig, asked) != {"1.4.0"}:
            assert 5 in exits, then
            with rig.world(newer, later(7200)) as again:
                assert run(again).exit == 0, then
            assert moved_to(rig, asked) == {"1.4.0"}
