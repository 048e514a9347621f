"""What went wrong with a request, in words: without addresses and queries, which may be secret."""

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
"""What an error is called in which, or in what it came from, the system says nothing itself; the first that fits."""


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
    """Say in one line what an error answer says, e.g. ``HTTP 400 (TAG_INVALID: …)``."""
    said = "; ".join(f"{code}: {message}".strip(": ") for code, message in read_errors(body))
    printable = "".join(c if c.isprintable() else " " for c in said)[:SAID_LIMIT]
    return f"HTTP {status} ({printable})" if printable else f"HTTP {status}"


def describe(error: BaseException) -> str:
    """Say in words what went wrong with a connection."""
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
    """Whether the other side's certificate is not trusted, which no further attempt mends."""
    return any(isinstance(one, ssl.SSLCertVerificationError) for one in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and the errors that it carries or came from."""
    pending = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        pending += [other for other in (*one.args, one.__cause__, one.__context__) if isinstance(other, BaseException)]
