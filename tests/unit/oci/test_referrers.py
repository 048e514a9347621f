from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.errors import RegistryAnswerWrong, TagChanged
from runner.oci.manifest import OCI_INDEX, Manifest
from runner.oci.name import Repository
from runner.oci.referrers import ATTEMPTS, Referrers, list_tag
from testbed.attachments import SIGNATURE, attached_to
from testbed.base_images import base_layout, push
from testbed.memory.registry import MemoryRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from runner.oci.artifact import Artifact

HERE = Repository("registry.example", "ns/controller")


@pytest.fixture
def image(tmp_path: Path) -> Artifact:
    return base_layout(tmp_path / "image")


@pytest.fixture
def signature(tmp_path: Path, image: Artifact) -> Artifact:
    return attached_to(tmp_path / "signature", image.root)


@pytest.fixture(params=[True, False], ids=["api", "tag"])
def registry(request: pytest.FixtureRequest, image: Artifact) -> MemoryRegistry:
    """A registry with the image: one that has the referrers API, and one that has not."""
    registry = MemoryRegistry(lists_referrers=request.param)
    push(registry, HERE, "v1", image)
    return registry


def send(registry: MemoryRegistry, attached: Artifact) -> None:
    """Put an artifact into the registry, but into no list."""
    for blob in attached.blobs:
        registry.send_blob(HERE, blob)
    registry.put_manifest(HERE, attached.root.digest, attached.root)


def attach(registry: MemoryRegistry, attached: Artifact) -> None:
    send(registry, attached)
    Referrers(registry).list(HERE, attached.root)


def test_what_is_listed(registry: MemoryRegistry, image: Artifact, signature: Artifact, tmp_path: Path) -> None:
    """What was attached is found with its type and annotations, once, however often it is listed."""
    assert Referrers(registry).of(HERE, image.root.digest) == ()
    other = attached_to(tmp_path / "other", image.root, "too")
    for attached in (signature, other, signature):
        attach(registry, attached)
    found = Referrers(registry).of(HERE, image.root.digest)
    assert sorted(one.digest for one in found) == sorted((signature.root.digest, other.root.digest))
    assert {one.artifact_type for one in found} == {SIGNATURE}
    assert {one.annotations["org.example.text"] for one in found} == {"signed", "too"}


def test_subjects_apart(registry: MemoryRegistry, image: Artifact, signature: Artifact, tmp_path: Path) -> None:
    """What is attached to a child is not found as attached to its index, nor the other way round."""
    attach(registry, signature)
    of_child = attached_to(tmp_path / "child", image.children[0])
    attach(registry, of_child)
    referrers = Referrers(registry)
    assert [one.digest for one in referrers.of(HERE, image.root.digest)] == [signature.root.digest]
    assert [one.digest for one in referrers.of(HERE, image.children[0].digest)] == [of_child.root.digest]
    assert referrers.of(HERE, image.children[1].digest) == ()


def test_no_tag_where_the_registry_lists(image: Artifact, signature: Artifact) -> None:
    """A registry with the referrers API gets no tag for what is attached."""
    registry = MemoryRegistry()
    push(registry, HERE, "v1", image)
    attach(registry, signature)
    assert registry.tags(HERE) == ("v1",)


def test_the_list_that_is_a_tag(image: Artifact, signature: Artifact) -> None:
    """A registry without the referrers API gets an index under a tag that is made of the subject's digest."""
    registry = MemoryRegistry(lists_referrers=False)
    push(registry, HERE, "v1", image)
    attach(registry, signature)
    tag = image.root.digest.replace("sha256:", "sha256-")
    assert registry.tags(HERE) == (tag, "v1")
    listed = registry.manifest(HERE, tag)
    assert listed is not None
    assert listed.media_type == OCI_INDEX
    assert [one.digest for one in listed.children] == [signature.root.digest]


def test_an_entry_of_somebody_else(image: Artifact, signature: Artifact, tmp_path: Path) -> None:
    """An entry that somebody else has listed stays, also one that is listed while this one is."""
    registry = MemoryRegistry(lists_referrers=False)
    push(registry, HERE, "v1", image)
    foreign = attached_to(tmp_path / "foreign", image.root, "foreign")
    send(registry, signature)
    tag = f"{HERE}:{list_tag(image.root.digest)}"
    registry.calls.intervene(
        "put_manifest", lambda: overwrite(registry.another(), image, foreign), when="after", about=tag
    )
    Referrers(registry).list(HERE, signature.root)
    found = Referrers(registry).of(HERE, image.root.digest)
    assert {one.digest for one in found} == {signature.root.digest, foreign.root.digest}


def overwrite(registry: MemoryRegistry, image: Artifact, *listed: Artifact) -> None:
    """Write the whole list, as somebody who has not seen what stands in it."""
    for one in listed:
        send(registry, one)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [one.root.listed().document() for one in listed],
    }
    registry.put_manifest(HERE, list_tag(image.root.digest), Manifest.write(OCI_INDEX, document))


def test_a_list_that_others_write_for_ever(image: Artifact, signature: Artifact, tmp_path: Path) -> None:
    """An entry that others drop again and again is told as a tag that changed, after a few attempts."""
    registry = MemoryRegistry(lists_referrers=False)
    push(registry, HERE, "v1", image)
    foreign = attached_to(tmp_path / "foreign", image.root, "foreign")
    send(registry, signature)
    tag = f"{HERE}:{list_tag(image.root.digest)}"
    registry.calls.intervene(
        "put_manifest", lambda: overwrite(registry.another(), image, foreign), when="after", about=tag, times=None
    )
    with pytest.raises(TagChanged, match="does not keep"):
        Referrers(registry).list(HERE, signature.root)
    assert [call.about for call in registry.calls.made].count(tag) >= ATTEMPTS


def test_a_tag_that_is_no_list(image: Artifact) -> None:
    """A tag of a list's name that holds something else is a wrong answer, and never an empty list."""
    registry = MemoryRegistry(lists_referrers=False)
    push(registry, HERE, "v1", image)
    registry.put_manifest(HERE, list_tag(image.root.digest), image.children[0])
    with pytest.raises(RegistryAnswerWrong, match="not a list"):
        Referrers(registry).of(HERE, image.root.digest)


def test_attached_to_nothing(image: Artifact) -> None:
    """What has no subject cannot be listed."""
    with pytest.raises(ValueError, match="attached to nothing"):
        Referrers(MemoryRegistry()).list(HERE, image.root)
