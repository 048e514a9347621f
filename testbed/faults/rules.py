"""What a fault proxy has to do with requests, and what it reports of them."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Seen:
    """One request that reached the proxy.

    ``path`` includes the query. ``headers`` has lower-case names. ``status`` is what the client was answered, 0 where
    the connection was dropped; ``forwarded`` is whether the registry behind saw the request.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    received: int
    status: int
    forwarded: bool


class Held:
    """A request that is held back, before the registry sees it or (``half``) in the middle of its answer.

    ``reached`` is set once it came; it stays until ``let_go`` or the proxy's end.
    """

    def __init__(self, *, half: bool = False) -> None:
        self.half = half
        self.reached = threading.Event()
        self.finished = threading.Event()
        self._decided = threading.Event()
        self._forward = False

    def let_go(self, *, forward: bool) -> None:
        """Let the registry carry the request out after all, or drop it; done when ``finished`` is set."""
        self._forward = forward
        self._decided.set()

    def wait(self) -> bool:
        """Wait for ``let_go``; whether the request is to be carried out."""
        self.reached.set()
        self._decided.wait()
        return self._forward


@dataclass
class Rule:
    """What to do with the requests that match; ``skip`` of them pass first, then ``times`` are met (None: all)."""

    method: str
    path: str
    times: int | None
    skip: int
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    drop_before: bool = False
    drop_after: bool = False
    cut: bool = False
    corrupt: bool = False
    omit: tuple[str, ...] = ()
    seconds: float = 0.0
    action: Callable[[], None] | None = None
    held: Held | None = None

    def matches(self, method: str, path: str) -> bool:
        """Whether this rule is about such a request."""
        return re.fullmatch(self.method, method) is not None and re.search(self.path, path) is not None
