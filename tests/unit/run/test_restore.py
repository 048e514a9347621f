"""A clean-up removed parts of what was released: whole runs in memory, of the release and of stable."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.oci.name import DIGEST, Repository
from runner.report.record import summary
from testbed.base_images import base_layout, push
from testbed.memory.registry import MemoryRegistry
from tests.support.stages import RELEASED, SCHEMES, Asked, World, later

if TYPE_CHECKING:
    from pathlib import Path

    from runner.oci.name import Name
    from runner.report.record import RecordDocument

SEED = SCHEMES["seed"]
IMAGE, *CHARTS = SEED.release_names()
NAMES = (IMAGE, *CHARTS)
MOVING = SEED.stable_names()


def released(folder: Path, asked: Asked | None = None) -> MemoryRegistry:
    world = World(folder / "released", (asked or Asked()).release(commit=RELEASED))
    assert world.run().exit == 0
    return world.registry


def parts(registry: MemoryRegistry, *names: Name) -> list[tuple[Repository, str]]:
    """Everything that these names need, but for what their tags hold."""
    found: dict[tuple[Repository, str], None] = {}
    contents = registry.contents()
    for name in names:
        content = contents[name.repository]
        root = content.manifests[content.tags[name.tag]]
        children = [content.manifests[child.digest] for child in root.children]
        wanted = [one.digest for one in children] + [blob.digest for one in (root, *children) for blob in one.blobs]
        found |= {(name.repository, digest): None for digest in wanted}
    return list(found)


def torn(registry: MemoryRegistry, *gone: tuple[Repository, str]) -> MemoryRegistry:
    """The same with these parts removed."""
    copy = MemoryRegistry(registry.contents())
    for repository, digest in gone:
        copy.forget(repository, digest)
    return copy


def written_tags(world: World) -> list[str]:
    """The tags that a run has written."""
    references = [call.about for call in world.registry.writes if call.method == "put_manifest"]
    return [about for about in references if not DIGEST.fullmatch(about.rpartition("@")[2])]


def test_whatever_is_gone_is_restored(tmp_path: Path) -> None:
    """Whatever parts a clean-up removed: the plan says it, the rerun restores just that, and the next does nothing.

    No tag is written, and the registry ends as it was.
    """
    whole = released(tmp_path)
    every, folders = parts(whole, *NAMES), (tmp_path / str(number) for number in itertools.count())

    @settings(max_examples=40)
    @given(st.sets(st.sampled_from(every), min_size=1))
    def check(gone: set[tuple[Repository, str]]) -> None:
        registry = torn(whole, *gone)
        planned = World(next(folders), Asked().release(commit=RELEASED), registry).run(only_plan=True)
        assert planned.exit == 0
        to_restore = [entry for entry in planned.entries if entry.restores]
        assert to_restore
        assert {entry.action for entry in to_restore} == {"publish"}
        assert all("gone" in entry.reason and entry.digest for entry in to_restore)
        world = World(next(folders), Asked().release(commit=RELEASED), registry)
        document = world.run()
        assert (document.exit, document.errors) == (0, ())
        assert written_tags(world) == []
        assert world.contents() == whole.contents()
        assert [entry.name for entry in document.entries if entry.restored] == [entry.name for entry in to_restore]
        assert not any(entry.written for entry in document.entries)
        again = World(next(folders), Asked().release(commit=RELEASED), registry)
        assert {entry.action for entry in again.run().entries} == {"skip"}
        assert (again.registry.writes, again.builder.calls.made) == ([], [])

    check()


def test_restored_in_words(tmp_path: Path) -> None:
    """The last line tells what was done: something was gone, and is there again."""
    whole = released(tmp_path)
    world = World(tmp_path / "run", Asked().release(commit=RELEASED), torn(whole, parts(whole, IMAGE)[0]))
    document = world.run()
    assert summary(document) == "what was gone of 1 tag restored"
    assert ("build", "s3", "passed") in world.steps()
    assert ("publish chart", "s3", "skipped") in world.steps()


def failed(document: RecordDocument) -> str:
    [error] = document.errors
    assert (document.exit, error.code, error.step) == (5, "release-not-restorable", "publish image")
    return error.cause


def test_other_inputs_restore_nothing(tmp_path: Path) -> None:
    """Where today's base gives another digest, both are named with what changed; nothing is written."""
    whole = released(tmp_path)
    held = whole.contents()[IMAGE.repository].tags[IMAGE.tag]
    base = base_layout(tmp_path / "base")
    registry = torn(whole, parts(whole, IMAGE)[0])
    push(registry, Repository("registry.example", "base"), "1", base)
    asked = Asked(base_image="registry.example/base:1")
    world = World(tmp_path / "run", asked.release(commit=RELEASED), registry)
    before = registry.contents()
    cause = failed(world.run())
    [built] = re.findall(r"its commit gives (sha256:[0-9a-f]{64}) now", cause)
    assert f"{IMAGE} holds {held}, of which linux/amd64 is gone" in cause
    assert built != held
    assert world.record.document.errors[0].detail[-2:] == (
        f"changed: the base image's content was scratch and is {base.root.digest}",
        "changed: the base image was not given and is registry.example/base:1",
    )
    assert (world.registry.writes, world.contents()) == ([], before)


