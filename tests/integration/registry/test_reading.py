from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from runner.errors import RegistryAnswerWrong, RegistryFailed
from runner.oci.manifest import OCI_INDEX, OCI_MANIFEST, Manifest, digest_of
from tests.integration.registry.sample import CONFIG, CONTENT, LAYER, MANIFEST, at, publish

if TYPE_CHECKING:
    from pathlib import Path

    from runner.oci.artifact import Blob
    from testbed.faults.proxy import FaultProxy
    from testbed.registries import LocalRegistry
    from tests.integration.registry.sample import Connect


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


def refuse(_: object) -> None:
    """What reads a blob and finds it malformed, without having read anything of it."""
    raise ValueError("malformed")


def test_a_blob_is_scanned(server: LocalRegistry, connect: Connect, layer: Blob, config: Blob) -> None:
    """A blob is handed over in pieces, all of it or its beginning, and what is made of them is returned."""
    registry = connect()
    publish(registry, at(server.host), layer, config)
    assert registry.scan_blob(at(server.host), LAYER, b"".join) == CONTENT
    assert CONTENT.startswith(registry.scan_blob(at(server.host), LAYER, lambda pieces: next(pieces, b"")))
    with pytest.raises(ValueError, match="malformed"):
        registry.scan_blob(at(server.host), LAYER, refuse)


@pytest.fixture
def published(server: LocalRegistry, connect: Connect, layer: Blob, config: Blob) -> None:
    publish(connect(), at(server.host), layer, config)


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("fault", ["cut", "corrupt"])
@pytest.mark.parametrize("scan", [b"".join, lambda _: b"", refuse], ids=["all", "nothing", "malformed"])
def test_a_blob_that_arrives_damaged_is_scanned_again(
    faulty: FaultProxy, connect: Connect, fault: str, scan: Any
) -> None:
    """However much of it was asked for: damage on the way is read again, and ends as damage, never as its content."""
    registry = connect()
    getattr(faulty, fault)(method="GET", path=r"/blobs/sha256:", times=1)
    if scan is refuse:
        with pytest.raises(ValueError, match="malformed"):
            registry.scan_blob(at(faulty.host), LAYER, scan)
    else:
        assert registry.scan_blob(at(faulty.host), LAYER, scan) == scan([CONTENT])
    assert faulty.count("GET", r"/blobs/sha256:") == 2
    getattr(faulty, fault)(method="GET", path=r"/blobs/sha256:")
    with pytest.raises((RegistryAnswerWrong, RegistryFailed)):
        registry.scan_blob(at(faulty.host), LAYER, scan)


# --- what is attached -------------------------------------------------------------------------------------------------


def listed(*digests: str) -> bytes:
    entries = [{"mediaType": OCI_MANIFEST, "digest": digest, "size": 2} for digest in digests]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()


def test_all_pages_of_referrers_are_read(faulty: FaultProxy, connect: Connect) -> None:
    """Pages are followed to the last one, and what stands on two is listed once."""
    one, two = digest_of(b"1"), digest_of(b"2")
    faulty.answer(200, path="n=2", body=listed(two, one), headers={"Content-Type": OCI_INDEX})
    first = {"Content-Type": OCI_INDEX, "Link": f'</v2/team/image/referrers/{MANIFEST.digest}?n=2>; rel="next"'}
    faulty.answer(200, body=listed(one), headers=first)
    found = connect().referrers(at(faulty.host), MANIFEST.digest)
    assert [entry.digest for entry in found or ()] == [one, two]


@pytest.mark.parametrize("body", [b"404 page not found", b'{"errors":[{"code":"NOT_FOUND"}]}', b""], ids=repr)
def test_a_registry_without_referrers(faulty: FaultProxy, connect: Connect, body: bytes) -> None:
    """404, whatever it says, means that the registry does not list what is attached."""
    faulty.answer(404, path="/referrers/", body=body)
    assert connect().referrers(at(faulty.host), MANIFEST.digest) is None


@pytest.mark.parametrize("status", [400, 405, 501])
def test_referrers_that_are_refused(faulty: FaultProxy, connect: Connect, status: int) -> None:
    """Any other answer is an error, and never means that nothing is attached."""
    faulty.answer(status, path="/referrers/")
    with pytest.raises(RegistryFailed, match=f"HTTP {status}"):
        connect().referrers(at(faulty.host), MANIFEST.digest)


def test_referrers_are_asked_for_again(faulty: FaultProxy, connect: Connect) -> None:
    """A registry that is busy is asked again."""
    faulty.fail(429, path="/referrers/", times=2)
    faulty.answer(200, path="/referrers/", body=listed(), headers={"Content-Type": OCI_INDEX})
    assert connect().referrers(at(faulty.host), MANIFEST.digest) == ()


@pytest.mark.parametrize("body", [b"[]", b"<html>", b'{"manifests": 1}', b'{"manifests": [{}]}'], ids=repr)
def test_what_is_no_list_of_referrers_is_wrong(faulty: FaultProxy, connect: Connect, body: bytes) -> None:
    """What is not an index is a wrong answer."""
    faulty.answer(200, path="/referrers/", body=body, headers={"Content-Type": OCI_INDEX})
    with pytest.raises(RegistryAnswerWrong, match="not a list of referrers"):
        connect().referrers(at(faulty.host), MANIFEST.digest)
