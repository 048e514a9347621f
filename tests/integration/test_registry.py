from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from runner.errors import CredentialsRefused, RegistryAnswerWrong, RegistryFailed, ReleaseError, RunEnded
from runner.lifetime import Lifetime
from runner.oci.auth import Anonymous, DockerConfig, Login
from runner.oci.connections import Connections
from runner.oci.layout import Blob, FileSource, RemoteSource
from runner.oci.media import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    Platform,
    Repository,
    digest_of,
)
from runner.oci.messages import Exchange, Request
from runner.oci.registry import Registry
from runner.oci.retries import RetryPolicy
from runner.oci.transport import Timeouts, Transport
from tests.support.fault_proxy import FaultProxy
from tests.support.registry import (
    PASSWORD,
    USERNAME,
    crane_registry,
    docker_registry,
)
from tests.support.tools import ROOT, find_tool
from tests.support.tunnel_proxy import TunnelProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hack.local_registry import LocalRegistry
    from runner.oci.auth import Credentials

QUICK = RetryPolicy(attempts=4, seconds=20.0, first_pause=0.01, longest_pause=0.02, longest_retry_after=0.05)
CONTENT = os.urandom(300_000)
LAYER = Descriptor(OCI_LAYER, digest_of(CONTENT), len(CONTENT))
CONFIG = Descriptor(OCI_CONFIG, digest_of(b"{}"), 2)
MANIFEST = Manifest.write(
    OCI_MANIFEST,
    {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": CONFIG.document(),
        "layers": [LAYER.document()],
        "annotations": {"org.example.word": "é"},
    },
)
SERVERS = {"crane": crane_registry, "docker": docker_registry}

Connect = Callable[..., Registry]


@pytest.fixture(params=["crane", "docker"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalRegistry]:
    with SERVERS[request.param](tmp_path / "registry") as registry:
        yield registry


@pytest.fixture
def proxy(server: LocalRegistry) -> Iterator[FaultProxy]:
    with FaultProxy(server.host) as proxy:
        yield proxy


@pytest.fixture
def connect() -> Iterator[Connect]:
    with contextlib.ExitStack() as stack:

        def connect(
            credentials: Credentials | None = None,
            environment: dict[str, str] | None = None,
            lifetime: Lifetime | None = None,
            **options: Any,
        ) -> Registry:
            options.setdefault("retries", QUICK)
            transport = stack.enter_context(Transport(lifetime or Lifetime(), environment or {}, **options))
            return Registry(transport, credentials or Anonymous())

        yield connect


@pytest.fixture
def layer(tmp_path: Path) -> Blob:
    path = tmp_path / "layer"
    path.write_bytes(CONTENT)
    return Blob(LAYER, FileSource(path))


@pytest.fixture
def config(tmp_path: Path) -> Blob:
    path = tmp_path / "config"
    path.write_bytes(b"{}")
    return Blob(CONFIG, FileSource(path))


def at(host: str, path: str = "team/image") -> Repository:
    return Repository(host, path)


def publish(registry: Registry, repository: Repository, *blobs: Blob) -> None:
    for blob in blobs:
        registry.send_blob(repository, blob)
    registry.put_manifest(repository, MANIFEST.digest, MANIFEST)
    registry.put_manifest(repository, "v1", MANIFEST)


# --- the plain road ---------------------------------------------------------------------------------------------------


def test_what_is_not_there_is_absent(server: LocalRegistry, connect: Connect, config: Blob) -> None:
    """Unknown repository, tag, digest and blob are absent, each as the registry itself says it."""
    registry = connect()
    assert registry.manifest(at(server.host), "v1") is None
    assert registry.manifest(at(server.host), MANIFEST.digest) is None
    assert registry.tags(at(server.host)) == ()
    assert not registry.has_blob(at(server.host), LAYER.digest)
    registry.send_blob(at(server.host), config)
    empty = Manifest.write(OCI_MANIFEST, {"schemaVersion": 2, "config": CONFIG.document(), "layers": []})
    registry.put_manifest(at(server.host), "v1", empty)
    assert registry.manifest(at(server.host), "v2") is None
    assert registry.manifest(at(server.host), MANIFEST.digest) is None


def test_what_is_published_is_read_back(
    server: LocalRegistry, connect: Connect, layer: Blob, config: Blob, tmp_path: Path
) -> None:
    """Manifest bytes and media type, tags and blobs come back exactly as they were sent."""
    registry = connect()
    publish(registry, at(server.host), layer, config)
    assert registry.manifest(at(server.host), "v1") == MANIFEST
    assert registry.manifest(at(server.host), MANIFEST.digest) == MANIFEST
    assert registry.tags(at(server.host)) == ("v1",)
    assert registry.read_blob(at(server.host), CONFIG) == b"{}"
    registry.download_blob(at(server.host), LAYER, tmp_path / "downloaded")
    assert (tmp_path / "downloaded").read_bytes() == CONTENT


def test_a_manifest_without_media_type_keeps_the_one_it_was_sent_with(
    server: LocalRegistry, connect: Connect, config: Blob
) -> None:
    """A body that does not say its own media type, as Helm writes it, comes back with the one of its header."""
    registry = connect()
    registry.send_blob(at(server.host), config)
    chart = Manifest.write(OCI_MANIFEST, {"schemaVersion": 2, "config": CONFIG.document(), "layers": []})
    registry.put_manifest(at(server.host), "v1", chart)
    assert registry.manifest(at(server.host), "v1") == chart


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
    (tmp_path / "empty").touch()
    blob = Blob(Descriptor(OCI_LAYER, digest_of(b""), 0), FileSource(tmp_path / "empty"))
    assert connect().send_blob(at(proxy.host), blob) in {"uploaded", "exists"}
    assert connect().read_blob(at(proxy.host), blob.descriptor) == b""


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
    """A registry that answers a mount with an upload session gets the blob's bytes there."""
    with docker_registry(tmp_path / "registry") as server, FaultProxy(server.host) as proxy:
        registry = connect()
        registry.send_blob(at(proxy.host, "one"), layer)
        with Transport(Lifetime(), {}) as transport:
            session = transport.exchange(Request("POST", f"http://{proxy.host}/v2/two/blobs/uploads/"))
        location = session.headers["Location"].partition(proxy.host)[2]
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


def test_a_file_that_is_not_its_descriptor_is_a_bug(server: LocalRegistry, connect: Connect, tmp_path: Path) -> None:
    """A file with other bytes than its descriptor says is never sent whole, and no failure of the registry."""
    (tmp_path / "layer").write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(ValueError, match="has the digest"):
        connect().send_blob(at(server.host), Blob(LAYER, FileSource(tmp_path / "layer")))
    with pytest.raises(ValueError, match="neither a tag nor a digest"):
        connect().manifest(at(server.host), "a/b")
    with pytest.raises(ValueError, match="the manifest's digest is"):
        connect().put_manifest(at(server.host), LAYER.digest, MANIFEST)


def test_many_threads_share_one_registry(proxy: FaultProxy, connect: Connect, tmp_path: Path) -> None:
    """Blobs sent by many threads at once all arrive, and the registry is asked once whether it wants credentials."""
    registry = connect()
    blobs = []
    for number in range(24):
        path = tmp_path / f"blob-{number}"
        path.write_bytes(content := os.urandom(5_000))
        blobs.append(Blob(Descriptor(OCI_LAYER, digest_of(content), len(content)), FileSource(path)))
    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(lambda blob: registry.send_blob(at(proxy.host), blob), blobs))
    assert sent == ["uploaded"] * len(blobs)
    assert all(registry.has_blob(at(proxy.host), blob.descriptor.digest) for blob in blobs)
    assert proxy.count("GET", r"^/v2/$") == 1


