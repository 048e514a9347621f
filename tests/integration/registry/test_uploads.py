from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from runner.errors import RegistryAnswerWrong, RegistryFailed
from runner.oci.artifact import Blob, FileSource, RemoteSource
from runner.oci.manifest import OCI_INDEX, OCI_LAYER, Manifest, Platform
from runner.oci.messages import Request
from runner.oci.transport import Transport
from runner.runtime.lifetime import Lifetime
from testbed.base_images import write_blob
from testbed.faults.proxy import FaultProxy
from tests.integration.registry.sample import CONTENT, LAYER, MANIFEST, at, publish
from tests.support.registry import crane_registry, docker_registry

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.registries import LocalRegistry
    from tests.integration.registry.sample import Connect


def test_a_blob_is_sent_once(proxy: FaultProxy, connect: Connect, layer: Blob) -> None:
    """The first sending uploads in two writes; the second finds the blob and writes nothing."""
    registry = connect()
    assert registry.send_blob(at(proxy.host), layer) == "uploaded"
    assert [seen.method for seen in proxy.writes] == ["POST", "PUT"]
    assert proxy.writes[1].received == len(CONTENT)
    proxy.clear()
    assert registry.send_blob(at(proxy.host), layer) == "exists"
    assert not proxy.writes


def test_an_empty_blob_is_sent(proxy: FaultProxy, connect: Connect, tmp_path: Path) -> None:
    """A blob of no bytes is uploaded like any other."""
    blob = write_blob(tmp_path, OCI_LAYER, b"")
    assert connect().send_blob(at(proxy.host), blob) in {"uploaded", "exists"}
    assert connect().read_blob(at(proxy.host), blob.descriptor) == b""


def test_many_threads_share_one_registry(proxy: FaultProxy, connect: Connect, tmp_path: Path) -> None:
    """Blobs sent by many threads at once all arrive, and the registry is asked once whether it wants credentials."""
    registry = connect()
    blobs = [write_blob(tmp_path, OCI_LAYER, os.urandom(5_000)) for _ in range(24)]
    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(lambda blob: registry.send_blob(at(proxy.host), blob), blobs))
    assert sent == ["uploaded"] * len(blobs)
    assert all(registry.has_blob(at(proxy.host), blob.descriptor.digest) for blob in blobs)
    assert proxy.count("GET", r"^/v2/$") == 1


def test_a_file_that_is_not_its_descriptor_is_a_bug(server: LocalRegistry, connect: Connect, tmp_path: Path) -> None:
    """A file with other bytes than its descriptor says is never sent whole, and no failure of the registry."""
    (tmp_path / "layer").write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(ValueError, match="has the digest"):
        connect().send_blob(at(server.host), Blob(LAYER, FileSource(tmp_path / "layer")))
    with pytest.raises(ValueError, match="neither a tag nor a digest"):
        connect().manifest(at(server.host), "a/b")
    with pytest.raises(ValueError, match="the manifest's digest is"):
        connect().put_manifest(at(server.host), LAYER.digest, MANIFEST)


def test_a_blob_of_another_repository_is_mounted(tmp_path: Path, connect: Connect, layer: Blob) -> None:
    """Within one host a blob is mounted, and not sent."""
    with docker_registry(tmp_path / "registry") as server, FaultProxy(server.host) as proxy:
        registry = connect()
        registry.send_blob(at(proxy.host, "one"), layer)
        proxy.clear()
        assert registry.send_blob(at(proxy.host, "two"), Blob(LAYER, RemoteSource(at(proxy.host, "one")))) == "mounted"
        assert [(seen.method, seen.received) for seen in proxy.writes] == [("POST", 0)]
        assert registry.has_blob(at(proxy.host, "two"), LAYER.digest)


def test_a_mount_that_is_declined_becomes_an_upload(tmp_path: Path, connect: Connect, layer: Blob) -> None:
    """A registry that answers a mount with the place of an upload gets the blob's bytes there."""
    with docker_registry(tmp_path / "registry") as server, FaultProxy(server.host) as proxy:
        registry = connect()
        registry.send_blob(at(proxy.host, "one"), layer)
        with Transport(Lifetime(), {}) as transport:
            begun = transport.exchange(Request("POST", f"http://{proxy.host}/v2/two/blobs/uploads/"))
        location = begun.headers["Location"].partition(proxy.host)[2]
        proxy.answer(202, method="POST", path="mount=", headers={"Location": location})
        assert registry.send_blob(at(proxy.host, "two"), Blob(LAYER, RemoteSource(at(proxy.host, "one")))) == "uploaded"
        assert registry.has_blob(at(server.host, "two"), LAYER.digest)


def test_a_blob_of_another_host_is_streamed(tmp_path: Path, connect: Connect, layer: Blob) -> None:
    """From one registry to another the bytes pass through, with no mount asked for."""
    with (
        crane_registry(tmp_path / "a") as source,
        docker_registry(tmp_path / "b") as target,
        FaultProxy(target.host) as proxy,
    ):
        registry = connect()
        registry.send_blob(at(source.host), layer)
        assert registry.send_blob(at(proxy.host), Blob(LAYER, RemoteSource(at(source.host)))) == "uploaded"
        assert proxy.count("POST", "mount=") == 0
        assert registry.read_blob(at(target.host), LAYER) == CONTENT


