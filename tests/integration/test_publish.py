"""The publisher before a real registry: the order of its writes, and what it does when someone else writes too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.annotations import RELEASE_PLATFORMS
from runner.errors import NotVisibleYet, RegistryFailed, TagChanged, TagImmutable
from runner.oci.credentials import Anonymous
from runner.oci.manifest import OCI_LAYER, Platform
from runner.oci.name import Name
from runner.oci.registry import Registry
from runner.oci.transport import Transport
from runner.published.observed import ABSENT, Observation, Published, PublishedImage, observe, unanswered
from runner.run.publish.copy import published_artifact
from runner.run.publish.layout import LayoutDestination
from runner.run.publish.registry import RegistryDestination
from runner.runtime.lifetime import Lifetime
from testbed.base_images import AMD64, assemble, write_blob
from testbed.faults.proxy import FaultProxy
from tests.support.registry import crane_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.oci.artifact import Artifact


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[FaultProxy]:
    with crane_registry(tmp_path / "registry") as registry, FaultProxy(registry.host) as made:
        yield made


def destination(registry: Registry) -> RegistryDestination:
    """A destination that reports to nobody."""
    return RegistryDestination(registry, Lifetime(), lambda *_, **__: None)


def make_layout(folder: Path, text: str = "one", platforms: str = "linux/amd64") -> Artifact:
    """An image of one platform: an index, its manifest, a config and a layer."""
    folder.mkdir(exist_ok=True)
    config = {**AMD64.document(), "text": text}
    layer = write_blob(folder, OCI_LAYER, text.encode())
    return assemble(folder, [(AMD64, config, layer)], annotations={RELEASE_PLATFORMS: platforms})


def name(proxy: FaultProxy, text: str = "ns/controller:s3-v1.2.3") -> Name:
    """A name in the registry behind the proxy."""
    return Name.parse(f"{proxy.host}/{text}")


def test_content_goes_before_names_and_each_is_read_back(proxy: FaultProxy, registry: Registry, tmp_path: Path) -> None:
    """Blobs, child, root by digest, read back, read the tag, the tag, read back: in this order."""
    layout = make_layout(tmp_path / "image")
    destination(registry).publish(layout, [(name(proxy), ABSENT)])
    seen = [(one.method, one.path) for one in proxy.requests if "/manifests/" in one.path]
    base = "/v2/ns/controller/manifests/"
    child, root, tag = f"{base}{layout.children[0].digest}", f"{base}{layout.root.digest}", f"{base}s3-v1.2.3"
    assert seen == [("PUT", child), ("PUT", root), ("GET", root), ("GET", tag), ("PUT", tag), ("GET", tag)]
    last_blob = max(i for i, one in enumerate(proxy.requests) if "/blobs/" in one.path)
    first_manifest = min(i for i, one in enumerate(proxy.requests) if one.method == "PUT" and "/manifests/" in one.path)
    assert last_blob < first_manifest


def test_all_content_is_there_before_the_first_name(proxy: FaultProxy, registry: Registry, tmp_path: Path) -> None:
    """With names in two repositories, both hold the whole artifact before either has a name."""
    layout = make_layout(tmp_path / "image")
    names = [(name(proxy), ABSENT), (name(proxy, "ns/other:1.2.3"), ABSENT)]
    destination(registry).publish(layout, names)
    puts = [
        one.path.rpartition("/")[2][:6] for one in proxy.requests if one.method == "PUT" and "/manifests/" in one.path
    ]
    assert puts == ["sha256"] * 4 + ["s3-v1.", "1.2.3"]


@pytest.mark.parametrize("moment", ["before the tag is read again", "directly after it was written", "before the end"])
def test_another_writer_is_a_conflict(proxy: FaultProxy, registry: Registry, tmp_path: Path, moment: str) -> None:
    """Someone who writes the same name meanwhile is noticed before, after, and at the end; it is never overwritten."""
    ours, theirs = make_layout(tmp_path / "ours", "ours"), make_layout(tmp_path / "theirs", "theirs")
    target = name(proxy)
    mine = destination(registry)

    def other() -> None:
        direct = Name.parse(f"{proxy.upstream}/ns/controller:s3-v1.2.3")
        destination(registry).publish(theirs, [(direct, observe((direct,), registry)[direct])])

    tag = r"/manifests/s3-v1\.2\.3"
    if moment == "before the tag is read again":
        proxy.intervene(other, method="GET", path=tag)
        with pytest.raises(TagChanged, match="when this run planned"):
            mine.publish(ours, [(target, ABSENT)])
        assert proxy.count("PUT", tag) == 0
    elif moment == "directly after it was written":
        proxy.intervene(other, method="GET", path=tag, skip=1)
        with pytest.raises(TagChanged, match="directly after"):
            mine.publish(ours, [(target, ABSENT)])
    else:
        mine.publish(ours, [(target, ABSENT)])
        other()
        with pytest.raises(TagChanged, match="at the end"):
            mine.finish()


def test_a_retry_does_not_write_over_somebody_else(proxy: FaultProxy, registry: Registry, tmp_path: Path) -> None:
    """When the tag's PUT fails and somebody else writes it before the retry, theirs stays and the run is a conflict."""
    ours, theirs = make_layout(tmp_path / "ours", "ours"), make_layout(tmp_path / "theirs", "theirs")
    tag = r"/manifests/s3-v1\.2\.3"
    proxy.drop(method="PUT", path=tag, times=1)

    def other() -> None:
        direct = Name.parse(f"{proxy.upstream}/ns/controller:s3-v1.2.3")
        destination(registry).publish(theirs, [(direct, ABSENT)])

    proxy.intervene(other, method="GET", path=tag, skip=1)
    with pytest.raises(TagChanged, match="somebody else"):
        destination(registry).publish(ours, [(name(proxy), ABSENT)])
    held = observe((name(proxy),), registry)[name(proxy)]
    assert isinstance(held, Published)
    assert held.digest == theirs.root.digest