# --- faults that pass -------------------------------------------------------------------------------------------------


def read_manifest(registry: Registry, repository: Repository, _: Blob) -> None:
    assert registry.manifest(repository, "v1") == MANIFEST


def read_tags(registry: Registry, repository: Repository, _: Blob) -> None:
    assert "v1" in registry.tags(repository)


def read_blob(registry: Registry, repository: Repository, _: Blob) -> None:
    assert registry.read_blob(repository, LAYER) == CONTENT


def find_blob(registry: Registry, repository: Repository, _: Blob) -> None:
    assert registry.has_blob(repository, LAYER.digest)


def send_blob(registry: Registry, repository: Repository, blob: Blob) -> None:
    other = Blob(blob.descriptor, blob.source)
    assert registry.send_blob(Repository(repository.host, "team/other"), other) in {"uploaded", "exists"}


def put_manifest(registry: Registry, repository: Repository, _: Blob) -> None:
    tag = f"written-{os.urandom(4).hex()}"
    registry.put_manifest(repository, tag, MANIFEST)
    assert registry.manifest(repository, tag) == MANIFEST


OPERATIONS = {
    "manifest": (read_manifest, "GET", "/manifests/v1"),
    "tags": (read_tags, "GET", "/tags/list"),
    "read blob": (read_blob, "GET", "/blobs/sha256:"),
    "has blob": (find_blob, "HEAD", "/blobs/sha256:"),
    "probe": (send_blob, "GET", r"/v2/$"),
    "put manifest": (put_manifest, "PUT", "/manifests/written-"),
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    """One docker-registry for the tests of faults, holding MANIFEST as v1 of team/image, beside what tests write."""
    folder = tmp_path_factory.mktemp("filled")
    (folder / "layer").write_bytes(CONTENT)
    (folder / "config").write_bytes(b"{}")
    with docker_registry(folder / "registry") as server, Transport(Lifetime(), {}) as transport:
        blobs = Blob(LAYER, FileSource(folder / "layer")), Blob(CONFIG, FileSource(folder / "config"))
        publish(Registry(transport, Anonymous()), at(server.host), *blobs)
        yield server


@pytest.fixture
def faulty(filled: LocalRegistry) -> Iterator[FaultProxy]:
    with FaultProxy(filled.host) as proxy:
        yield proxy


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_passing_errors_are_outlived(
    faulty: FaultProxy, connect: Connect, layer: Blob, operation: str, status: int
) -> None:
    """Each operation repeats itself while the registry answers 408, 429 or 5xx, and then gives the right result."""
    run, method, path = OPERATIONS[operation]
    faulty.fail(status, method=method, path=path, times=2)
    run(connect(), at(faulty.host), layer)
    assert [seen.status for seen in faulty.requests if seen.method == method and re.search(path, seen.path)][:2] == [
        status,
        status,
    ]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_dropped_connections_are_outlived(
    faulty: FaultProxy,
    connect: Connect,
    layer: Blob,
    operation: str,
    *,
    after: bool,
) -> None:
    """Each operation repeats itself when its connection is dropped, before or after the registry has acted."""
    run, method, path = OPERATIONS[operation]
    faulty.drop(method=method, path=path, times=2, after=after)
    run(connect(), at(faulty.host), layer)
    assert faulty.count(method, path) >= (1 if method == "PUT" and after else 3)


@pytest.mark.parametrize("operation", ["manifest", "tags", "read blob"])
def test_cut_answers_are_outlived(faulty: FaultProxy, connect: Connect, layer: Blob, operation: str) -> None:
    """Half an answer is no answer: it is asked for again."""
    run, method, path = OPERATIONS[operation]
    faulty.cut(path=path, times=2)
    run(connect(), at(faulty.host), layer)
    assert faulty.count(method, path) == 3


@pytest.mark.parametrize("operation", ["manifest", "read blob"])
def test_wrong_bytes_are_outlived(faulty: FaultProxy, connect: Connect, layer: Blob, operation: str) -> None:
    """An answer with another digest than it should have is asked for again."""
    run, method, path = OPERATIONS[operation]
    faulty.corrupt(path=path, times=2)
    run(connect(), at(faulty.host), layer)
    assert faulty.count(method, path) == 3


def test_an_upload_is_sent_again_from_its_beginning(proxy: FaultProxy, connect: Connect, layer: Blob) -> None:
    """An upload that failed is repeated with a new session and the whole file."""
    proxy.fail(500, method="PUT", times=2)
    registry = connect()
    assert registry.send_blob(at(proxy.host), layer) == "uploaded"
    assert [seen.received for seen in proxy.requests if seen.method == "PUT"] == [len(CONTENT)] * 3
    assert proxy.count("POST") == 3
    assert registry.read_blob(at(proxy.host), LAYER) == CONTENT


def test_a_lost_upload_session_is_begun_anew(proxy: FaultProxy, connect: Connect, layer: Blob) -> None:
    """A registry that has forgotten an upload gets it again in a new session."""
    proxy.fail(404, method="PUT", code="BLOB_UPLOAD_UNKNOWN", times=1)
    assert connect().send_blob(at(proxy.host), layer) == "uploaded"
    assert proxy.count("POST") == 2


def test_an_upload_whose_answer_was_lost_is_not_sent_twice(proxy: FaultProxy, connect: Connect, layer: Blob) -> None:
    """After a lost answer the blob is looked for, found, and reported as uploaded."""
    proxy.drop(method="PUT", after=True, times=1)
    assert connect().send_blob(at(proxy.host), layer) == "uploaded"
    assert proxy.count("PUT") == 1


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


@pytest.mark.parametrize("value", ["1", "http-date"])
def test_retry_after_is_honoured(faulty: FaultProxy, connect: Connect, value: str) -> None:
    """The registry's own wish for a pause is granted, be it seconds or a date, where it is not too long."""
    if value == "http-date":
        value = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 2))
    faulty.fail(429, times=1, headers={"Retry-After": value})
    began = time.monotonic()
    patient = RetryPolicy(first_pause=0.0, longest_pause=0.0, longest_retry_after=5.0)
    assert connect(retries=patient).manifest(at(faulty.host), "v1") == MANIFEST
    assert 0.9 <= time.monotonic() - began < 4.0


