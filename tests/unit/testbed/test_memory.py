"""What only the fakes have: notes of their calls, and places where a test can step in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from runner.builders.go import GoBuilder
from runner.chart.helm import Helm
from runner.errors import BuildFailed, ChartUnusable, RegistryFailed, TagChanged
from runner.oci.name import Repository
from runner.oci.registry import Registry
from runner.source.clone import Clone
from testbed.base_images import base_layout, push
from testbed.memory.builder import MemoryBuilder
from testbed.memory.calls import Call, Calls, raising
from testbed.memory.clone import MemoryClone
from testbed.memory.helm import MemoryHelm
from testbed.memory.registry import NO_ANSWER, RETRIES, MemoryRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from runner.oci.artifact import Artifact
    from runner.oci.manifest import Manifest

HOME = Repository("registry.example", "team/image")


def public(kind: type) -> set[str]:
    return {name for name, value in vars(kind).items() if callable(value) and not name.startswith("_")}


@pytest.fixture
def image(tmp_path: Path) -> Artifact:
    return base_layout(tmp_path / "image")


@pytest.mark.parametrize(("fake", "real"), [(MemoryRegistry, Registry), (MemoryHelm, Helm), (MemoryClone, Clone)])
def test_nothing_of_the_real_one_is_left(fake: type, real: type) -> None:
    """A fake has every public method of its own: none would reach the network or a program."""
    assert public(real) <= public(fake)


def test_fake_builder_has_what_a_builder_has() -> None:
    """The fake has every public method of a real builder."""
    assert public(GoBuilder) == public(MemoryBuilder)


# --- calls ------------------------------------------------------------------------------------------------------------


def test_calls_are_noted_in_order() -> None:
    """Each call is noted with its subject, before it is carried out, and gives what was worked out."""
    calls = Calls()
    assert calls.carry_out("a", "1", lambda: list(calls.made)) == [Call("a", "1")]
    assert calls.carry_out("b", "2", lambda: "worked out") == "worked out"
    assert calls.made == [Call("a", "1"), Call("b", "2")]


def test_moments_of_stepping_in() -> None:
    """What is asked for is done before and after the work; what stands in its place gives the result."""
    calls, order = Calls(), list[str]()
    calls.intervene("a", lambda: order.append("after"), when="after")
    calls.intervene("a", lambda: order.append("before"), when="before")
    calls.carry_out("a", "", lambda: order.append("work"))
    assert order == ["before", "work", "after"]
    calls.intervene("a", lambda: 7, when="instead")
    assert [calls.carry_out("a", "", lambda: 1) for _ in range(2)] == [7, 1]


def test_which_calls_are_met() -> None:
    """Only calls of the method whose subject ends as asked are met: after some, and as often as asked."""
    calls, met = Calls(), list[Call]()
    calls.intervene("a", lambda: met.append(calls.made[-1]), about=":v1", skip=1, times=2)
    for number in range(4):
        for method, about in (("a", f"{number}:v1"), ("b", f"{number}:v1"), ("a", "x:v2"), ("a", "x:v1-rc")):
            calls.carry_out(method, about, lambda: None)
    assert met == [Call("a", "1:v1"), Call("a", "2:v1")]


@pytest.mark.parametrize(("times", "failures"), [(1, 1), (2, 2), (None, 4)])
def test_failing_once_or_always(times: int | None, failures: int) -> None:
    """A call raises as often as asked, and its work is not done then."""
    calls, done = Calls(), list[str]()
    calls.intervene("a", raising(BuildFailed("x")), times=times)
    for _ in range(failures):
        with pytest.raises(BuildFailed):
            calls.carry_out("a", "", lambda: done.append("work"))
    assert done == []
    if times is not None:
        calls.carry_out("a", "", lambda: done.append("work"))
        assert done == ["work"]


def test_failing_although_it_was_carried_out() -> None:
    """A call may raise after its work was done."""
    calls, done = Calls(), list[str]()
    calls.intervene("a", raising(BuildFailed("x")), when="after")
    with pytest.raises(BuildFailed):
        calls.carry_out("a", "", lambda: done.append("work"))
    assert done == ["work"]


def test_many_threads_are_counted() -> None:
    """Of calls that many threads make at once none is lost, and none is met twice."""
    calls, met = Calls(), list[int]()
    calls.intervene("a", lambda: met.append(1), skip=100, times=50)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: calls.carry_out("a", "", lambda: None), range(1000)))
    assert (len(calls.made), len(met)) == (1000, 50)


# --- registry ---------------------------------------------------------------------------------------------------------


def test_writes_are_what_changed_something(image: Artifact) -> None:
    """Writes stand in their order, by name or digest; what was there already is none, and a refused one neither."""
    registry = MemoryRegistry()
    with pytest.raises(RegistryFailed):
        registry.put_manifest(HOME, "v1", image.root)
    for _ in range(2):
        push(registry, HOME, "v1", image)
    blobs = [("send_blob", f"{HOME}@{blob.descriptor.digest}") for blob in image.blobs]
    manifests = [*(("put_manifest", f"{HOME}@{one.digest}") for one in image.children), ("put_manifest", f"{HOME}:v1")]
    assert registry.writes == [*blobs, *manifests, *manifests]


def test_reads_are_calls_and_no_writes(image: Artifact, tmp_path: Path) -> None:
    """Every reading is noted with what it is about, and changes nothing."""
    registry = MemoryRegistry()
    push(registry.another(), HOME, "v1", image)
    blob, digest = image.blobs[0].descriptor, image.blobs[0].descriptor.digest
    registry.manifest(HOME, "v1")
    registry.manifest(HOME, image.root.digest)
    registry.tags(HOME)
    registry.has_blob(HOME, digest)
    registry.read_blob(HOME, blob)
    registry.download_blob(HOME, blob, tmp_path / "blob")
    assert registry.calls.made == [
        ("manifest", f"{HOME}:v1"),
        ("manifest", f"{HOME}@{image.root.digest}"),
        ("tags", str(HOME)),
        ("has_blob", f"{HOME}@{digest}"),
        ("read_blob", f"{HOME}@{digest}"),
        ("download_blob", f"{HOME}@{digest}"),
    ]
    assert registry.writes == []


def test_another_client_sees_the_same(image: Artifact) -> None:
    """Two clients of the same registries hold one content, each with calls, writes and failures of its own."""
    one = MemoryRegistry()
    two = one.another()
    one.calls.intervene("manifest", raising(RegistryFailed("x")), times=None)
    push(two, HOME, "v1", image)
    assert two.manifest(HOME, "v1") == image.root
    assert (one.calls.made, one.writes) == ([], [])
    with pytest.raises(RegistryFailed):
        one.manifest(HOME, "v1")
    assert MemoryRegistry().manifest(HOME, "v1") is None


@pytest.mark.parametrize(
    "method", ["manifest", "tags", "has_blob", "read_blob", "download_blob", "send_blob", "put_manifest"]
)
def test_each_operation_can_fail(image: Artifact, tmp_path: Path, method: str) -> None:
    """Whatever is asked of a registry can be made to fail once, with nothing written, and works when asked again."""
    registry = MemoryRegistry()
    push(registry.another(), HOME, "v1", image)
    arguments = {
        "manifest": ("v1",),
        "tags": (),
        "has_blob": (image.blobs[0].descriptor.digest,),
        "read_blob": (image.blobs[0].descriptor,),
        "download_blob": (image.blobs[0].descriptor, tmp_path / "blob"),
        "send_blob": (image.blobs[0],),
        "put_manifest": ("v2", image.root),
    }[method]
    registry.calls.intervene(method, raising(RegistryFailed("made by the test")))
    with pytest.raises(RegistryFailed, match="made by the test"):
        getattr(registry, method)(HOME, *arguments)
    assert registry.writes == []
    getattr(registry, method)(HOME, *arguments)


def test_another_writer_between_two_reads(image: Artifact) -> None:
    """Somebody who writes between two reads of a tag is seen by the second alone."""
    registry = MemoryRegistry()
    registry.calls.intervene("manifest", lambda: push(registry.another(), HOME, "v1", image), about=":v1", skip=1)
    assert [registry.manifest(HOME, "v1") for _ in range(3)] == [None, image.root, image.root]


def test_broken_connections_are_repeated_and_given_up(image: Artifact) -> None:
    """A call whose connection breaks is repeated; one that breaks each time fails as the real one does."""
    registry = MemoryRegistry()
    registry.calls.intervene("manifest", raising(NO_ANSWER), times=RETRIES.attempts - 1)
    assert registry.manifest(HOME, "v1") is None
    assert len(registry.calls.made) == RETRIES.attempts
    registry.calls.intervene("manifest", raising(NO_ANSWER), times=None)
    with pytest.raises(RegistryFailed, match="failed 4 times, the last 0 s after the first: no answer"):
        registry.manifest(HOME, image.root.digest)


def test_lost_answer_to_a_blob(image: Artifact) -> None:
    """A blob whose upload was not answered is found, sent once, and reported as uploaded."""
    registry = MemoryRegistry()
    registry.calls.intervene("send_blob", raising(NO_ANSWER), when="after")
    assert registry.send_blob(HOME, image.blobs[0]) == "uploaded"
    assert len(registry.writes) == 1
    assert len(registry.calls.made) == 2


def test_another_writer_between_two_attempts(image: Artifact, tmp_path: Path) -> None:
    """Who writes a tag between two attempts is spared, and only their write is there."""
    registry, theirs = MemoryRegistry(), base_layout(tmp_path / "theirs", top={"author": "them"})
    push(registry, HOME, "other", image)
    registry.writes.clear()

    def meanwhile() -> None:
        push(registry.another(), HOME, "v1", theirs)
        raise NO_ANSWER

    registry.calls.intervene("put_manifest", meanwhile, about=":v1")
    with pytest.raises(TagChanged):
        registry.put_manifest(HOME, "v1", image.root)
    assert registry.writes == []
    assert registry.manifest(HOME, "v1") == theirs.root


def test_answer_in_place_of_what_is_there(image: Artifact) -> None:
    """A registry whose reads lag behind its writes is played by answers in their place."""
    registry = MemoryRegistry()
    push(registry, HOME, "v1", image)
    registry.calls.intervene("manifest", lambda: None, when="instead", times=2)
    found: list[Manifest | None] = [registry.manifest(HOME, "v1") for _ in range(3)]
    assert found == [None, None, image.root]


def test_contents_are_a_copy(image: Artifact) -> None:
    """What is there can be compared later; comparing is no call, and a repository that was only read is not there."""
    registry = MemoryRegistry()
    registry.manifest(Repository("registry.example", "other"), "v1")
    registry.calls.made.clear()
    before = registry.contents()
    push(registry, HOME, "v1", image)
    after = registry.contents()
    assert (before, set(after)) == ({}, {HOME})
    assert after[HOME].tags == {"v1": image.root.digest}
    assert set(after[HOME].manifests) == {image.root.digest, *(child.digest for child in image.children)}
    assert set(after[HOME].blobs) == {blob.descriptor.digest for blob in image.blobs}
    assert registry.another().contents() == after
    other = MemoryRegistry(after)
    assert other.contents() == after
    other.forget(HOME, "v1")
    assert registry.contents() == after, "each has its own"
    assert {call.method for call in registry.calls.made} == {"send_blob", "put_manifest"}


def test_what_is_gone(image: Artifact) -> None:
    """A tag, a manifest and a blob can be gone, each alone; what is not there cannot."""
    registry = MemoryRegistry()
    push(registry, HOME, "v1", image)
    child, blob = image.children[0].digest, image.blobs[0].descriptor.digest
    for reference in ("v1", child, blob):
        registry.forget(HOME, reference)
    assert registry.manifest(HOME, "v1") is None
    assert registry.manifest(HOME, child) is None
    assert not registry.has_blob(HOME, blob)
    assert registry.manifest(HOME, image.root.digest) == image.root
    with pytest.raises(ValueError, match="team/image has no v1"):
        registry.forget(HOME, "v1")


# --- helm and builder -------------------------------------------------------------------------------------------------


def test_helm_notes_and_warns(tmp_path: Path) -> None:
    """Calls are noted by the chart's folder; lint says what it was set to say; each can be made to fail."""
    chart = tmp_path / "s3-chart"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("name: s3-chart\nversion: 1.2.3\n")
    helm = MemoryHelm("3.17.0", ("icon is recommended",))
    helm.calls.intervene("package", raising(ChartUnusable("x")), about="s3-chart")
    assert (helm.version(), helm.lint(chart)) == ("3.17.0", ("icon is recommended",))
    helm.render(chart)
    with pytest.raises(ChartUnusable):
        helm.package(chart, tmp_path)
    assert helm.calls.made == [("version", ""), *((one, "s3-chart") for one in ("lint", "render", "package"))]
    assert [path.name for path in tmp_path.iterdir()] == ["s3-chart"]


def test_builder_notes_and_fails(tmp_path: Path) -> None:
    """Calls are noted, and each can be made to fail."""
    (tmp_path / "cmd").mkdir()
    builder = MemoryBuilder("9.9", ("look",))
    builder.calls.intervene("inspect", raising(BuildFailed("as asked")), skip=1)
    builder.inspect(tmp_path, "cmd", ())
    with pytest.raises(BuildFailed, match="as asked"):
        builder.inspect(tmp_path, "cmd", ())
    assert builder.check() == "9.9"
    assert builder.calls.made == [("inspect", "cmd"), ("inspect", "cmd"), ("check", "")]
