from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from runner.errors import UsageInvalid
from runner.oci.layout import blob_path
from runner.oci.manifest import REF_NAME, digest_of
from runner.oci.name import Name
from runner.published.observed import ABSENT, PublishedImage
from runner.run.publish.copy import published_artifact
from runner.run.publish.layout import LayoutDestination
from testbed.base_images import push
from testbed.memory.registry import MemoryRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from runner.oci.artifact import Artifact

from tests.support.publishing import NAME, OTHER, TOO, digests


def test_folder_is_written_at_the_end(ours: Artifact, theirs: Artifact, tmp_path: Path) -> None:
    """A folder has one entry for each name, sorted, in whatever order published; names are reported once it is done."""
    registry, told = MemoryRegistry(), list[tuple[Name, str]]()
    folder = LayoutDestination(tmp_path / "out", registry, written=lambda *one: told.append(one))
    folder.publish(ours, [(OTHER, ABSENT), (NAME, ABSENT)])
    folder.publish(theirs, [(TOO, ABSENT)])
    assert (folder.missing(NAME, ours.root), told, (tmp_path / "out").exists()) == ((), [], False)
    folder.finish()
    listed = json.loads((tmp_path / "out" / "index.json").read_bytes())["manifests"]
    assert [(one["annotations"][REF_NAME], one["digest"]) for one in listed] == [
        (str(TOO), theirs.root.digest),
        (str(NAME), ours.root.digest),
        (str(OTHER), ours.root.digest),
    ]
    held = {OTHER: ours.root.digest, NAME: ours.root.digest, TOO: theirs.root.digest}
    assert told == [*held.items()]
    assert registry.calls.made == []


def test_folder_fetches_what_is_remote(ours: Artifact, tmp_path: Path) -> None:
    """Blobs that are only in a registry are in the folder afterwards."""
    registry = MemoryRegistry()
    push(registry.another(), NAME.repository, NAME.tag, ours)
    folder = LayoutDestination(tmp_path, registry)
    folder.publish(published_artifact(NAME, PublishedImage(ours.root), registry.another()), [(NAME, ABSENT)])
    folder.finish()
    assert all(digest_of(blob_path(tmp_path, digest).read_bytes()) == digest for digest in digests(ours))
    assert {call.method for call in registry.calls.made} == {"download_blob"}


def test_folder_of_nothing(tmp_path: Path) -> None:
    """When nothing was built no folder is made."""
    LayoutDestination(tmp_path / "out", MemoryRegistry()).finish()
    assert not (tmp_path / "out").exists()


def test_folder_that_cannot_be_written(ours: Artifact, tmp_path: Path) -> None:
    """A file in the folder's place is a wrong option, with the system's reason, and no name is reported as written."""
    (tmp_path / "out").write_text("")
    told: list[tuple[Name, str]] = []
    folder = LayoutDestination(tmp_path / "out", MemoryRegistry(), written=lambda *one: told.append(one))
    folder.publish(ours, [(NAME, ABSENT)])
    with pytest.raises(UsageInvalid, match=r"--to-layout: .*/out cannot be written: (Not a directory|File exists)"):
        folder.finish()
    assert told == []
