"""Descriptions of what went wrong with a request, without URLs, whose queries may be secret."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
from typing import TYPE_CHECKING

import urllib3

from runner.foreign.documents import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator

SAID_LIMIT = 300
ERROR_LIMIT = 64 * 1024
"""The most bytes of an error's body that are read."""
PAGE_LIMIT = 4 * 1024
"""The most bytes of a page in which a sentence is looked for."""
MARKUP = re.compile(r"<(style|script)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
SENTENCES = ("message", "error_description", "error", "details", "title")
"""The keys under which registries and gateways put a sentence; the first that holds one counts."""
TUNNEL = re.compile(r"Tunnel connection failed: (?P<status>\d{3})(?: (?P<reason>.*))?", re.DOTALL)
"""What http.client says when a proxy answers CONNECT with another status than 200."""
UNKNOWN_HOST = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "UNSUPPORTED_PROTOCOL"})

WORDS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((urllib3.exceptions.ConnectTimeoutError,), "no connection within the time allowed"),
    ((urllib3.exceptions.TimeoutError, TimeoutError), "no answer within the time allowed"),
    ((urllib3.exceptions.IncompleteRead, http.client.IncompleteRead), "the answer was cut short"),
    ((http.client.RemoteDisconnected,), "the connection was closed without an answer"),
    ((ssl.SSLEOFError, ssl.SSLZeroReturnError), "the connection was closed in the middle of TLS"),
    ((http.client.HTTPException, urllib3.exceptions.InvalidHeader), "the answer is not valid HTTP"),
    ((urllib3.exceptions.DecodeError,), "the answer cannot be decoded"),
    ((urllib3.exceptions.LocationValueError, UnicodeError), "the address is not valid"),
    ((urllib3.exceptions.ProtocolError,), "the connection broke"),
)
"""How an error is described when neither it nor its causes carry a message from the system; the first match counts."""


