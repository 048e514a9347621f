"""Registries whose reads lag behind their writes: what they have accepted is waited for, and nothing else is."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from runner.errors import NotVisibleYet, RegistryFailed
from runner.oci.artifact import Blob, RemoteSource
from runner.oci.manifest import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Manifest, Platform
from testbed.base_images import write_blob
from tests.integration.registry.sample import LAYER, MANIFEST, at

if TYPE_CHECKING:
    from pathlib import Path

    from runner.oci.registry import Registry
    from testbed.faults.proxy import FaultProxy
    from tests.integration.registry.sample import Connect

ECR_CHILDREN = "Images with digests '[sha256:1]' required for pushing image into repository with name 'r' do not exist"


def sent(registry: Registry, host: str, folder: Path) -> tuple[Manifest, Blob]:
    """A manifest whose blobs are sent, and one of them."""
    layer, config = (write_blob(folder, kind, os.urandom(20)) for kind in (OCI_LAYER, OCI_CONFIG))
    for blob in (layer, config):
        registry.send_blob(at(host), blob)
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.descriptor.document()}
    return Manifest.write(OCI_MANIFEST, {**document, "layers": [layer.descriptor.document()]}), layer


def test_manifest_that_does_not_show_yet(faulty: FaultProxy, connect: Connect, tmp_path: Path) -> None:
    """A manifest that was just written and answers 404 by digest is waited for, with or without a code."""
    registry = connect()
    manifest, _ = sent(registry, faulty.host, tmp_path)
    registry.put_manifest(at(faulty.host), manifest.digest, manifest)
    faulty.fail(404, method="GET", path=manifest.digest, times=2, code="MANIFEST_UNKNOWN")
    faulty.answer(404, method="GET", path=manifest.digest, times=1)
    assert registry.manifest(at(faulty.host), manifest.digest) == manifest
    assert faulty.count("GET", manifest.digest) == 4


def test_manifest_that_never_shows(faulty: FaultProxy, connect: Connect, tmp_path: Path) -> None:
    """One that does not show in time is pushed and not yet visible, which is not the same as absent or failed."""
    registry = connect()
    manifest, _ = sent(registry, faulty.host, tmp_path)
    registry.put_manifest(at(faulty.host), manifest.digest, manifest)
    faulty.fail(404, method="GET", path=manifest.digest, code="MANIFEST_UNKNOWN")
    with pytest.raises(NotVisibleYet, match="pushed, but not yet visible") as raised:
        registry.manifest(at(faulty.host), manifest.digest)
    assert "in a few minutes" in raised.value.remedy
    assert connect().manifest(at(faulty.host), manifest.digest) is None  # who did not send it takes it for absent


def test_blob_that_does_not_show_yet(faulty: FaultProxy, connect: Connect, tmp_path: Path) -> None:
    """A blob that was just sent and answers 404 is waited for, and is not sent again."""
    registry = connect()
    _, layer = sent(registry, faulty.host, tmp_path)
    digest = layer.descriptor.digest
    faulty.fail(404, path=f"/blobs/{digest}", times=2, code="BLOB_UNKNOWN")
    assert registry.has_blob(at(faulty.host), digest)
    faulty.fail(404, path=f"/blobs/{digest}", times=2, code="BLOB_UNKNOWN")
    assert len(registry.read_blob(at(faulty.host), layer.descriptor)) == 20
    writes = len(faulty.writes)
    faulty.fail(404, path=f"/blobs/{digest}", code="BLOB_UNKNOWN")
    assert registry.send_blob(at(faulty.host), layer) == "exists"
    assert len(faulty.writes) == writes


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry"),
        (404, "BLOB_UNKNOWN", "blob unknown to registry"),
        (404, "NAME_UNKNOWN", "repository name not known to registry"),
        (400, "MANIFEST_UNKNOWN", ""),
        (404, "UNKNOWN", ECR_CHILDREN),
    ],
)
def test_manifest_whose_parts_are_not_known_yet(
    faulty: FaultProxy, connect: Connect, tmp_path: Path, *, status: int, code: str, message: str
) -> None:
    """Where a registry does not know yet what it accepted a moment ago, the manifest is sent again."""
    registry = connect()
    manifest, _ = sent(registry, faulty.host, tmp_path)
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    tag = f"late-{os.urandom(4).hex()}"
    faulty.answer(status, method="PUT", path=f"/manifests/{tag}", times=2, body=body)
    registry.put_manifest(at(faulty.host), tag, manifest)
    assert faulty.count("PUT", f"/manifests/{tag}") == 3


def test_index_whose_children_are_not_known_yet(faulty: FaultProxy, connect: Connect, tmp_path: Path) -> None:
    """An index waits for its children as a manifest does for its blobs."""
    registry = connect()
    manifest, _ = sent(registry, faulty.host, tmp_path)
    registry.put_manifest(at(faulty.host), manifest.digest, manifest)
    child = manifest.descriptor(Platform("linux", "amd64")).document()
    index = Manifest.write(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]})
    faulty.fail(400, method="PUT", path="/manifests/index", times=2, code="MANIFEST_UNKNOWN")
    registry.put_manifest(at(faulty.host), "index", index)
    assert registry.manifest(at(faulty.host), "index") == index


def test_manifest_whose_parts_were_never_sent(faulty: FaultProxy, connect: Connect) -> None:
    """What this client did not send is not waited for: the refusal ends the step at once."""
    faulty.fail(400, method="PUT", path="/manifests/alone", code="MANIFEST_BLOB_UNKNOWN")
    with pytest.raises(RegistryFailed, match="MANIFEST_BLOB_UNKNOWN"):
        connect().put_manifest(at(faulty.host), "alone", MANIFEST)
    assert faulty.count("PUT", "/manifests/alone") == 1


def test_tag_that_does_not_show_yet(faulty: FaultProxy, connect: Connect, tmp_path: Path) -> None:
    """A tag is read until it shows what was written, and not while it shows something of somebody else."""
    registry = connect()
    manifest, _ = sent(registry, faulty.host, tmp_path)
    registry.put_manifest(at(faulty.host), "shows", manifest)
    faulty.fail(404, method="GET", path="/manifests/shows", times=2, code="MANIFEST_UNKNOWN")
    assert registry.await_tag(at(faulty.host), "shows", manifest.digest, before=None) == manifest.digest
    assert faulty.count("GET", "/manifests/shows") == 3
    assert registry.await_tag(at(faulty.host), "v1", manifest.digest, before=None) == MANIFEST.digest
    with pytest.raises(NotVisibleYet, match=f"still returns {MANIFEST.digest}"):
        registry.await_tag(at(faulty.host), "v1", manifest.digest, before=MANIFEST.digest)


def test_mount_whose_answer_was_lost(faulty: FaultProxy, connect: Connect) -> None:
    """A mount that took effect is found after its answer was lost, and is not repeated."""
    target = at(faulty.host, f"team/{os.urandom(4).hex()}")
    faulty.drop(method="POST", path="mount=", after=True, times=1)
    assert connect().send_blob(target, Blob(LAYER, RemoteSource(at(faulty.host)))) == "mounted"
    assert faulty.count("POST") == 1


def test_beginning_whose_answer_was_lost(faulty: FaultProxy, connect: Connect, tmp_path: Path) -> None:
    """An upload whose beginning was not answered is begun anew."""
    faulty.drop(method="POST", after=True, times=1)
    blob = write_blob(tmp_path, OCI_LAYER, os.urandom(9))
    assert connect().send_blob(at(faulty.host), blob) == "uploaded"
    assert faulty.count("POST") == 2


def test_immutable_tag_whose_answer_was_lost(faulty: FaultProxy, connect: Connect) -> None:
    """A tag that was written before its answer was lost, is refused as immutable and shows late, is done."""
    tag = f"lost-{os.urandom(4).hex()}"
    faulty.drop(method="PUT", path=tag, after=True, times=1)
    faulty.fail(404, method="GET", path=tag, times=2, code="MANIFEST_UNKNOWN")
    faulty.fail(400, method="PUT", path=tag, code="TAG_INVALID")
    connect().put_manifest(at(faulty.host), tag, MANIFEST)
    assert [seen.method for seen in faulty.requests if tag in seen.path] == ["PUT", "GET", "PUT", "GET", "GET"]
