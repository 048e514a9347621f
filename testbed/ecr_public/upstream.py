"""The registry behind: what is asked of it."""

from __future__ import annotations

import contextlib
import http.client
from typing import TYPE_CHECKING

from testbed.ecr_public.wire import HOP_BY_HOP, UPSTREAM_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PASSED_ON = ("Content-Type", "Content-Range", "Range", "Accept")


@contextlib.contextmanager
def asked(
    host: str, method: str, path: str, headers: Mapping[str, str], body: Iterable[bytes] | bytes | None = None
) -> Iterator[http.client.HTTPResponse]:
    """Ask the registry at ``HOST:PORT`` and give its answer, whose body has not been read.

    Args:
        host: the registry.
        method: e.g. ``PUT``.
        path: with the query.
        headers: the client's, by lower-case names; only what a registry needs is passed on.
        body: in pieces if its length stands in the headers, else it is sent in chunks.
    """
    connection = http.client.HTTPConnection(host, timeout=UPSTREAM_SECONDS)
    try:
        sent = {name: headers[name.lower()] for name in PASSED_ON if name.lower() in headers}
        if body is not None and not isinstance(body, bytes) and "content-length" in headers:
            sent["Content-Length"] = headers["content-length"]
        connection.request(method, path, body, sent)
        yield connection.getresponse()
    finally:
        connection.close()


def ask(
    host: str, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
) -> tuple[int, bytes, dict[str, str]]:
    """Ask the registry; return status, body and headers of its answer, these by lower-case names."""
    with asked(host, method, path, headers, body) as answer:
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}


def ask_all(
    host: str, method: str, path: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, bytes, dict[str, str]]:
    """Ask another server with all headers of a client but those of its connection; answer as ``ask``."""
    connection = http.client.HTTPConnection(host, timeout=UPSTREAM_SECONDS)
    try:
        kept = {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP - {"date"}}
        connection.request(method, path, body, {**kept, "Content-Length": str(len(body))})
        answer = connection.getresponse()
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()
