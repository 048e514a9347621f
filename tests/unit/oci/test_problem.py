from __future__ import annotations

import http.client
import json
import socket
import ssl

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.problem import (
    SAID_LIMIT,
    describe,
    describe_status,
    hopeless_after,
    is_untrusted,
    plain_text,
    printable,
    read_errors,
    sentence,
)

KEYS = st.sampled_from(["errors", "code", "message", "detail", "error"]) | st.text(max_size=3)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"errors": [{"code": "TAG_INVALID", "message": "immutable"}]}, "HTTP 400 (TAG_INVALID: immutable)"),
        ({"errors": [{"code": "A"}, {"message": "b\nc"}]}, "HTTP 400 (A; b c)"),
        ({"errors": [{"code": "A", "message": "x" * 1000}]}, f"HTTP 400 (A: {'x' * (SAID_LIMIT - 4)}…)"),
        (
            {"errors": [{"code": "DENIED", "message": "no", "detail": "project quota"}]},
            "HTTP 400 (DENIED: no (project quota))",
        ),
        (
            {"errors": [{"code": "DENIED", "message": "no", "detail": {"message": "project quota"}}]},
            "HTTP 400 (DENIED: no (project quota))",
        ),
        (
            {"errors": [{"code": "X", "message": "no", "detail": {"Digest": "sha256:1"}}]},
            'HTTP 400 (X: no ({"Digest": "sha256:1"}))',
        ),
        ({"errors": [{"code": "X", "message": "no", "detail": None}]}, "HTTP 400 (X: no)"),
        ({"errors": [{"code": "X", "message": None, "detail": "why"}]}, "HTTP 400 (X: why)"),
        ({"errors": [{"message": "a\u202eb\u200bc\x1b[31md\re"}]}, "HTTP 400 (a b c [31md e)"),
        ({"message": "storage is full"}, "HTTP 400 (storage is full)"),
        ({"detail": "storage is full"}, "HTTP 400 (storage is full)"),
        ({"error": "invalid_token", "error_description": "it is old"}, "HTTP 400 (it is old)"),
        ({"errors": []}, "HTTP 400"),
        ({"errors": "text"}, "HTTP 400"),
        ([], "HTTP 400"),
        ("text", "HTTP 400"),
    ],
    ids=[
        *("one", "two", "long", "detail", "detail's message", "detail's values", "no detail", "detail alone"),
        *("control characters", "gateway", "gateway's detail", "token service"),
        *("none", "no list", "no object", "a text"),
    ],
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

PLAIN = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
PLAIN.reason = "WRONG_VERSION_NUMBER"
ALERT = ssl.SSLError(1, "[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] (_ssl.c:1006)")
ALERT.reason = "SSLV3_ALERT_HANDSHAKE_FAILURE"


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
        (urllib3.exceptions.DecodeError("hunter2"), "the answer cannot be decoded"),
        (urllib3.exceptions.ProtocolError("hunter2"), "the connection broke"),
        (urllib3.exceptions.ProtocolError("x", http.client.BadStatusLine("hunter2")), "the answer is not valid HTTP"),
        (urllib3.exceptions.LocationParseError("hunter2"), "the address is not valid"),
        (urllib3.exceptions.HTTPError("hunter2"), "the connection failed without a reason given"),
        (urllib3.exceptions.SSLError(PLAIN), "what answers does not speak TLS"),
        (urllib3.exceptions.SSLError(ALERT), "TLS failed: sslv3 alert handshake failure"),
        (
            urllib3.exceptions.ProxyError("x", OSError("Tunnel connection failed: 502 Bad\x1b[1m Gateway")),
            "at the proxy: HTTP 502 Bad [1m Gateway",
        ),
        (urllib3.exceptions.ProxyError("x", OSError("Tunnel connection failed: 403")), "at the proxy: HTTP 403"),
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
        "decode",
        "broken",
        "no HTTP",
        "address",
        "other",
        "plain",
        "alert",
        "tunnel",
        "tunnel without a reason",
    ],
)
def test_connection_errors_are_said_in_words(error: urllib3.exceptions.HTTPError, expected: str) -> None:
    """Each way a connection fails has words of its own, with no address or query in them."""
    assert describe(error) == expected
    assert is_untrusted(error) == ("not trusted" in expected)


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"\xff\xfe", b"<html>", b""], ids=["deep", "binary", "page", "nothing"]
)
def test_body_that_is_no_error(body: bytes) -> None:
    """A body that cannot be read says nothing, and the status stands alone."""
    assert read_errors(body) == ()
    assert describe_status(404, body) == "HTTP 404"


