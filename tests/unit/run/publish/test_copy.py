from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.errors import RegistryAnswerWrong
from runner.oci.artifact import Artifact, RemoteSource
from runner.oci.manifest import OCI_LAYER
from runner.published.observed import PublishedImage
from runner.run.publish.copy import published_artifact
from testbed.base_images import BOTH, assemble, write_blob
from testbed.memory.registry import MemoryRegistry

if TYPE_CHECKING:
    from pathlib import Path

from tests.support.publishing import NAME, OTHER, Run, at


def test_published_artifact_is_the_same(ours: Artifact) -> None:
    """What is published is described with every manifest and every blob, all in its repository."""
    run = Run()
    run.publish(ours)
    found = published_artifact(NAME, PublishedImage(ours.root), run.registry)
    assert (found.root, found.children) == (ours.root, ours.children)
    assert {blob.descriptor.digest for blob in found.blobs} == {blob.descriptor.digest for blob in ours.blobs}
    assert len(found.blobs) == len(ours.blobs)
    assert {blob.source for blob in found.blobs} == {RemoteSource(NAME.repository)}


def test_published_artifact_that_shares(tmp_path: Path) -> None:
    """A blob that several platforms share stands once in what is published."""
    layer = write_blob(tmp_path, OCI_LAYER, b"shared")
    image = assemble(tmp_path, [(platform, platform.document(), layer) for platform in BOTH])
    run = Run()
    run.publish(image)
    found = published_artifact(NAME, PublishedImage(image.root), run.registry)
    assert [blob.descriptor.digest for blob in found.blobs].count(layer.descriptor.digest) == 1
    assert len(found.blobs) == 3


def test_published_artifact_without_index(ours: Artifact) -> None:
    """A plain manifest has no children, and its own config and layers."""
    found = published_artifact(NAME, PublishedImage(ours.children[0]), MemoryRegistry())
    assert (found.root, found.children) == (ours.children[0], ())
    assert [blob.descriptor for blob in found.blobs] == list(ours.children[0].blobs)


def test_published_artifact_is_copied(ours: Artifact) -> None:
    """Published again under another name, its blobs are mounted and every digest stays."""
    run = Run()
    run.publish(ours)
    run.publish(published_artifact(NAME, PublishedImage(ours.root), run.registry), OTHER)
    assert run.holds(OTHER) == ours.root.digest
    assert run.told[2][1]["blobs_mounted"] == len(ours.blobs)


def test_published_artifact_that_is_not_whole(ours: Artifact) -> None:
    """An index of which a child is gone cannot be copied, and the child is named."""
    run = Run()
    run.publish(ours)
    gone = ours.children[1].digest
    run.registry.calls.intervene("manifest", lambda: None, when="instead", about=gone)
    with pytest.raises(RegistryAnswerWrong, match=f"{at(NAME, gone)} is listed by a published index"):
        published_artifact(NAME, PublishedImage(ours.root), run.registry)
