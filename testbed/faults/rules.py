"""Which requests a fault proxy meets with which fault, and what it reports of them."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.faults.fault import Fault
    from testbed.faults.marks import Found


@dataclass(frozen=True)
class Seen:
    """One request that reached the proxy.

    Attributes:
        number: its place in the order in which requests arrived, from 0.
        method: as it was sent.
        path: including the query.
        headers: with lower-case names.
        received: bytes of its body that came.
        status: what the client was answered; 0 where the connection was dropped.
        forwarded: whether the registry behind saw it.
        marks: which marked secrets it carried, and where.
    """

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    received: int
    status: int
    forwarded: bool
    marks: tuple[Found, ...] = ()


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
    """Meets the requests that match with a fault; ``skip`` of them pass first, then ``times`` are met (None: all)."""

    method: str
    path: str
    times: int | None
    skip: int
    fault: Fault

    def matches(self, method: str, path: str) -> bool:
        """Whether this rule is about such a request."""
        return re.fullmatch(self.method, method) is not None and re.search(self.path, path) is not None