def resolved() -> urllib3.exceptions.HTTPError:
    return urllib3.exceptions.NameResolutionError("registry.example", CONNECTION, socket.gaierror(-2, "Name unknown"))


def test_host_that_does_not_resolve() -> None:
    """A name that does not resolve is reported as that, not in the system's words."""
    assert describe(resolved()) == "the host's name does not resolve"
    assert describe(urllib3.exceptions.ProxyError("x", resolved())) == "at the proxy: the host's name does not resolve"


def test_proxy_that_is_not_trusted() -> None:
    """A certificate that is not trusted is the proxy's where the proxy is spoken to."""
    error = urllib3.exceptions.ProxyError("x", urllib3.exceptions.SSLError(UNTRUSTED))
    assert describe(error) == "at the proxy: the certificate is not trusted: self-signed certificate"
    assert is_untrusted(error)


def test_errors_that_come_from_each_other() -> None:
    """Errors that name each other as their causes are each visited once."""
    first, second = ValueError("x"), KeyError("y")
    first.__cause__, second.__cause__ = second, first
    assert describe(first) == "the connection failed without a reason given"
    assert not is_untrusted(first)


def test_error_that_was_being_handled() -> None:
    """What went wrong is found also where it is only the context of what was raised."""
    outer = RuntimeError("x")
    outer.__context__ = ssl.SSLError(UNTRUSTED)
    assert is_untrusted(outer)
    assert describe(outer) == "the certificate is not trusted: self-signed certificate"


def unknown(number: int) -> urllib3.exceptions.HTTPError:
    error = urllib3.exceptions.NameResolutionError("registry.example", CONNECTION, socket.gaierror(number, "x"))
    error.__cause__ = socket.gaierror(number, "x")
    return error


@pytest.mark.parametrize(
    ("error", "here", "expected"),
    [
        (refused(), True, 1),
        (refused(), False, None),
        (urllib3.exceptions.ProxyError("x", refused()), True, 1),
        (unknown(socket.EAI_NONAME), False, 2),
        (unknown(socket.EAI_AGAIN), False, None),
        (urllib3.exceptions.ProxyError("x", unknown(socket.EAI_NONAME)), False, 2),
        (urllib3.exceptions.SSLError(PLAIN), False, 2),
        (urllib3.exceptions.SSLError(ALERT), False, None),
        (urllib3.exceptions.ProtocolError("x", ConnectionResetError(104, "reset")), True, None),
        (urllib3.exceptions.ReadTimeoutError(POOL, "/", "x"), True, None),
    ],
    ids=[
        *("refused here", "refused elsewhere", "refused proxy", "unknown host", "DNS is away", "unknown proxy"),
        *("no TLS", "alert", "reset", "time-out"),
    ],
)
def test_what_is_hopeless(error: urllib3.exceptions.HTTPError, *, here: bool, expected: int | None) -> None:
    """Nothing that listens on this machine is hopeless at once, an unknown host or no TLS the second time."""
    assert hopeless_after(error, on_this_machine=here) == expected


@given(st.recursive(st.none() | st.text() | st.integers(), lambda c: st.lists(c) | st.dictionaries(KEYS, c)))
def test_any_document_is_one_printable_line(document: object) -> None:
    """Whatever JSON a registry answers, what is said of it is one printable line of bounded length."""
    said = sentence(json.dumps(document).encode())
    assert len(said) <= SAID_LIMIT
    assert said.isprintable()


@pytest.mark.parametrize(
    ("body", "said", "plain"),
    [
        (b"quota\nexceeded\x1b[31m", "quota exceeded [31m", "quota exceeded [31m"),
        (b"<html><style>a { b: c }</style><h1>Too  large</h1></html>", "", "Too large"),
        (b"x" * 900, f"{'x' * (SAID_LIMIT - 1)}…", f"{'x' * (SAID_LIMIT - 1)}…"),
        (b'{"broken', "", ""),
        (b"\xff\xfe", "", ""),
        (b"", "", ""),
    ],
    ids=["text", "page", "long", "broken JSON", "binary", "nothing"],
)
def test_bodies_that_are_no_json(body: bytes, said: str, plain: str) -> None:
    """A plain text is what a gateway says, in one line; of a page only the words count, and none are shown."""
    assert sentence(body) == said
    assert plain_text(body) == plain


@given(st.text())
def test_printable(text: str) -> None:
    """Text from elsewhere becomes one printable line of bounded length; what is that already stays as it was."""
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) <= SAID_LIMIT
    assert printable(shown) == shown
