from __future__ import annotations

import http.client
import json
import ssl

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import RegistryFailed, RunEnded
from runner.oci.messages import Body, Request, TransientFailure
from runner.oci.problem import SAID_LIMIT, describe, describe_status, is_untrusted, read_errors
from runner.oci.retries import RetryPolicy
from runner.oci.transport import Transport
from runner.runtime.lifetime import Lifetime

NOW = 1_800_000_000.0
GET = Request(
    "GET", "https://me:hunter2@registry.example/v2/a/manifests/t?_state=hunter2", {"Authorization": "hunter2"}
)
QUICK = RetryPolicy(attempts=4, first_pause=0.0)


def test_a_step_is_repeated_until_it_succeeds() -> None:
    """A step that fails transiently is called again with the number of its attempt."""

    def step(attempt: int) -> str:
        if attempt < 3:
            raise TransientFailure(GET, "HTTP 503")
        return f"done at {attempt}"

    with Transport(Lifetime(), {}, retries=QUICK) as transport:
        assert transport.retrying(step) == "done at 3"


def test_a_step_that_keeps_failing_says_what_it_tried_and_no_secret() -> None:
    """The error names host, method, path, count and the last failure, but neither query nor user information."""

    def step(attempt: int) -> None:
        raise TransientFailure(GET, f"HTTP 50{attempt}")

    with Transport(Lifetime(), {}, retries=QUICK) as transport, pytest.raises(RegistryFailed) as raised:
        transport.retrying(step)
    assert raised.value.cause == (
        "GET registry.example/v2/a/manifests/t failed 4 times, the last 0 s after the first: HTTP 504"
    )
    assert "hunter2" not in f"{raised.value.cause} {GET!r} {raised.value.__cause__!r}"


def test_other_errors_are_not_repeated() -> None:
    """Only transient failures are repeated; every other error passes at once."""
    calls = []

    def step(attempt: int) -> None:
        calls.append(attempt)
        raise ValueError("a bug")

    with Transport(Lifetime(), {}, retries=QUICK) as transport, pytest.raises(ValueError, match="a bug"):
        transport.retrying(step)
    assert calls == [1]


def test_an_ended_run_sends_nothing() -> None:
    """No step is begun once the run has ended."""
    lifetime = Lifetime()
    lifetime.end("SIGTERM")

    def step(_: int) -> None:
        pytest.fail("a step began")

    with Transport(lifetime, {}, retries=QUICK) as transport, pytest.raises(RunEnded, match="SIGTERM"):
        transport.retrying(step)


def test_a_pause_ends_with_the_run() -> None:
    """A run that is ended while a step waits for its next attempt does not wait any longer."""
    lifetime = Lifetime()

    def step(_: int) -> None:
        lifetime.end("SIGINT")
        raise TransientFailure(GET, "HTTP 429", retry_after=30.0)

    with Transport(lifetime, {}) as transport, pytest.raises(RunEnded, match="SIGINT"):
        transport.retrying(step)


def test_no_request_is_made_once_the_run_has_ended() -> None:
    """A request after the end is not made, and is no failure of the registry."""
    lifetime = Lifetime()
    lifetime.end("the deadline")
    with Transport(lifetime, {}) as transport, pytest.raises(RunEnded, match="the deadline"):
        transport.exchange(Request("GET", "http://127.0.0.1:9/v2/"))


def test_a_body_can_be_read_again() -> None:
    """Each reading of a body begins anew."""
    body = Body.of(b"abc")
    assert [b"".join(body.chunks()), b"".join(body.chunks()), body.size] == [b"abc", b"abc", 3]
    assert list(Body.of(b"").chunks()) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"errors": [{"code": "TAG_INVALID", "message": "immutable"}]}, "HTTP 400 (TAG_INVALID: immutable)"),
        ({"errors": [{"code": "A"}, {"message": "b\nc"}]}, "HTTP 400 (A; b c)"),
        ({"errors": [{"code": "A", "message": "x" * 1000}]}, f"HTTP 400 (A: {'x' * (SAID_LIMIT - 3)})"),
        ({"errors": []}, "HTTP 400"),
        ({"errors": "text"}, "HTTP 400"),
        ([], "HTTP 400"),
        ("text", "HTTP 400"),
    ],
    ids=["one", "two", "long", "none", "no list", "no object", "a text"],
)
def test_errors_of_a_registry_become_one_line(body: object, expected: str) -> None:
    """Code and message of an error body follow the status, in one line of bounded length."""
    assert describe_status(400, json.dumps(body).encode()) == expected


@given(st.binary(max_size=60))
def test_any_error_body_can_be_read(body: bytes) -> None:
    """No body makes describing an answer fail."""
    assert describe_status(502, body).startswith("HTTP 502")
    assert isinstance(read_errors(body), tuple)


CONNECTION = urllib3.connection.HTTPConnection("registry.example", 1)
POOL = urllib3.HTTPConnectionPool("registry.example", 1)
UNTRUSTED = ssl.SSLCertVerificationError(1, "certificate verify failed")
UNTRUSTED.verify_message = "self-signed certificate"


def refused() -> urllib3.exceptions.HTTPError:
    error = urllib3.exceptions.NewConnectionError(CONNECTION, "Failed")
    error.__cause__ = ConnectionRefusedError(111, "Connection refused")
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refused(), "connection refused"),
        (urllib3.exceptions.ConnectTimeoutError(CONNECTION, "x"), "no connection within the time allowed"),
        (urllib3.exceptions.ReadTimeoutError(POOL, "/v2/?_state=hunter2", "x"), "no answer within the time allowed"),
        (urllib3.exceptions.ProtocolError("x", http.client.IncompleteRead(b"", 5)), "the answer was cut short"),
        (urllib3.exceptions.IncompleteRead(1, 5), "the answer was cut short"),
        (
            urllib3.exceptions.ProtocolError("x", http.client.RemoteDisconnected("Remote end closed")),
            "the connection was closed without an answer",
        ),
        (
            urllib3.exceptions.ProtocolError("x", ConnectionResetError(104, "Connection reset by peer")),
            "connection reset by peer",
        ),
        (urllib3.exceptions.SSLError(UNTRUSTED), "the certificate is not trusted: self-signed certificate"),
        (urllib3.exceptions.ProxyError("x", refused()), "at the proxy: connection refused"),
        (urllib3.exceptions.DecodeError("hunter2"), "DecodeError"),
    ],
    ids=[
        "refused",
        "connect timeout",
        "read timeout",
        "cut",
        "cut too",
        "closed",
        "reset",
        "untrusted",
        "proxy",
        "other",
    ],
)
def test_connection_errors_are_said_in_words(error: urllib3.exceptions.HTTPError, expected: str) -> None:
    """Each way a connection fails has words of its own, with no address or query in them."""
    assert describe(error) == expected
    assert is_untrusted(error) == ("not trusted" in expected)