def test_a_corrupt_source_is_not_sent_whole(tmp_path: Path, connect: Connect, layer: Blob) -> None:
    """When the source's bytes are wrong, the last piece is withheld: the target never has a whole wrong body."""
    with (
        crane_registry(tmp_path / "a") as source,
        FaultProxy(source.host) as broken,
        docker_registry(tmp_path / "b") as target,
        FaultProxy(target.host) as proxy,
    ):
        registry = connect()
        registry.send_blob(at(source.host), layer)
        broken.corrupt(path="/blobs/")
        with pytest.raises(RegistryAnswerWrong, match="has the digest"):
            registry.send_blob(at(proxy.host), Blob(LAYER, RemoteSource(at(broken.host))))
        assert proxy.count("PUT") == 0  # none was received whole
        assert not registry.has_blob(at(target.host), LAYER.digest)
        broken.clear()
        broken.corrupt(path="/blobs/", times=2)
        assert registry.send_blob(at(proxy.host), Blob(LAYER, RemoteSource(at(broken.host)))) == "uploaded"


def test_an_upload_is_sent_again_from_its_beginning(proxy: FaultProxy, connect: Connect, layer: Blob) -> None:
    """An upload that failed is begun anew, with the whole file."""
    proxy.fail(500, method="PUT", times=2)
    registry = connect()
    assert registry.send_blob(at(proxy.host), layer) == "uploaded"
    assert [seen.received for seen in proxy.requests if seen.method == "PUT"] == [len(CONTENT)] * 3
    assert proxy.count("POST") == 3
    assert registry.read_blob(at(proxy.host), LAYER) == CONTENT


def test_a_lost_upload_session_is_begun_anew(proxy: FaultProxy, connect: Connect, layer: Blob) -> None:
    """A registry that has forgotten an upload gets it again as a new one."""
    proxy.fail(404, method="PUT", code="BLOB_UPLOAD_UNKNOWN", times=1)
    assert connect().send_blob(at(proxy.host), layer) == "uploaded"
    assert proxy.count("POST") == 2


def test_an_upload_whose_answer_was_lost_is_not_sent_twice(proxy: FaultProxy, connect: Connect, layer: Blob) -> None:
    """After a lost answer the blob is looked for, found, and reported as uploaded."""
    proxy.drop(method="PUT", after=True, times=1)
    assert connect().send_blob(at(proxy.host), layer) == "uploaded"
    assert proxy.count("PUT") == 1


@pytest.mark.parametrize(
    ("location", "words"), [(None, "names no location"), ("http://registry.example/up", "without TLS")]
)
def test_an_upload_must_be_pointed_somewhere(
    faulty: FaultProxy, connect: Connect, tmp_path: Path, location: str | None, words: str
) -> None:
    """An upload without a location, or with one on another machine in plain HTTP, is a wrong answer."""
    blob = write_blob(tmp_path, OCI_LAYER, b"new")
    faulty.answer(202, method="POST", headers={"Location": location} if location else {})
    with pytest.raises(RegistryAnswerWrong, match=words):
        connect().send_blob(at(faulty.host), blob)
    assert faulty.count("PUT") == 0


def test_a_repository_that_must_be_made_first_is_named(faulty: FaultProxy, connect: Connect, layer: Blob) -> None:
    """A registry that does not make repositories by itself gives an error whose remedy is to make it."""
    faulty.fail(404, method="POST", code="NAME_UNKNOWN")
    with pytest.raises(RegistryFailed, match=r"new/blobs/uploads/: HTTP 404 \(NAME_UNKNOWN") as raised:
        connect().send_blob(at(faulty.host, "new"), layer)
    assert "Create the repository" in raised.value.remedy


def test_access_is_asked_for_once(proxy: FaultProxy, connect: Connect, layer: Blob) -> None:
    """A registry is asked once whether it lets this client in, by whoever asks first, and nothing is written for it."""
    registry = connect()
    registry.check_access(at(proxy.host))
    assert [(seen.method, seen.path) for seen in proxy.requests] == [("GET", "/v2/")]
    registry.check_access(at(proxy.host))
    registry.send_blob(at(proxy.host), layer)
    assert proxy.count("GET", r"^/v2/$") == 1


def test_an_index_is_published_with_its_children(
    server: LocalRegistry, connect: Connect, layer: Blob, config: Blob
) -> None:
    """An index is taken once its children are there; before, the registry's refusal ends the step at once."""
    registry = connect()
    child = MANIFEST.descriptor(Platform("linux", "amd64")).document()
    index = Manifest.write(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]})
    with pytest.raises(RegistryFailed, match=r"HTTP 40\d \(MANIFEST_(BLOB_)?UNKNOWN"):
        registry.put_manifest(at(server.host), "v1", index)
    publish(registry, at(server.host), layer, config)
    registry.put_manifest(at(server.host), "v2", index)
    assert registry.manifest(at(server.host), "v2") == index


def test_a_manifest_whose_answer_was_lost_is_not_sent_twice(
    proxy: FaultProxy, connect: Connect, layer: Blob, config: Blob
) -> None:
    """After a lost answer the tag is read, and what is there already is not written again."""
    registry = connect()
    publish(registry, at(proxy.host), layer, config)
    proxy.clear()
    proxy.drop(method="PUT", path="/manifests/", after=True, times=1)
    registry.put_manifest(at(proxy.host), "v2", MANIFEST)
    assert [(seen.method, seen.status) for seen in proxy.requests] == [("PUT", 0), ("GET", 200)]


def test_a_registry_that_stored_something_else_is_wrong(faulty: FaultProxy, connect: Connect) -> None:
    """When the answer to a write names another digest, the write did not do what it should."""
    faulty.answer(201, method="PUT", headers={"Docker-Content-Digest": LAYER.digest})
    with pytest.raises(RegistryAnswerWrong, match="it stored"):
        connect().put_manifest(at(faulty.host), "v2", MANIFEST)
    assert faulty.count("PUT") == 1
