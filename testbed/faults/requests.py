"""The kinds of request that a release sends to a registry (distribution-spec 1.1), in one table."""

from __future__ import annotations

import re
from dataclasses import dataclass

_DIGEST = r"sha256:[0-9a-f]{64}"


@dataclass(frozen=True)
class RequestKind:
    """Requests that ask for one thing.

    Attributes:
        method: a regular expression for the whole method.
        path: one that is searched in path and query.
        writes: whether such a request changes what the registry holds.
        has_body: whether the answer has a body that the client reads.
    """

    method: str
    path: str
    writes: bool = False
    has_body: bool = False

    def matches(self, method: str, path: str) -> bool:
        """Whether a request is of this kind."""
        return re.fullmatch(self.method, method) is not None and re.search(self.path, path) is not None


KINDS: dict[str, RequestKind] = {
    "ask who is there": RequestKind("GET", r"^/v2/$", has_body=True),
    "list tags": RequestKind("GET", r"/tags/list", has_body=True),
    "read a tag": RequestKind("GET", rf"/manifests/(?!{_DIGEST}$)[^/]+$", has_body=True),
    "read a manifest": RequestKind("GET", rf"/manifests/{_DIGEST}$", has_body=True),
    "look for a blob": RequestKind("HEAD", rf"/blobs/{_DIGEST}$"),
    "read a blob": RequestKind("GET", rf"/blobs/{_DIGEST}$", has_body=True),
    "begin an upload": RequestKind("POST", r"/blobs/uploads/", writes=True),
    "send a blob": RequestKind("PUT|PATCH", r"/blobs/uploads/", writes=True),
    "write a manifest": RequestKind("PUT", rf"/manifests/{_DIGEST}$", writes=True),
    "write a tag": RequestKind("PUT", rf"/manifests/(?!{_DIGEST}$)[^/]+$", writes=True),
}


def kind_of(method: str, path: str) -> str | None:
    """The name of the kind that a request is of; None for one of no kind."""
    return next((name for name, kind in KINDS.items() if kind.matches(method, path)), None)