def test_an_endless_retry_after_is_cut(faulty: FaultProxy, connect: Connect) -> None:
    """A registry cannot make the run wait longer than the limit for one pause."""
    faulty.fail(503, times=2, headers={"Retry-After": "86400"})
    began = time.monotonic()
    assert connect().manifest(at(faulty.host), "v1") == MANIFEST
    assert time.monotonic() - began < 5.0


# --- faults that stay -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS)
def test_lasting_errors_end_the_operation(faulty: FaultProxy, connect: Connect, layer: Blob, operation: str) -> None:
    """Errors that do not pass end the operation after its attempts, with host, method, path, status and count."""
    run, method, path = OPERATIONS[operation]
    faulty.fail(503, method=method, path=path, code="DOWN")
    with pytest.raises(RegistryFailed) as raised:
        run(connect(), at(faulty.host), layer)
    cause = raised.value.cause
    assert cause.startswith(f"{method} {faulty.host}/v2/")
    assert "failed 4 times" in cause
    assert ("HTTP 503 (DOWN: made by the test)" if method != "HEAD" else "HTTP 503") in cause
    assert faulty.count(method, path) == 4


@pytest.mark.parametrize(
    ("fault", "words"),
    [("cut", "cut short"), ("corrupt", "digest")],
)
@pytest.mark.parametrize("operation", ["manifest", "read blob"])
def test_lasting_wrong_answers_are_called_that(
    faulty: FaultProxy, connect: Connect, layer: Blob, *, operation: str, fault: str, words: str
) -> None:
    """A manifest or blob that always comes cut or with other bytes is a wrong answer, not an absent one."""
    run, _, path = OPERATIONS[operation]
    getattr(faulty, fault)(path=path)
    with pytest.raises(RegistryAnswerWrong, match=words):
        run(connect(), at(faulty.host), layer)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_refusals_are_not_repeated(
    faulty: FaultProxy, connect: Connect, layer: Blob, operation: str, status: int
) -> None:
    """401 and 403 end the operation at the first answer, as a matter of credentials."""
    run, method, path = OPERATIONS[operation]
    faulty.fail(status, method=method, path=path)
    with pytest.raises(CredentialsRefused, match=re.escape(faulty.host)):
        run(connect(), at(faulty.host), layer)
    assert faulty.count(method, path) == 1


