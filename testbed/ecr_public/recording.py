"""All requests that reached the servers: in which order, from whom, what for, with which secrets in them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET_HEADERS = frozenset({"authorization", "x-amz-security-token", "cookie", "proxy-authorization"})


@dataclass(frozen=True)
class Call:
    """One request that was answered.

    Attributes:
        server: who was asked: ``registry``, ``cdn``, ``ecr-public``, ``ssm``, ``sts``.
        method: e.g. ``PUT``.
        path: with the query.
        headers: by lower-case names.
        body: of requests to an API, and manifests; empty for blobs.
        identity: the caller's ARN; None for nobody that is known.
        actions: what IAM calls it, e.g. ``ecr-public:PutImage``; empty where IAM has no say.
        status: what was answered.
    """

    server: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    identity: str | None
    actions: tuple[str, ...]
    status: int

    @property
    def secrets(self) -> dict[str, str]:
        """The headers that carry secrets."""
        return {name: value for name, value in self.headers.items() if name in SECRET_HEADERS}

    @property
    def plain_path(self) -> str:
        """The path without its query."""
        return urlsplit(self.path).path

    def holds(self, text: str) -> bool:
        """Whether a text stands anywhere in the request."""
        return text in self.path or text.encode() in self.body or any(text in value for value in self.headers.values())


class Recorder:
    """The calls so far, in the order in which they were answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []

    @property
    def calls(self) -> tuple[Call, ...]:
        """All of them."""
        with self._lock:
            return tuple(self._calls)

    def add(self, call: Call) -> None:
        """Remember a call."""
        with self._lock:
            self._calls.append(call)

    def mark(self) -> int:
        """How many calls there are; ``rewind`` forgets those that came later."""
        with self._lock:
            return len(self._calls)

    def rewind(self, mark: int) -> None:
        """Forget the calls after a mark."""
        with self._lock:
            del self._calls[mark:]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._calls.clear()

    def actions(self, identity: str | None = None) -> frozenset[str]:
        """What callers did, as IAM names it: all of them, or the one with this ARN."""
        return frozenset(action for call in self.calls if identity in {None, call.identity} for action in call.actions)
