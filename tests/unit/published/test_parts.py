"""What of a published artifact is gone, as a clean-up leaves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import RegistryFailed
from runner.oci.name import Name
from runner.published.observed import ABSENT, Published, observe
from runner.published.parts import with_gone
from testbed.base_images import BOTH, base_layout, push
from testbed.memory.calls import raising
from testbed.memory.registry import MemoryRegistry

if TYPE_CHECKING:
    from runner.oci.artifact import Artifact

NAME = Name.parse("registry.example/ns/controller:s3-v1.2.3")
SECOND = Name.parse("registry.example/ns/controller:again")
ELSEWHERE = Name.parse("registry.example/ns/s3-controller:1.2.3")
NAMES = (NAME, SECOND, ELSEWHERE)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return base_layout(tmp_path_factory.mktemp("image"))


def holding(image: Artifact) -> MemoryRegistry:
    registry = MemoryRegistry()
    for name in NAMES:
        push(registry, name.repository, name.tag, image)
    return registry


def gone(registry: MemoryRegistry, *names: Name) -> dict[Name, tuple[str, ...]]:
    """What is gone of what these names hold."""
    looked_at = with_gone(observe(NAMES, registry), names, registry)
    return {name: tuple(map(str, found.gone)) for name, found in looked_at.items() if isinstance(found, Published)}


def test_whole_image(image: Artifact) -> None:
    """Nothing is gone of what answers; two names of one content in one repository are looked at once."""
    registry = holding(image).another()
    found = observe(NAMES, registry)
    registry.calls.made.clear()
    assert with_gone(found, NAMES, registry) == found
    asked = [call.about for call in registry.calls.made]
    assert len(asked) == len(set(asked)) == 2 * (len(image.children) + len(image.blobs))
    assert not registry.writes


def test_what_each_part_is_called(image: Artifact) -> None:
    """A platform is named as such, and a blob by what it is and of which platform; each with its digest."""
    for child, platform in zip(image.children, BOTH, strict=True):
        config, layer = child.blobs
        for digest, words in (
            (child.digest, f"{platform}"),
            (config.digest, f"the config of {platform}"),
            (layer.digest, f"a layer of {platform}"),
        ):
            registry = holding(image)
            registry.forget(NAME.repository, digest)
            assert gone(registry, *NAMES) == {
                NAME: (f"{words} ({digest})",),
                SECOND: (f"{words} ({digest})",),
                ELSEWHERE: (),
            }


def test_what_nobody_asks_for(image: Artifact) -> None:
    """Only the names that are asked for are looked at, and of a name that holds nothing there is nothing to see."""
    registry = holding(image)
    registry.forget(NAME.repository, image.children[0].digest)
    assert gone(registry, ELSEWHERE) == {NAME: (), SECOND: (), ELSEWHERE: ()}
    empty = MemoryRegistry()
    assert with_gone({NAME: ABSENT}, [NAME], empty) == {NAME: ABSENT}
    assert empty.calls.made == []


@pytest.mark.parametrize("method", ["manifest", "has_blob"])
def test_what_cannot_be_seen(image: Artifact, method: str) -> None:
    """What cannot be read is an error, and is never taken as gone."""
    registry = holding(image)
    found = observe(NAMES, registry)
    registry.calls.intervene(method, raising(RegistryFailed("no answer")), times=None)
    with pytest.raises(RegistryFailed):
        with_gone(found, NAMES, registry)


def test_any_part_may_be_gone(image: Artifact) -> None:
    """Whatever is removed, everything that can still be seen to be missing is named, once."""
    children = {child.digest: {blob.digest for blob in child.blobs} for child in image.children}
    blobs = {blob.descriptor.digest for blob in image.blobs}

    @settings(max_examples=60)
    @given(st.sets(st.sampled_from(sorted({*children, *blobs}))))
    def check(removed: set[str]) -> None:
        registry = holding(image)
        for digest in removed:
            registry.forget(NAME.repository, digest)
        there = [digest for digest in children if digest not in removed]
        seen = {digest for digest in removed if digest in children or any(digest in children[one] for one in there)}
        said = gone(registry, NAME)[NAME]
        assert len(said) == len(seen)
        assert all(any(digest in words for words in said) for digest in seen)

    check()