@pytest.mark.parametrize("status", [400, 404, 405, 301])
@pytest.mark.parametrize("operation", ["manifest", "tags", "put manifest"])
def test_other_answers_end_the_operation(
    faulty: FaultProxy, connect: Connect, layer: Blob, operation: str, status: int
) -> None:
    """A 404 that does not say what is unknown, and any other status, ends the operation: it never means absent."""
    run, method, path = OPERATIONS[operation]
    faulty.answer(status, method=method, path=path)
    with pytest.raises((RegistryFailed, RegistryAnswerWrong), match=re.escape(faulty.host)):
        run(connect(), at(faulty.host), layer)
    assert faulty.count(method, path) == 1


@pytest.mark.parametrize("code", ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"])
def test_absent_is_what_the_registry_calls_so(faulty: FaultProxy, connect: Connect, code: str) -> None:
    """A GET answered 404 with one of the three codes means absent, of manifests and of tags."""
    faulty.fail(404, code=code)
    assert connect().manifest(at(faulty.host), "v1") is None
    assert connect().tags(at(faulty.host)) == ()


@pytest.mark.parametrize("code", ["BLOB_UNKNOWN", "UNAUTHORIZED", "", "manifest_unknown"])
def test_nothing_else_is_absent(faulty: FaultProxy, connect: Connect, code: str) -> None:
    """A 404 with any other code is an error."""
    faulty.fail(404, code=code)
    with pytest.raises(RegistryFailed, match="HTTP 404"):
        connect().manifest(at(faulty.host), "v1")
    with pytest.raises(RegistryFailed, match="HTTP 404"):
        connect().tags(at(faulty.host))


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "text/html"}, b"<html>"),
        ({"Content-Type": OCI_MANIFEST}, b"<html>"),
        ({"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": LAYER.digest}, MANIFEST.body),
        ({"Content-Type": OCI_INDEX}, MANIFEST.body),
        ({"Content-Type": OCI_MANIFEST}, b"{" + b" " * (4 * 1024 * 1024) + b"}"),
    ],
    ids=["page", "page as manifest", "digest header", "other type", "too large"],
)
def test_an_answer_that_is_no_manifest_is_wrong(
    faulty: FaultProxy, connect: Connect, headers: dict[str, str], body: bytes
) -> None:
    """What is no manifest, or not the one its header names, is a wrong answer."""
    faulty.answer(200, path="/manifests/", headers=headers, body=body)
    with pytest.raises(RegistryAnswerWrong):
        connect().manifest(at(faulty.host), "v1")


def test_a_manifest_by_digest_must_have_that_digest(faulty: FaultProxy, connect: Connect) -> None:
    """A registry that serves another manifest for a digest is not believed, though it names no digest itself."""
    faulty.answer(200, path="/manifests/", headers={"Content-Type": OCI_MANIFEST}, body=MANIFEST.body)
    with pytest.raises(RegistryAnswerWrong, match=r"has the digest .* not sha256:"):
        connect().manifest(at(faulty.host), LAYER.digest)


def test_a_digest_header_is_not_needed(faulty: FaultProxy, connect: Connect) -> None:
    """A registry that leaves Docker-Content-Digest out of its answers serves as well."""
    faulty.omit("Docker-Content-Digest")
    registry = connect()
    assert registry.manifest(at(faulty.host), "v1") == MANIFEST
    registry.put_manifest(at(faulty.host), "v2", MANIFEST)