def test_a_name_that_holds_the_artifact_by_now_is_left_alone(
    proxy: FaultProxy, registry: Registry, tmp_path: Path
) -> None:
    """When an identical run was faster, the name is not written again."""
    layout = make_layout(tmp_path / "image")
    destination(registry).publish(layout, [(name(proxy), ABSENT)])
    proxy.clear()
    destination(registry).publish(layout, [(name(proxy), ABSENT)])
    assert proxy.count("PUT", r"/manifests/s3-v1") == 0


def test_a_moving_name_is_replaced_when_it_holds_what_was_observed(
    proxy: FaultProxy, registry: Registry, tmp_path: Path
) -> None:
    """A moving name is written over what was observed under it, and over nothing else."""
    old, new = make_layout(tmp_path / "old", "old"), make_layout(tmp_path / "new", "new")
    destination(registry).publish(old, [(name(proxy), ABSENT)])
    before = observe((name(proxy),), registry)[name(proxy)]
    destination(registry).publish(new, [(name(proxy), before)])
    after = observe((name(proxy),), registry)[name(proxy)]
    assert isinstance(after, Published)
    assert after.digest == new.root.digest
    with pytest.raises(TagChanged):
        destination(registry).publish(old, [(name(proxy), before)])


def test_a_registry_that_lags_is_waited_for(proxy: FaultProxy, registry: Registry, tmp_path: Path) -> None:
    """A tag that answers as absent for a while after it was written is read again until it is there."""
    proxy.fail(404, method="GET", path=r"/manifests/s3-v1", skip=1, times=3, code="MANIFEST_UNKNOWN")
    destination(registry).publish(make_layout(tmp_path / "image"), [(name(proxy), ABSENT)])
    assert proxy.count("GET", r"/manifests/s3-v1") == 5


def test_content_that_does_not_answer_gets_no_name(proxy: FaultProxy, registry: Registry, tmp_path: Path) -> None:
    """A root that was sent and is not there ends the run before any name is written."""
    proxy.fail(404, method="GET", path=r"/manifests/sha256:", code="MANIFEST_UNKNOWN")
    with pytest.raises(NotVisibleYet, match="pushed, but not yet visible"):
        destination(registry).publish(make_layout(tmp_path / "image"), [(name(proxy), ABSENT)])
    assert proxy.count("PUT", r"/manifests/s3-v1") == 0


IMMUTABLE = b'{"errors": [{"code": "TAG_INVALID", "message": "the tag is immutable"}]}'


@pytest.mark.parametrize("moving", [False, True], ids=["release", "stable"])
def test_a_registry_that_keeps_tags_immutable(
    proxy: FaultProxy, registry: Registry, tmp_path: Path, *, moving: bool
) -> None:
    """A name that may not be written is a conflict in the registry's words; the remedy tells a release from stable."""
    old, new = make_layout(tmp_path / "old", "old"), make_layout(tmp_path / "new", "new")
    before: Observation = ABSENT
    if moving:
        destination(registry).publish(old, [(name(proxy), ABSENT)])
        before = observe((name(proxy),), registry)[name(proxy)]
    proxy.clear()
    proxy.answer(400, method="PUT", path=r"/manifests/s3-v1", body=IMMUTABLE)
    with pytest.raises(TagImmutable, match="the tag is immutable") as raised:
        destination(registry).publish(new, [(name(proxy), before)])
    assert ("Exempt" in raised.value.remedy) is moving
    assert proxy.count("PUT", r"/manifests/s3-v1") == 1


