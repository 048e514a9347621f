"""Answers that no registry gives, but a hostile one, or somebody in its place, could: each ends in an honest error."""

from __future__ import annotations

import gzip
import itertools
import json
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from runner.errors import ExitCode, ReleaseError
from runner.oci.bounded import Rate
from runner.oci.manifest import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Descriptor, digest_of
from runner.oci.name import Name
from runner.oci.transport import Timeouts
from runner.published.observed import observe_name
from testbed.faults.liar import head, liar, without_end
from tests.integration.registry.sample import at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from runner.oci.registry import Registry
    from tests.integration.registry.sample import Connect

HELD_AT_MOST = 96 * 1024 * 1024
SECONDS_AT_MOST = 30.0
PIECE = bytes(64 * 1024)
CONFIG = b"{}"
CONFIG_DESCRIPTOR = {"mediaType": OCI_CONFIG, "digest": digest_of(CONFIG), "size": len(CONFIG)}


def whole(body: bytes, content_type: str = OCI_MANIFEST, **headers: str) -> Callable[[], Iterable[bytes]]:
    """An answer with a body, as servers give it."""
    return lambda: (head(Content_Type=content_type, Content_Length=str(len(body)), **headers), body)


def manifest(**parts: object) -> Callable[[], Iterable[bytes]]:
    """A manifest with these parts in the place of what is right."""
    return whole(json.dumps({"schemaVersion": 2, "config": CONFIG_DESCRIPTOR, "layers": []} | parts).encode())


def index(*entries: object, **parts: object) -> Callable[[], Iterable[bytes]]:
    """An index with these entries."""
    return whole(json.dumps({"schemaVersion": 2, "manifests": entries} | parts).encode(), OCI_INDEX)


CHUNKED: Mapping[str, str] = {"Content_Type": OCI_MANIFEST, "Transfer_Encoding": "chunked"}
DEEP = b'{"schemaVersion": 2, "config": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"

