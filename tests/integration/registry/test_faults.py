from __future__ import annotations

import re
import socket
import time
from typing import TYPE_CHECKING

import pytest

from runner.errors import CredentialsRefused, RegistryAnswerWrong, RegistryFailed
from runner.oci.retries import RetryPolicy
from runner.oci.transport import Timeouts
from tests.integration.registry.operations import OPERATIONS
from tests.integration.registry.sample import MANIFEST, at

if TYPE_CHECKING:
    from runner.oci.artifact import Blob
    from runner.oci.messages import Exchange
    from testbed.faults.proxy import FaultProxy
    from tests.integration.registry.sample import Connect


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


@pytest.mark.parametrize(("status", "slower"), [(429, True), (503, False)])
def test_reading_without_a_login_slows_down(faulty: FaultProxy, connect: Connect, status: int, *, slower: bool) -> None:
    """Once a read without a login was refused since there were too many, each waits a second after the one before."""
    registry = connect()
    faulty.fail(status, path="/manifests/", times=1)
    began = time.monotonic()
    for _ in range(3):
        assert registry.manifest(at(faulty.host), "v1") is not None
    assert (time.monotonic() - began >= 2) == slower
    assert faulty.count("GET", "/manifests/") == 4


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


def test_nobody_there_is_a_failure_that_says_so(connect: Connect) -> None:
    """A port of this machine on which nothing listens is not waited for, and named with the reason."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(RegistryFailed) as raised:
            connect().manifest(at(host), "v1")
    assert raised.value.cause == f"GET {host}/v2/team/image/manifests/v1 failed once: connection refused"


def test_unknown_host_is_looked_for_twice(connect: Connect) -> None:
    """A host whose name does not resolve is a failure that says so, after a second look."""
    with pytest.raises(RegistryFailed, match=r"failed (2|4) times.*: the host's name does not resolve"):
        connect().manifest(at("registry.invalid"), "v1")


def test_a_registry_that_does_not_answer_times_out(faulty: FaultProxy, connect: Connect) -> None:
    """No answer within the read timeout is a failure, and is tried again."""
    faulty.delay(30)
    registry = connect(timeouts=Timeouts(read=0.1))
    with pytest.raises(RegistryFailed, match=r"failed 4 times.*no answer within the time allowed"):
        registry.manifest(at(faulty.host), "v1")


def test_requests_are_observed(faulty: FaultProxy, connect: Connect) -> None:
    """Every request is reported to the observer, failed ones too, with what passed over the wire."""
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
