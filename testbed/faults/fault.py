"""What can be done to one request and its answer; a fault is a value, and several things can be done at once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from testbed.faults.rules import Held


class Drop(Enum):
    """When a connection is closed without an answer: before the registry sees the request, or once it has acted."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True)
class Answer:
    """An answer that is given instead of the registry's; ``Content-Length`` is added unless it is in ``headers``."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def error(cls, status: int, code: str = "UNKNOWN", headers: Mapping[str, str] | None = None) -> Answer:
        """An error as registries write it (distribution-spec, Error Codes)."""
        body = json.dumps({"errors": [{"code": code, "message": "made by the test"}]}).encode()
        return cls(status, {"Content-Type": "application/json", **(headers or {})}, body)


@dataclass(frozen=True)
class Fault:
    """What is done to a request.

    Attributes:
        answer: given instead of the registry's; the registry sees nothing.
        drop: when the connection is closed without an answer.
        reset: a connection that ends because of this fault is reset (RST) instead of closed (FIN).
        cut: the whole body is announced, half of it is sent, and the connection ends.
        corrupt: the body has its length and other bytes.
        omit: headers, in lower case, that the answer does not have.
        wrong_digest: Docker-Content-Digest, where the answer has one, is that of something else.
        length: how many bytes Content-Length says too much, or, where negative, too few.
        seconds: the wait before the registry sees the request.
        drip: seconds between two pieces of the answer's body, of which there are some ten.
        lag: how many reads of what this request has written are answered 404.
        before: called before the registry sees the request.
        after: called once the registry has acted and before the client is answered.
        held: keeps the request.
    """

    answer: Answer | None = None
    drop: Drop | None = None
    reset: bool = False
    cut: bool = False
    corrupt: bool = False
    omit: tuple[str, ...] = ()
    wrong_digest: bool = False
    length: int = 0
    seconds: float = 0.0
    drip: float = 0.0
    lag: int = 0
    before: Callable[[], None] | None = None
    after: Callable[[], None] | None = None
    held: Held | None = None


NO_FAULT = Fault()