ANSWERS: Mapping[str, Callable[[], Iterable[bytes]]] = {
    # What stands around the body.
    "a status line without end": without_end(b"HTTP/1.1 200 ", PIECE),
    "a header without end": without_end(b"HTTP/1.1 200 OK\r\nA: ", PIECE),
    "headers without end": without_end(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 1000),
    "interim answers without end": without_end(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "a chunk's size without end": without_end(head(**CHUNKED), b"0" * 65536),
    "trailers without end": without_end(head(**CHUNKED) + b"0\r\n", b"A: b\r\n" * 1000),
    "a chunk's extension without end": without_end(head(**CHUNKED) + b"5;", PIECE.replace(b"\0", b"a")),
    "no HTTP": lambda: (b"\x1b[31mERROR: owned\r\nRELEASED: x\r\n\r\n",),
    "a status of no meaning": lambda: (b"HTTP/1.1 999 \x1b[31mERROR: owned\r\n\r\n",),
    "nothing": lambda: (),
    # Its size.
    "a body without end": without_end(head(Content_Type=OCI_MANIFEST), PIECE),
    "chunks without end": without_end(head(**CHUNKED), b"10000\r\n" + PIECE + b"\r\n"),
    "tiny chunks without end": without_end(head(**CHUNKED), b"1\r\na\r\n" * 5000),
    "a length that is too long": lambda: (head(Content_Type=OCI_MANIFEST, Content_Length="9" * 30), b"{}"),
    "a length below zero": lambda: (head(Content_Type=OCI_MANIFEST, Content_Length="-5"), b"{}"),
    "a length of no digits": lambda: (head(Content_Type=OCI_MANIFEST, Content_Length="many"), b"{}"),
    "two lengths": lambda: (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 500\r\n\r\n{}",),
    "a bomb of gzip": whole(gzip.compress(bytes(50 * 1024 * 1024)), Content_Encoding="gzip"),
    "gzip that is none": whole(b"{}", Content_Encoding="gzip, gzip, gzip"),
    # What it says.
    "nested deep": whole(DEEP),
    "nested and cut off": whole(b"[" * 100_000),
    "not UTF-8": whole(b'{"schemaVersion": 2, "a": "\xff\xfe"}'),
    "half a character": whole(rb'{"schemaVersion": 2, "config": {}, "annotations": {"a": "\ud800"}}'),
    "a number of many digits": whole(b'{"schemaVersion": ' + b"9" * 5000 + b"}"),
    "no number": whole(b'{"schemaVersion": NaN}'),
    "a key twice": whole(b'{"schemaVersion": 2, "config": {}, "layers": [], "layers": []}'),
    "a list": whole(b"[]"),
    "text": whole(b'"\\u001b[31mERROR: owned"'),
    "other types": manifest(config=[], layers={}, annotations=1),
    "a size of many digits": manifest(config={**CONFIG_DESCRIPTOR, "size": 10**3000}),
    "a size beyond any disk": manifest(config={**CONFIG_DESCRIPTOR, "size": 2**63}),
    "a size below zero": manifest(config={**CONFIG_DESCRIPTOR, "size": -1}),
    "a size that is true": manifest(config={**CONFIG_DESCRIPTOR, "size": True}),
    "a size that is wrong": manifest(config={**CONFIG_DESCRIPTOR, "size": 5_000_000}),
    "a digest that climbs": manifest(config={**CONFIG_DESCRIPTOR, "digest": "sha256:../../../../etc/passwd"}),
    "a digest of two lines": manifest(config={**CONFIG_DESCRIPTOR, "digest": f"sha256:{'a' * 64}\nERROR: owned"}),
    "a type with a line break": manifest(config={**CONFIG_DESCRIPTOR, "mediaType": "a\nERROR: owned"}),
    "a manifest of another type": manifest(mediaType="a\r\nERROR: \x1b[31mowned" * 1000),
    "annotations of millions": manifest(annotations={"a": ["ERROR: owned\n" * 100_000]}),
    "no layers of a kind": manifest(layers=["ERROR: owned"] * 100_000),
    "100,000 descriptors": index(*[{**CONFIG_DESCRIPTOR, "platform": 1}] * 30_000),
    "platforms of many letters": index({**CONFIG_DESCRIPTOR, "platform": {"os": "a" * 10**6, "architecture": "b"}}),
    "platforms of two lines": index({**CONFIG_DESCRIPTOR, "platform": {"os": "a\nERROR: owned", "architecture": "b"}}),
    "release platforms": index(annotations={"dev.ack.release.platforms": "ERROR: owned\n," * 100_000}),
    "another digest": whole(b'{"schemaVersion": 2}', Docker_Content_Digest=digest_of(b"other")),
    "a folded digest": lambda: (b"HTTP/1.1 200 OK\r\nContent-Type: a\r\n ERROR: owned\r\nContent-Length: 2\r\n\r\n{}",),
    # Where it leads.
    "a redirect to itself": lambda: (head("307 x", Location="/v2/", Content_Length="0"),),
    "a redirect of no address": lambda: (head("307 x", Location="http://[::1]:x/\x01ERROR:", Content_Length="0"),),
    "a redirect to a file": lambda: (head("307 x", Location="file:///etc/passwd", Content_Length="0"),),
    "a redirect without TLS": lambda: (head("307 x", Location="http://evil.example/", Content_Length="0"),),
    "a redirect nowhere": lambda: (head("307 x", Content_Length="0"),),
    # An error.
    "an error that is a forged line": lambda: (
        head("400 x", Content_Length="300", Content_Type="application/json"),
        json.dumps({"errors": [{"code": "A\nERROR: b", "message": "\x1b[31m\rRELEASED: owned"}]}).encode().ljust(300),
    ),
    "an error nested deep": lambda: (head("400 x", Content_Length=str(len(DEEP))), DEEP),
    "an error of types": lambda: (
        head("400 x"),
        b'{"errors": [{"code": {"a": []}, "message": [1], "detail": NaN}, 5]}',
    ),
    "an error without end": without_end(head("400 x"), b"<" * 65536),
    "a challenge of quotes": lambda: (head("401 x", WWW_Authenticate='Bearer realm="' + '\\"' * 30_000), b""),
    "a challenge to a file": lambda: (head("401 x", WWW_Authenticate='Bearer realm="file:///etc/passwd"'), b""),
    "a challenge of two lines": lambda: (head("401 x", WWW_Authenticate='Basic realm="a\r\n ERROR: owned"'), b""),
    "later, in 300 years": lambda: (head("429 x", Retry_After="9999999999", Content_Length="0"),),
    "later, in words": lambda: (head("503 x", Retry_After="Thu, 99 ERROR: 99999", Content_Length="0"),),
}

TAGS: Mapping[str, Callable[[], Iterable[bytes]]] = {
    "no list": whole(b'{"tags": "v1.2.3"}', "application/json"),
    "no text": whole(b'{"tags": [1, null, {}]}', "application/json"),
    "tags nested deep": whole(b'{"tags": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "application/json"),
    "a page that is the next": whole(
        b'{"tags": []}', "application/json", Link='</v2/team/image/tags/list>; rel="next"'
    ),
    "a page elsewhere": whole(b'{"tags": []}', "application/json", Link='<https://evil.example/x>; rel="next"'),
    "a link of brackets": whole(b'{"tags": "x"}', "application/json", Link="<" * 60_000),
    "a link of no address": whole(b'{"tags": []}', "application/json", Link='<http://[>; rel="next"'),
}


def ends_honestly(read: Callable[[], object]) -> ReleaseError:
    """Read, and return the error: in time, within memory, with an exit code of its own and in words of its own."""
    began = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(ReleaseError) as caught:
            read()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.monotonic() - began < SECONDS_AT_MOST
    assert peak < HELD_AT_MOST
    assert caught.value.exit_code in {ExitCode.USAGE, ExitCode.REGISTRY_FAILED, ExitCode.CREDENTIALS}
    assert len(caught.value.cause) < 2000
    return caught.value


def opened(connect: Connect) -> Registry:
    """A client that waits for no server long."""
    return connect(timeouts=Timeouts(2.0, 2.0, Rate(2.0)))


@pytest.mark.parametrize("name", ANSWERS)
def test_hostile_answer(connect: Connect, name: str) -> None:
    """Whatever a registry answers where a manifest is asked for: an error that says so, soon, and without its body."""
    with liar(ANSWERS[name]) as server:
        name_there = f"{server.host}/team/image:v1"
        ends_honestly(lambda: observe(connect, name_there))


def observe(connect: Connect, name: str) -> object:
    """Read what a name holds, as a run does before it plans."""
    return observe_name(Name.parse(name), opened(connect))


@pytest.mark.parametrize("name", TAGS)
def test_hostile_list_of_tags(connect: Connect, name: str) -> None:
    """Whatever a registry answers where tags are asked for."""
    with liar(TAGS[name]) as server:
        ends_honestly(lambda: opened(connect).tags(at(server.host)))


def test_tags_without_end(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that go on and on, each with another address, come to an end, empty ones, too."""
    monkeypatch.setattr("runner.oci.registry.LIST_LIMIT", 400_000)
    pages = itertools.count()

    def page() -> Iterable[bytes]:
        link = f'</v2/team/image/tags/list?last={next(pages)}>; rel="next"'
        return whole(b'{"tags": []}', "application/json", Link=link, Connection="close")()

    with liar(page) as server:
        error = ends_honestly(lambda: opened(connect).tags(at(server.host)))
        assert "has no end" in error.cause
        assert server.requests < 120


@pytest.mark.parametrize("name", ["a body without end", "chunks without end", "a bomb of gzip", "a list", "nothing"])
def test_hostile_blob(connect: Connect, name: str) -> None:
    """A blob that is not what its descriptor says is left as soon as that is known."""
    descriptor = Descriptor(OCI_CONFIG, digest_of(CONFIG), len(CONFIG))
    with liar(ANSWERS[name]) as server:
        ends_honestly(lambda: opened(connect).read_blob(at(server.host), descriptor))


def test_honest_answers_of_odd_form(connect: Connect) -> None:
    """The limits are far from what servers give: long headers, many of them, chunks of one byte, an interim answer."""
    body = json.dumps({"schemaVersion": 2, "config": CONFIG_DESCRIPTOR, "layers": []}).encode()
    headers: dict[str, Any] = {f"X_{number}": "a" * 500 for number in range(90)}
    chunks = b"".join(b"1;a=b\r\n%c\r\n" % byte for byte in body)
    answer = head("100 Continue") + head(**CHUNKED, **headers) + chunks + b"0\r\nX-Trailer: a\r\n\r\n"
    with liar(lambda: (answer,)) as server:
        found = opened(connect).manifest(at(server.host), "v1")
        assert found is not None
        assert found.body == body