def test_a_tag_that_an_equal_run_wrote_on_an_immutable_registry(
    proxy: FaultProxy, registry: Registry, tmp_path: Path
) -> None:
    """When an equal run writes the tag first and the registry refuses ours as immutable, the release is done."""
    layout = make_layout(tmp_path / "image")
    direct = Name.parse(f"{proxy.upstream}/ns/controller:s3-v1.2.3")
    tag = r"/manifests/s3-v1\.2\.3"
    proxy.intervene(lambda: destination(registry).publish(layout, [(direct, ABSENT)]), method="GET", path=tag, skip=1)
    proxy.fail(404, method="GET", path=tag, times=1, code="MANIFEST_UNKNOWN")
    proxy.answer(400, method="PUT", path=tag, body=IMMUTABLE)
    destination(registry).publish(layout, [(name(proxy), ABSENT)])
    assert proxy.count("PUT", tag) == 1


def test_content_that_shows_late_gets_its_name(proxy: FaultProxy, registry: Registry, tmp_path: Path) -> None:
    """Manifests that answer 404 by digest for a while after they were written are waited for, and then named."""
    proxy.fail(404, method="GET", path=r"/manifests/sha256:", times=3, code="MANIFEST_UNKNOWN")
    destination(registry).publish(make_layout(tmp_path / "image"), [(name(proxy), ABSENT)])
    assert proxy.count("PUT", r"/manifests/s3-v1") == 1


def test_a_blob_that_cannot_be_sent_leaves_no_manifest(proxy: FaultProxy, registry: Registry, tmp_path: Path) -> None:
    """When a blob fails, neither manifests nor names are written."""
    proxy.fail(500, method="PUT", path=r"/blobs/")
    with pytest.raises(RegistryFailed):
        destination(registry).publish(make_layout(tmp_path / "image"), [(name(proxy), ABSENT)])
    assert proxy.count("PUT", r"/manifests/") == 0


def test_what_is_published_is_copied_as_it_is(proxy: FaultProxy, registry: Registry, tmp_path: Path) -> None:
    """A published artifact goes to another repository with every digest unchanged, and answers there completely."""
    layout = make_layout(tmp_path / "image")
    destination(registry).publish(layout, [(name(proxy), ABSENT)])
    found = observe((name(proxy),), registry)[name(proxy)]
    assert isinstance(found, Published)
    target = name(proxy, "ns/copy:1")
    destination(registry).publish(published_artifact(name(proxy), found, registry), [(target, ABSENT)])
    assert observe((target,), registry)[target] == found
    assert unanswered(target, found.manifest, registry) == ()


def test_an_image_with_a_missing_child_does_not_answer(proxy: FaultProxy, registry: Registry, tmp_path: Path) -> None:
    """An index whose child is gone is said to be missing that child, by whoever did not just send it."""
    layout = make_layout(tmp_path / "image")
    destination(registry).publish(layout, [(name(proxy), ABSENT)])
    proxy.fail(404, method="GET", path=layout.children[0].digest, code="MANIFEST_UNKNOWN")
    with Transport(Lifetime(), {}) as transport:
        assert destination(Registry(transport, Anonymous())).missing(name(proxy), layout.root) == (
            f"{name(proxy).repository}@{layout.children[0].digest}",
        )


def test_observing_reads_platforms_and_what_it_was_released_for(
    proxy: FaultProxy, registry: Registry, tmp_path: Path
) -> None:
    """An index is observed with the platforms it lists and those it says it was released for; nothing is absent."""
    layout = make_layout(tmp_path / "image", platforms="linux/amd64,linux/arm64")
    destination(registry).publish(layout, [(name(proxy), ABSENT)])
    gone = name(proxy, "ns/controller:nothing")
    found: dict[Name, Observation] = observe((name(proxy), gone), registry)
    image = found[name(proxy)]
    assert isinstance(image, PublishedImage)
    assert image.platforms == (AMD64,)
    assert image.released_for == (AMD64, Platform("linux", "arm64"))
    assert found[gone] is ABSENT


def test_a_folder_takes_every_name_in_order(proxy: FaultProxy, registry: Registry, tmp_path: Path) -> None:
    """A layout folder has one entry per name, nothing is asked of it, and it is written at the end only."""
    folder = tmp_path / "folder"
    target = LayoutDestination(folder, registry)
    layout = make_layout(tmp_path / "image")
    target.publish(layout, [(name(proxy, "ns/b:1"), ABSENT), (name(proxy, "ns/a:1"), ABSENT)])
    assert target.missing(name(proxy), layout.root) == ()
    assert not folder.exists()
    target.finish()
    text = (folder / "index.json").read_text()
    assert text.index("ns/a:1") < text.index("ns/b:1")
    assert proxy.requests == ()