def test_an_image_that_says_no_commit_is_never_built_again(tmp_path: Path) -> None:
    """What the former job published is nobody's to restore: the release is refused, and nothing is built."""
    registry = MemoryRegistry()
    image = base_layout(tmp_path / "former")
    push(registry, IMAGE.repository, IMAGE.tag, image)
    registry.forget(IMAGE.repository, image.children[0].digest)
    world = World(tmp_path / "run", Asked().release(commit=RELEASED), registry)
    assert world.run().exit == 5
    assert (world.registry.writes, world.builder.calls.made) == ([], [])


def test_stable_goes_on_after_the_release_is_restored(tmp_path: Path) -> None:
    """Whatever of its image is gone, stable names the rerun of the tag's job as what helps, and it does."""
    whole = released(tmp_path)
    for place, gone in enumerate(parts(whole, IMAGE)):
        registry, folder = torn(whole, gone), tmp_path / str(place)
        refused = World(folder / "refused", Asked().stable("1.2.3"), registry).run()
        [error] = refused.errors
        assert (refused.exit, error.code) == (4, "stable-image-absent")
        assert "Rerun the job of the tag v1.2.3" in error.remedy
        assert World(folder / "restored", Asked().release(commit=RELEASED), registry).run().exit == 0
        assert World(folder / "moved", Asked().stable("1.2.3"), registry).run().exit == 0


def test_a_stable_chart_is_restored(tmp_path: Path) -> None:
    """Whatever is gone of the stable chart, a rerun puts it back and moves nothing."""
    registry = released(tmp_path)
    assert World(tmp_path / "moved", Asked().stable("1.3.0"), registry).run().exit == 0
    whole = MemoryRegistry(registry.contents())
    for place, gone in enumerate(parts(whole, *MOVING)):
        registry = torn(whole, gone)
        world = World(tmp_path / f"again-{place}", Asked().stable("1.3.0"), registry, now=later())
        document = world.run()
        assert (document.exit, document.errors) == (0, ())
        assert written_tags(world) == []
        assert world.contents() == whole.contents()
        assert any(entry.restored for entry in document.entries)


@pytest.mark.parametrize("name", CHARTS)
def test_stable_copies_nothing_that_is_torn(tmp_path: Path, name: Name) -> None:
    """A release's chart of which a part is gone is not what stable becomes a copy of."""
    whole = released(tmp_path)
    for place, gone in enumerate(parts(whole, name)):
        registry = torn(whole, gone)
        world = World(tmp_path / str(place), Asked().stable("1.2.3"), registry)
        assert world.run().exit == 0
