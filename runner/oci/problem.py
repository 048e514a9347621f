"""Descriptions of what went wrong with a request, without URLs, whose queries may be secret."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import TYPE_CHECKING

import urllib3

if TYPE_CHECKING:
    from collections.abc import Iterator

SAID_LIMIT = 300

WORDS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((urllib3.exceptions.ConnectTimeoutError,), "no connection within the time allowed"),
    ((urllib3.exceptions.TimeoutError, TimeoutError), "no answer within the time allowed"),
    ((urllib3.exceptions.IncompleteRead, http.client.IncompleteRead), "the answer was cut short"),
    ((http.client.RemoteDisconnected,), "the connection was closed without an answer"),
)
"""How an error is described when neither it nor its causes carry a message from the system; the first match counts."""


def read_errors(body: bytes) -> tuple[tuple[str, str], ...]:
    """The (code, message) pairs of an error body (distribution-spec, Error Codes); none where it is something else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ()
    errors = document.get("errors") if isinstance(document, dict) else None
    if not isinstance(errors, list):
        return ()
    return tuple((str(e.get("code", "")), str(e.get("message", ""))) for e in errors if isinstance(e, dict))


def describe_status(status: int, body: bytes) -> str:
    """Describe an error answer in one line, such as ``HTTP 400 (TAG_INVALID: …)``."""
    said = "; ".join(f"{code}: {message}".strip(": ") for code, message in read_errors(body))
    printable = "".join(c if c.isprintable() else " " for c in said)[:SAID_LIMIT]
    return f"HTTP {status} ({printable})" if printable else f"HTTP {status}"


def describe(error: BaseException) -> str:
    """Describe what went wrong with a connection."""
    found = tuple(_causes(error))
    at = "at the proxy: " if any(isinstance(one, urllib3.exceptions.ProxyError) for one in found) else ""
    for one in found:
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"{at}the certificate is not trusted: {one.verify_message}"
    if any(isinstance(one, urllib3.exceptions.NameResolutionError) for one in found):
        return f"{at}the host's name does not resolve"
    said = [one.strerror.lower() for one in found if isinstance(one, OSError) and one.strerror]
    called = [words for kinds, words in WORDS if any(isinstance(one, kinds) for one in found)]
    return f"{at}{[*said, *called, type(found[-1]).__name__][0]}"


def is_untrusted(error: BaseException) -> bool:
    """Whether the server's certificate is not trusted, which another attempt would not change."""
    return any(isinstance(one, ssl.SSLCertVerificationError) for one in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, the errors among its arguments, and those that caused it."""
    pending = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        pending += [other for other in (*one.args, one.__cause__, one.__context__) if isinstance(other, BaseException)]