def printable(text: str, limit: int = SAID_LIMIT) -> str:
    """Text from elsewhere as part of one line: without control characters, and at most ``limit`` characters long."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def read_errors(body: bytes) -> tuple[tuple[str, str], ...]:
    """The (code, message) pairs of an error body (distribution-spec, Error Codes); none where it is something else."""
    try:
        document = read_json(body)
    except ValueError:
        return ()
    errors = document.get("errors") if isinstance(document, dict) else None
    if not isinstance(errors, list):
        return ()
    return tuple((str(e.get("code", "")), str(e.get("message", ""))) for e in errors if isinstance(e, dict))


def sentence(body: bytes) -> str:
    """What an error body says, in one line of at most 300 characters; empty where it is none that can be read.

    Read are the distribution-spec's errors with their details, and the JSON objects with a message, detail or error
    that gateways and token services answer. Control characters and those that change how text is shown (Unicode's
    categories C and Z) become spaces. Of another body, plain text is taken, but no page.
    """
    try:
        document = read_json(body)
    except ValueError:
        return "" if b"<" in body else plain_text(body)
    errors = document.get("errors") if isinstance(document, dict) else None
    found = errors if isinstance(errors, list) else [document]
    said = "; ".join(filter(None, (_said(one) for one in found if isinstance(one, dict))))
    return printable(said)


def plain_text(body: bytes) -> str:
    """The text of a body that is no JSON, without the tags of a page, in one line of at most 300 characters."""
    try:
        body[:ERROR_LIMIT].decode()
    except UnicodeDecodeError:
        return ""
    # What begins a tag and never ends is looked for to the end, each time anew.
    text = MARKUP.sub(" ", body[:PAGE_LIMIT].decode(errors="ignore").strip())
    if text[:1] in {"{", "[", '"'}:
        return ""
    return printable(text)


def _said(entry: dict[str, object]) -> str:
    code = entry.get("code")
    message = next((str(entry[key]) for key in SENTENCES if isinstance(entry.get(key), str) and entry[key]), "")
    detail = _detail(entry.get("detail"))
    more = f" ({detail})" if detail and message and detail not in message else ""
    named = f"{code}: " if isinstance(code, (str, int)) and code else ""
    return f"{named}{message or detail}{more}".strip(": ")


def _detail(detail: object) -> str:
    if isinstance(detail, str):
        return detail
    if isinstance(detail, dict):
        for key in (*SENTENCES, "reason", "detail"):
            if isinstance(detail.get(key), str):
                return str(detail[key])
    return json.dumps(detail, ensure_ascii=False) if detail else ""


def describe_status(status: int, body: bytes) -> str:
    """Describe an error answer in one line, such as ``HTTP 400 (TAG_INVALID: …)``."""
    said = sentence(body)
    return f"HTTP {status} ({said})" if said else f"HTTP {status}"


def describe(error: BaseException) -> str:
    """Describe what went wrong with a connection."""
    found = tuple(causes(error))
    at = "at the proxy: " if is_at_proxy(error) else ""
    for one in found:
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"{at}the certificate is not trusted: {one.verify_message}"
    answer = tunnel_answer(error)
    if answer is not None:
        return f"{at}HTTP {answer[0]} {answer[1]}".strip()
    if any(isinstance(one, urllib3.exceptions.NameResolutionError) for one in found):
        return f"{at}the host's name does not resolve"
    if is_without_tls(error):
        return f"{at}what answers does not speak TLS"
    tls = [
        f"TLS failed: {one.reason.lower().replace('_', ' ')}"
        for one in found
        if isinstance(one, ssl.SSLError) and one.reason
    ]
    said = [one.strerror.lower() for one in found if isinstance(one, OSError) and one.strerror]
    called = [words for kinds, words in WORDS if any(isinstance(one, kinds) for one in found)]
    return f"{at}{[*tls, *said, *called, 'the connection failed without a reason given'][0]}"


def is_at_proxy(error: BaseException) -> bool:
    """Whether it is the proxy that could not be reached, or that did not let the connection through."""
    return any(isinstance(one, urllib3.exceptions.ProxyError) for one in causes(error))


def tunnel_answer(error: BaseException) -> tuple[int, str] | None:
    """Status and reason with which a proxy refused to connect to a host; None where it did not."""
    for one in causes(error):
        match = TUNNEL.match(str(one)) if isinstance(one, OSError) else None
        if match is not None:
            return int(match["status"]), printable(match["reason"] or "")
    return None


def is_without_tls(error: BaseException) -> bool:
    """Whether the other side speaks no TLS, or none that is accepted."""
    return any(isinstance(one, ssl.SSLError) and one.reason in NO_TLS for one in causes(error))


def hopeless_after(error: BaseException, *, on_this_machine: bool) -> int | None:
    """How many such failures show that no further attempt helps; None where that is never clear.

    Args:
        error: what went wrong with a connection.
        on_this_machine: whether the connection was to this machine, where nothing listens that is not there already.
    """
    found = tuple(causes(error))
    if on_this_machine and any(isinstance(one, ConnectionRefusedError) for one in found):
        return 1
    if any(isinstance(one, socket.gaierror) and one.errno in UNKNOWN_HOST for one in found):
        return 2
    return 2 if is_without_tls(error) else None


def is_untrusted(error: BaseException) -> bool:
    """Whether the server's certificate is not trusted, which another attempt would not change."""
    return any(isinstance(one, ssl.SSLCertVerificationError) for one in causes(error))


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error, the errors among its arguments, and those that caused it.

    urllib3 keeps another error in ``reason``, botocore in the dictionary ``kwargs``.
    """
    pending = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        arguments = getattr(one, "kwargs", None)
        within = tuple(arguments.values()) if isinstance(arguments, dict) else ()
        others = (*one.args, *within, getattr(one, "reason", None), one.__cause__, one.__context__)
        pending += [other for other in others if isinstance(other, BaseException)]
