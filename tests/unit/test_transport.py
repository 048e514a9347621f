from __future__ import annotations

import email.utils
import http.client
import json
import ssl

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import RegistryFailed, RunEnded, UsageInvalid
from runner.lifetime import Lifetime
from runner.oci.problem import SAID_LIMIT, describe, describe_status, is_untrusted, read_errors
from runner.oci.transport import (
    Body,
    Request,
    RetryPolicy,
    TransientFailure,
    Transport,
    base_url,
    is_loopback,
    proxy_for,
    read_retry_after,
)

NOW = 1_800_000_000.0
GET = Request(
    "GET", "https://me:hunter2@registry.example/v2/a/manifests/t?_state=hunter2", {"Authorization": "hunter2"}
)
QUICK = RetryPolicy(attempts=4, first_pause=0.0)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("LOCALHOST:5000", True),
        ("127.0.0.1:5000", True),
        ("127.8.9.10", True),
        ("[::1]:5000", True),
        ("[::1]", True),
        ("public.ecr.aws", False),
        ("128.0.0.1:5000", False),
        ("10.0.0.1", False),
        ("[::2]:5000", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("", False),
    ],
)
def test_only_this_machine_is_spoken_to_in_plain_text(host: str, *, expected: bool) -> None:
    """Plain HTTP is for localhost, 127.0.0.0/8 and ::1; every other host gets TLS."""
    assert is_loopback(host) is expected
    assert base_url(host) == f"{'http' if expected else 'https'}://{host}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("0", 0.0),
        ("17", 17.0),
        (" 17 ", 17.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("²", None),
        (email.utils.formatdate(NOW + 90, usegmt=True), 90.0),
        (email.utils.formatdate(NOW - 90, usegmt=True), 0.0),
        ("Fri, 99 Foo 2027 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, expected: float | None) -> None:
    """Both forms of Retry-After are read, a past date is now, and anything else is as if it were not there."""
    assert read_retry_after(value, NOW) == expected


@given(st.text(max_size=30))
def test_any_retry_after_can_be_read(value: str) -> None:
    """No header makes reading Retry-After fail, and no wait is negative."""
    seconds = read_retry_after(value, NOW)
    assert seconds is None or seconds >= 0


@given(st.integers(1, 10_000), st.none() | st.floats(0, 1e9), st.floats(0, 1, exclude_max=True))
def test_pauses_stay_within_their_limits(failures: int, retry_after: float | None, chance: float) -> None:
    """A pause is at least half of what doubling gives, and never longer than its limit."""
    policy = RetryPolicy()
    pause = policy.pause(failures, retry_after, chance)
    if retry_after is not None:
        assert pause == min(retry_after, policy.longest_retry_after)
    else:
        assert policy.first_pause / 2 <= pause <= policy.longest_pause


def test_pauses_double() -> None:
    """Without chance, each pause is twice the one before, up to the longest."""
    policy = RetryPolicy(first_pause=0.5, longest_pause=3.0)
    assert [policy.pause(n, None, 0.0) for n in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]


@pytest.mark.parametrize(
    ("failures", "elapsed", "pause", "expected"),
    [(1, 0.0, 1.0, False), (7, 0.0, 1.0, False), (8, 0.0, 1.0, True), (2, 59.0, 1.0, False), (2, 59.5, 1.0, True)],
)
def test_budgets_end_the_retries(failures: int, elapsed: float, pause: float, *, expected: bool) -> None:
    """A step is given up after its attempts, or when the next pause would go beyond its seconds."""
    assert RetryPolicy(attempts=8, seconds=60.0).gives_up(failures, elapsed, pause) is expected


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


@pytest.mark.parametrize(
    ("environment", "host", "expected"),
    [
        ({}, "a.example", None),
        ({"HTTPS_PROXY": "http://p:3128"}, "a.example", "http://p:3128"),
        ({"https_proxy": "p:3128"}, "a.example", "http://p:3128"),
        ({"HTTPS_PROXY": "http://upper", "https_proxy": "http://lower"}, "a.example", "http://lower"),
        ({"ALL_PROXY": "http://all"}, "a.example", "http://all"),
        ({"HTTPS_PROXY": "http://p", "HTTP_PROXY": "http://q"}, "127.0.0.1:5000", None),
        ({"HTTP_PROXY": "http://q"}, "a.example", None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "b.example, .example"}, "a.example:5000", None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "a.example"}, "a.example:5000", None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "a.example:5000"}, "a.example:5000", None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "a.example:5001"}, "a.example:5000", "http://p"),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "*.Example"}, "a.EXAMPLE", None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}, "a.example", None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": ",, "}, "a.example", "http://p"),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "ample"}, "a.example", "http://p"),
        ({"HTTPS_PROXY": ""}, "a.example", None),
    ],
)
def test_the_environment_names_the_proxy(environment: dict[str, str], host: str, expected: str | None) -> None:
    """HTTPS_PROXY, else ALL_PROXY, counts for hosts that are neither this machine nor in NO_PROXY."""
    assert proxy_for(host, environment) == expected


def test_certificates_that_cannot_be_read_are_a_usage_error(tmp_path: object) -> None:
    """SSL_CERT_FILE that names no file ends the run with the variable's value, before anything is sent."""
    environment = {"SSL_CERT_FILE": f"{tmp_path}/absent.pem"}
    with Transport(Lifetime(), environment) as transport, pytest.raises(UsageInvalid, match=r"absent\.pem"):
        transport.exchange(Request("GET", "https://registry.example/v2/"))


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
