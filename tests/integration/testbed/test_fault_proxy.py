"""The fault proxy, asked by Python's own HTTP client: each fault is what it says, and all requests are recorded."""

from __future__ import annotations

import http.client
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from runner.oci.manifest import digest_of
from testbed.faults.fault import Answer, Drop, Fault
from testbed.faults.marks import Found
from testbed.faults.proxy import FaultProxy
from testbed.faults.schedule import FaultSchedule
from tests.support.registry import crane_registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from testbed.faults.rules import Seen
    from testbed.registries import LocalRegistry

CONTENT = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}'
DIGEST = digest_of(CONTENT)
TAG, BY_DIGEST = "/v2/some/thing/manifests/1", f"/v2/some/thing/manifests/{DIGEST}"
TYPE = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}


class Got(NamedTuple):
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(host: str, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Got:
    """Ask over a connection of its own."""
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return Got(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[LocalRegistry]:
    """A registry that holds one manifest under one tag."""
    with crane_registry(tmp_path / "registry") as made:
        assert ask(made.host, "PUT", TAG, CONTENT, TYPE).status == 201
        yield made


@pytest.fixture
def proxy(registry: LocalRegistry) -> Iterator[FaultProxy]:
    with FaultProxy(registry.host) as made:
        yield made


def test_without_faults(proxy: FaultProxy, registry: LocalRegistry) -> None:
    """What is answered is the registry's own answer."""
    assert ask(proxy.host, "GET", TAG).body == ask(registry.host, "GET", TAG).body == CONTENT


@pytest.mark.parametrize("path", [TAG, BY_DIGEST])
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("drop", Drop)
def test_a_connection_that_ends(
    proxy: FaultProxy, registry: LocalRegistry, path: str, drop: Drop, *, reset: bool
) -> None:
    """A client sees the end that was asked for; a write takes effect when it ends after it, and only then."""
    other = CONTENT.replace(b'"layers"', b'"annotations":{},"layers"')
    proxy.meet(Fault(drop=drop, reset=reset), method="PUT")
    with pytest.raises(ConnectionResetError if reset else http.client.RemoteDisconnected) as ended:
        ask(proxy.host, "PUT", path.replace(DIGEST, digest_of(other)), other, TYPE)
    assert isinstance(ended.value, http.client.RemoteDisconnected) is not reset
    there = ask(registry.host, "GET", f"/v2/some/thing/manifests/{digest_of(other)}").status
    assert there == (200 if drop is Drop.AFTER else 404)
    [seen] = proxy.requests
    assert (seen.status, seen.forwarded, seen.received) == (0, drop is Drop.AFTER, len(other))


@pytest.mark.parametrize("wrong", [-7, 1, 1000])
def test_a_length_that_lies(proxy: FaultProxy, wrong: int) -> None:
    """Too many bytes are announced and the body ends before; or too few, and the client stops in the middle of it."""
    proxy.meet(Fault(length=wrong))
    if wrong > 0:
        with pytest.raises(http.client.IncompleteRead):
            ask(proxy.host, "GET", TAG)
    else:
        got = ask(proxy.host, "GET", TAG)
        assert got.body == CONTENT[:wrong]


def test_half_a_body(proxy: FaultProxy) -> None:
    """Half of what is announced comes."""
    proxy.meet(Fault(cut=True))
    with pytest.raises(http.client.IncompleteRead) as cut:
        ask(proxy.host, "GET", TAG)
    assert cut.value.partial == CONTENT[: len(CONTENT) // 2]


def test_other_bytes(proxy: FaultProxy) -> None:
    """The body has its length, and is another one."""
    proxy.meet(Fault(corrupt=True))
    got = ask(proxy.host, "GET", TAG)
    assert len(got.body) == len(CONTENT)
    assert got.body != CONTENT


def test_another_digest(proxy: FaultProxy) -> None:
    """Only the header lies."""
    proxy.meet(Fault(wrong_digest=True))
    got = ask(proxy.host, "GET", TAG)
    assert got.headers["docker-content-digest"] != DIGEST
    assert got.body == CONTENT


def test_a_slow_drip(proxy: FaultProxy) -> None:
    """The body is whole, and takes as long as its pieces are apart."""
    proxy.meet(Fault(drip=0.03))
    began = time.monotonic()
    assert ask(proxy.host, "GET", TAG).body == CONTENT
    assert time.monotonic() - began > 0.25


def test_a_delay(proxy: FaultProxy) -> None:
    """The registry sees the request only after it."""
    proxy.meet(Fault(seconds=0.2))
    began = time.monotonic()
    assert ask(proxy.host, "GET", TAG).status == 200
    assert time.monotonic() - began > 0.2


@pytest.mark.parametrize("path", [TAG, BY_DIGEST])
def test_a_write_that_does_not_show_yet(proxy: FaultProxy, path: str) -> None:
    """After a write, as many reads of it as asked for are answered 404; before it, and after them, none."""
    proxy.meet(Fault(lag=2), method="PUT", times=1)
    assert ask(proxy.host, "GET", path).status == 200
    assert ask(proxy.host, "PUT", path, CONTENT, TYPE).status == 201
    assert [ask(proxy.host, "GET", path).status for _ in range(3)] == [404, 404, 200]


def test_an_error_with_retry_after(proxy: FaultProxy) -> None:
    """An error has the code and headers that it was given, and the registry sees nothing."""
    proxy.meet(Fault(answer=Answer.error(403, "TOOMANYREQUESTS", {"Retry-After": "1"})))
    got = ask(proxy.host, "GET", TAG)
    assert (got.status, got.headers["retry-after"]) == (403, "1")
    assert b"TOOMANYREQUESTS" in got.body
    assert not proxy.requests[0].forwarded


def test_before_and_after(proxy: FaultProxy, registry: LocalRegistry) -> None:
    """What is called before finds the registry as it was, and what is called after finds it changed."""
    path = "/v2/some/thing/manifests/2"
    found: list[int] = []

    def look() -> None:
        found.append(ask(registry.host, "GET", path).status)

    proxy.meet(Fault(before=look, after=look), method="PUT")
    assert ask(proxy.host, "PUT", path, CONTENT, TYPE).status == 201
    assert found == [404, 200]


def test_a_watcher(proxy: FaultProxy, registry: LocalRegistry) -> None:
    """It is called before the client is answered, for one write at a time, with what the registry has taken."""
    watched: list[tuple[str, int]] = []
    inside = threading.Semaphore(1)

    def look(seen: Seen) -> None:
        assert inside.acquire(blocking=False)
        watched.append((seen.path, ask(registry.host, "GET", seen.path).status))
        inside.release()

    proxy.watch(look)
    paths = [f"/v2/some/thing/manifests/t{number}" for number in range(6)]
    threads = [threading.Thread(target=ask, args=(proxy.host, "PUT", path, CONTENT, TYPE)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(watched) == [(path, 200) for path in paths]


def test_another_registry_behind(proxy: FaultProxy, tmp_path: Path) -> None:
    """The same address can stand before another registry."""
    with crane_registry(tmp_path / "other") as other:
        proxy.stand_before(other.host)
        assert ask(proxy.host, "GET", TAG).status == 404


def test_requests_are_recorded(proxy: FaultProxy) -> None:
    """Each request has its place in the order of arrival, what it was, and where which marked secret was in it."""
    proxy.mark({"password": "correct horse battery", "cookie": "staple of the cookie"})
    ask(proxy.host, "GET", "/v2/", headers={"Authorization": "Bearer correct horse battery"})
    ask(proxy.host, "GET", "/v2/?token=correct%20horse%20battery")
    ask(proxy.host, "PUT", TAG, b"x" * 100_000 + b"staple of the cookie", TYPE)
    assert [seen.number for seen in proxy.requests] == [0, 1, 2]
    assert [seen.method for seen in proxy.requests] == ["GET", "GET", "PUT"]
    assert [seen.marks for seen in proxy.requests] == [
        (Found("password", "header authorization"),),
        (Found("password", "url"),),
        (Found("cookie", "body"),),
    ]


def test_a_schedule_is_applied(proxy: FaultProxy) -> None:
    """The requests that a schedule names are met as it says, and others are not."""
    schedule = next(
        made
        for made in map(FaultSchedule.from_seed, range(10_000))
        if [entry.request for entry in made.entries] == ["read a tag"]
        and made.entries[0].fault.answer is not None
        and made.entries[0].times == 2
    )
    schedule.apply(proxy)
    [entry] = schedule.entries
    assert entry.fault.answer is not None
    wanted = [*[200] * entry.skip, *[entry.fault.answer.status] * 2, 200]
    assert [ask(proxy.host, "GET", TAG).status for _ in wanted] == wanted
    assert ask(proxy.host, "GET", BY_DIGEST).status == 200