def test_a_registry_that_stored_something_else_is_wrong(faulty: FaultProxy, connect: Connect) -> None:
    """When the answer to a write names another digest, the write did not do what it should."""
    faulty.answer(201, method="PUT", headers={"Docker-Content-Digest": LAYER.digest})
    with pytest.raises(RegistryAnswerWrong, match="it stored"):
        connect().put_manifest(at(faulty.host), "v2", MANIFEST)
    assert faulty.count("PUT") == 1


def test_a_repository_that_must_be_made_first_is_named(faulty: FaultProxy, connect: Connect, layer: Blob) -> None:
    """A registry that does not make repositories by itself gives an error whose remedy is to make it."""
    faulty.fail(404, method="POST", code="NAME_UNKNOWN")
    with pytest.raises(RegistryFailed, match=r"new/blobs/uploads/: HTTP 404 \(NAME_UNKNOWN") as raised:
        connect().send_blob(at(faulty.host, "new"), layer)
    assert "Create the repository" in raised.value.remedy


def test_nobody_there_is_a_failure_that_says_so(connect: Connect) -> None:
    """A host on which nothing listens is tried again and then named, with the reason."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(RegistryFailed) as raised:
            connect().manifest(at(host), "v1")
    assert raised.value.cause.startswith(f"GET {host}/v2/team/image/manifests/v1 failed 4 times")
    assert raised.value.cause.endswith("connection refused")


def test_a_registry_that_does_not_answer_times_out(faulty: FaultProxy, connect: Connect) -> None:
    """No answer within the read timeout is a failure, and is tried again."""
    faulty.delay(30)
    registry = connect(timeouts=Timeouts(read=0.1))
    with pytest.raises(RegistryFailed, match=r"failed 4 times.*no answer within the time allowed"):
        registry.manifest(at(faulty.host), "v1")


def test_no_request_outlasts_the_run(faulty: FaultProxy, connect: Connect) -> None:
    """A request that would wait for half a minute ends with the run, and is observed as one that got no answer."""
    faulty.delay(30)
    lifetime, seen = Lifetime(), list[Exchange]()
    threading.Timer(0.2, lifetime.end, ["the deadline"]).start()
    began = time.monotonic()
    with pytest.raises(RunEnded, match="the deadline"):
        connect(lifetime=lifetime, observe=seen.append).manifest(at(faulty.host), "v1")
    assert time.monotonic() - began < 5.0
    assert [(exchange.status, exchange.problem) for exchange in seen] == [(None, None)]


def test_no_download_outlasts_the_run(proxy: FaultProxy, connect: Connect, layer: Blob, tmp_path: Path) -> None:
    """A download that stands still in its middle ends with the run, and leaves nothing of the file."""
    connect().send_blob(at(proxy.host), layer)
    held = proxy.hold(method="GET", path=r"/blobs/", half=True)
    lifetime = Lifetime()
    registry = connect(lifetime=lifetime)
    folder = tmp_path / "downloads"
    folder.mkdir()

    def end() -> None:
        assert held.reached.wait(10)
        assert [path.name[:1] for path in folder.iterdir()] == ["."]
        lifetime.end("SIGTERM")

    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(end)
        with pytest.raises(RunEnded, match="SIGTERM"):
            registry.download_blob(at(proxy.host), LAYER, folder / "layer")
        ending.result()
    assert list(folder.iterdir()) == []


def test_a_connection_made_after_the_end_is_cut(faulty: FaultProxy) -> None:
    """A request that was about to connect as the run ended gets no answer either."""
    connections = Connections({})
    connections.cut()
    with pytest.raises(urllib3.exceptions.HTTPError):
        connections.pool(faulty.host).request("GET", f"http://{faulty.host}/v2/", retries=False)
    connections.close()


def test_a_signal_ends_a_pause(faulty: FaultProxy, connect: Connect) -> None:
    """A run that is ended while an operation pauses ends at once."""
    faulty.fail(503, headers={"Retry-After": "30"})
    lifetime = Lifetime()
    registry = connect(lifetime=lifetime, retries=RetryPolicy())
    threading.Timer(0.2, lifetime.end, ["SIGTERM"]).start()
    began = time.monotonic()
    with pytest.raises(RunEnded, match="SIGTERM"):
        registry.manifest(at(faulty.host), "v1")
    assert time.monotonic() - began < 5.0


def test_a_signal_ends_an_upload(proxy: FaultProxy, connect: Connect, tmp_path: Path) -> None:
    """A run that is ended while a blob is sent sends no more of it."""
    path = tmp_path / "large"
    path.write_bytes(bytes(8 * 1024 * 1024))
    blob = Blob(Descriptor(OCI_LAYER, digest_of(path.read_bytes()), path.stat().st_size), FileSource(path))
    lifetime = Lifetime()
    proxy.intervene(lambda: lifetime.end("SIGINT"), method="POST")
    with pytest.raises(RunEnded, match="SIGINT"):
        connect(lifetime=lifetime).send_blob(at(proxy.host), blob)
    assert proxy.count("PUT") == 0


# --- pages, redirects, credentials ------------------------------------------------------------------------------------


def page(*tags: str) -> bytes:
    return json.dumps({"name": "team/image", "tags": list(tags)}).encode()


def test_all_pages_of_tags_are_read(faulty: FaultProxy, connect: Connect) -> None:
    """Pages are followed to the last one, repeated where one fails, and a tag is listed once."""
    own = f"http://{faulty.host}/v2/team/image/tags/list?last=c"
    faulty.fail(503, path="last=b", times=1)
    faulty.answer(200, path="last=c", body=page("c", "e"))
    faulty.answer(200, path="last=b", body=page("c", "d"), headers={"Link": f'<{own}>; rel="next"'})
    faulty.answer(200, body=page("a", "b"), headers={"Link": '</v2/team/image/tags/list?last=b>; rel="next"'})
    assert connect().tags(at(faulty.host)) == ("a", "b", "c", "d", "e")


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("http://127.0.0.1:9/v2/team/image/tags/list", "another host"),
        ("http://registry.example/v2/", "without TLS"),
        ("https://registry.example/v2/", "another host"),
        ("/v2/team/image/tags/list", "links back"),
        ("http://[::1/", "not a URL"),
    ],
)
def test_pages_elsewhere_are_not_followed(faulty: FaultProxy, connect: Connect, link: str, words: str) -> None:
    """A next page on another host, or one that was read already, is a wrong answer."""
    faulty.answer(200, body=page("a"), headers={"Link": f"<{link}>; rel=next"})
    with pytest.raises(RegistryAnswerWrong, match=words):
        connect().tags(at(faulty.host))


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"tags": "a"}', b'{"tags": [1]}', b"<html>"], ids=repr)
def test_what_is_no_list_of_tags_is_wrong(faulty: FaultProxy, connect: Connect, body: bytes) -> None:
    """A page that is not a list of tags is a wrong answer; a list that is null is empty."""
    faulty.answer(200, body=body, times=1)
    with pytest.raises(RegistryAnswerWrong, match="not a list of tags"):
        connect().tags(at(faulty.host))
    faulty.answer(200, body=b'{"tags": null}')
    assert connect().tags(at(faulty.host)) == ()


@pytest.fixture
def login(tmp_path: Path) -> Callable[..., DockerConfig]:
    def login(host: str, password: str = PASSWORD) -> DockerConfig:
        header = Login(USERNAME, password).basic.removeprefix("Basic ")
        (tmp_path / "config.json").write_text(json.dumps({"auths": {host: {"auth": header}}}))
        return DockerConfig.find({"DOCKER_CONFIG": str(tmp_path)})

    return login


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    """A registry that wants USERNAME and PASSWORD for everything."""
    with docker_registry(tmp_path_factory.mktemp("closed"), basic=True) as server:
        yield server


def test_credentials_are_sent_where_they_are_asked_for(
    closed: LocalRegistry, connect: Connect, login: Callable[..., DockerConfig], layer: Blob, config: Blob
) -> None:
    """One anonymous request learns that credentials are wanted; all others carry them, and no body is sent in vain."""
    with FaultProxy(closed.host) as proxy:
        registry = connect(login(proxy.host))
        repository = at(proxy.host, "private")
        publish(registry, repository, layer, config)
        assert registry.manifest(repository, "v1") == MANIFEST
        assert [seen.path for seen in proxy.requests if seen.status == 401] == ["/v2/"]
        assert all("authorization" in seen.headers for seen in proxy.requests[1:])


def test_no_credentials_are_sent_where_none_are_asked_for(
    proxy: FaultProxy, connect: Connect, login: Callable[..., DockerConfig], layer: Blob
) -> None:
    """A registry that lets everybody in never sees the credentials that are configured for it."""
    connect(login(proxy.host)).send_blob(at(proxy.host), layer)
    assert not any("authorization" in seen.headers for seen in proxy.requests)


@pytest.mark.parametrize(
    ("password", "words"),
    [("wrong", "refused the configured credentials"), (None, "none are configured")],
    ids=["wrong", "none"],
)
def test_credentials_that_do_not_serve_are_refused(
    closed: LocalRegistry,
    connect: Connect,
    login: Callable[..., DockerConfig],
    layer: Blob,
    *,
    password: str | None,
    words: str,
) -> None:
    """Wrong or missing credentials end reads and writes at once; no body is sent and no password is said."""
    with FaultProxy(closed.host) as proxy:
        credentials = login(proxy.host, password) if password else login("other.example")
        for operation in (read_manifest, read_tags, send_blob):
            with pytest.raises(CredentialsRefused, match=words) as raised:
                operation(connect(credentials), at(proxy.host), layer)
            assert proxy.host in raised.value.cause
            assert PASSWORD not in raised.value.cause
        assert not proxy.writes


def test_a_redirect_is_followed_without_credentials(
    closed: LocalRegistry, filled: LocalRegistry, connect: Connect, login: Callable[..., DockerConfig], layer: Blob
) -> None:
    """A blob is fetched from where the registry points, which never sees the credentials."""
    with FaultProxy(closed.host) as proxy, FaultProxy(filled.host) as store:
        registry = connect(login(proxy.host))
        registry.send_blob(at(proxy.host), layer)
        proxy.redirect(store.host)
        store.fail(403, times=1)
        assert registry.read_blob(at(proxy.host), LAYER) == CONTENT
        assert [seen.status for seen in store.requests] == [403, 200]
        assert not any("authorization" in seen.headers for seen in store.requests)


def test_a_redirect_says_that_a_blob_is_there(faulty: FaultProxy, connect: Connect, layer: Blob) -> None:
    """Whether a blob is there is never asked of the host to which the registry points."""
    with FaultProxy(faulty.upstream) as store:
        faulty.redirect(store.host, method="HEAD")
        assert connect().has_blob(at(faulty.host), LAYER.digest)
        assert connect().send_blob(at(faulty.host), layer) == "exists"
        assert not store.requests


def test_redirects_end_somewhere(faulty: FaultProxy, connect: Connect) -> None:
    """A chain of redirects that does not end is a wrong answer, without the secret that is in its addresses."""
    faulty.redirect(faulty.host)
    with pytest.raises(RegistryAnswerWrong, match="more than 5 redirects") as raised:
        connect().read_blob(at(faulty.host), LAYER)
    assert "secret-of-the-cdn" not in raised.value.cause


def test_failures_behind_a_redirect_say_no_secret(
    faulty: FaultProxy, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """What a signed address has in its query is in no error, no observation and no log line."""
    seen: list[Exchange] = []
    with FaultProxy(faulty.upstream) as store:
        faulty.redirect(store.host)
        store.fail(500)
        with caplog.at_level("DEBUG", logger="runner"), pytest.raises(ReleaseError) as raised:
            connect(observe=seen.append).read_blob(at(faulty.host), LAYER)
    assert store.host in raised.value.cause
    assert "secret" not in f"{raised.value.cause} {raised.value.__cause__!r} {seen} {caplog.text}"


def test_an_upload_elsewhere_gets_no_credentials(
    closed: LocalRegistry, filled: LocalRegistry, connect: Connect, login: Callable[..., DockerConfig], layer: Blob
) -> None:
    """An upload location on another host is used, and is sent no credentials."""
    with FaultProxy(closed.host) as proxy, FaultProxy(filled.host) as store:
        store.answer(201, method="PUT")
        proxy.answer(202, method="POST", headers={"Location": f"http://{store.host}/up?_state=x"})
        assert connect(login(proxy.host)).send_blob(at(proxy.host, "elsewhere"), layer) == "uploaded"
        (put,) = store.requests
        assert put.path == f"/up?_state=x&digest={LAYER.digest}"
        assert "authorization" not in put.headers


@pytest.mark.parametrize(
    ("location", "words"), [(None, "names no location"), ("http://registry.example/up", "without TLS")]
)
def test_an_upload_must_be_pointed_somewhere(
    faulty: FaultProxy, connect: Connect, tmp_path: Path, location: str | None, words: str
) -> None:
    """An upload without a location, or with one on another machine in plain HTTP, is a wrong answer."""
    (tmp_path / "new").write_bytes(b"new")
    blob = Blob(Descriptor(OCI_LAYER, digest_of(b"new"), 3), FileSource(tmp_path / "new"))
    faulty.answer(202, method="POST", headers={"Location": location} if location else {})
    with pytest.raises(RegistryAnswerWrong, match=words):
        connect().send_blob(at(faulty.host), blob)
    assert faulty.count("PUT") == 0


def test_requests_are_observed(faulty: FaultProxy, connect: Connect) -> None:
    """Every request is told to the observer, failed ones too, with what passed over the wire."""
    seen: list[Exchange] = []
    faulty.fail(503, times=1)
    connect(observe=seen.append).put_manifest(at(faulty.host), "v3", MANIFEST)
    assert [(e.method, e.path, e.status) for e in seen] == [
        ("GET", "/v2/", 503),
        ("GET", "/v2/", 200),
        ("PUT", "/v2/team/image/manifests/v3", 201),
    ]
    assert [e.problem for e in seen] == ["HTTP 503 (UNKNOWN: made by the test)", None, None]
    assert seen[2].sent == len(MANIFEST.body)
    assert all(e.host == faulty.host and e.seconds > 0 for e in seen)


# --- TLS and proxies --------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    openssl = find_tool("openssl")
    if openssl is None:
        pytest.skip("openssl is not here, which makes the certificate")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = [str(openssl), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=registry.example"]
    command += ["-addext", "subjectAltName=DNS:registry.example"]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def test_other_hosts_are_spoken_to_in_tls_through_the_proxy(
    filled: LocalRegistry, connect: Connect, certificate: tuple[Path, Path]
) -> None:
    """A host that is not this machine gets TLS, through HTTPS_PROXY with its login, trusting SSL_CERT_FILE."""
    with FaultProxy(filled.host, tls=certificate) as secured, TunnelProxy(secured.host) as tunnel:
        environment = {"HTTPS_PROXY": f"http://me:s%40x@{tunnel.host}", "SSL_CERT_FILE": str(certificate[0])}
        assert connect(environment=environment).manifest(at("registry.example"), "v1") == MANIFEST
        assert tunnel.requests == [("registry.example:443", "Basic bWU6c0B4")]
        assert [seen.headers["host"] for seen in secured.requests] == ["registry.example"]
        assert "proxy-authorization" not in secured.requests[0].headers


def test_a_certificate_that_is_not_trusted_ends_at_once(
    filled: LocalRegistry, connect: Connect, certificate: tuple[Path, Path]
) -> None:
    """A host whose certificate is unknown is not tried again, and the remedy names SSL_CERT_FILE."""
    with FaultProxy(filled.host, tls=certificate) as secured, TunnelProxy(secured.host) as tunnel:
        registry = connect(environment={"HTTPS_PROXY": f"http://me:secret@{tunnel.host}"})
        with pytest.raises(RegistryFailed, match="certificate is not trusted: self-signed") as raised:
            registry.manifest(at("registry.example"), "v1")
        assert "SSL_CERT_FILE" in raised.value.remedy
        assert "secret" not in raised.value.cause
        assert len(tunnel.requests) == 1
        assert not secured.requests


def test_a_plain_location_of_the_same_registry_is_made_secure(
    filled: LocalRegistry, connect: Connect, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    """A registry that does not know of the TLS before it writes http:// into its locations; TLS is kept."""
    (tmp_path / "new").write_bytes(b"secured")
    blob = Blob(Descriptor(OCI_LAYER, digest_of(b"secured"), 7), FileSource(tmp_path / "new"))
    with FaultProxy(filled.host, tls=certificate) as secured, TunnelProxy(secured.host) as tunnel:
        environment = {"HTTPS_PROXY": tunnel.host, "SSL_CERT_FILE": str(certificate[0])}
        assert connect(environment=environment).send_blob(at("registry.example", "team/tls"), blob) == "uploaded"
        assert all(target == "registry.example:443" for target, _ in tunnel.requests)
        assert secured.count("PUT", "team/tls") == 1


# --- memory -----------------------------------------------------------------------------------------------------------

MEBIBYTE = 1024 * 1024
SENDER = """
import re, sys
from pathlib import Path
from runner.lifetime import Lifetime
from runner.oci.auth import Anonymous
from runner.oci.layout import Blob, FileSource, RemoteSource
from runner.oci.media import OCI_LAYER, Descriptor, Repository
from runner.oci.registry import Registry
from runner.oci.transport import Transport

def peak():
    # Of this program alone: getrusage would count what its parent held when it was forked.
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

path, digest, size, one, two = sys.argv[1:]
descriptor = Descriptor(OCI_LAYER, digest, int(size))
with Transport(Lifetime(), {}) as transport:
    registry = Registry(transport, Anonymous())
    before = peak()
    assert registry.send_blob(Repository(one, "a"), Blob(descriptor, FileSource(Path(path)))) == "uploaded"
    assert registry.send_blob(Repository(two, "a"), Blob(descriptor, RemoteSource(Repository(one, "a")))) == "uploaded"
    registry.download_blob(Repository(two, "a"), descriptor, Path(path).with_name("back"))
    print(peak() - before)
"""


def test_memory_does_not_grow_with_blobs(tmp_path: Path) -> None:
    """A blob of 200 MiB is sent, passed from registry to registry and fetched in less than 16 MiB of memory."""
    size = 200 * MEBIBYTE
    path = tmp_path / "large"
    hashed = hashlib.sha256()
    with path.open("wb") as file:
        for number in range(200):
            block = io.BytesIO(bytes([number]) * MEBIBYTE).getvalue()
            hashed.update(block)
            file.write(block)
    with crane_registry(tmp_path / "one") as one, docker_registry(tmp_path / "two") as two:
        arguments = [str(path), f"sha256:{hashed.hexdigest()}", str(size), one.host, two.host]
        sender = subprocess.run(
            [sys.executable, "-c", SENDER, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert sender.returncode == 0, sender.stderr
    assert int(sender.stdout) < 16 * 1024, "KiB more than before the first blob"
    assert (tmp_path / "back").stat().st_size == size
