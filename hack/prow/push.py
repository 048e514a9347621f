"""The event of a push, as GitHub sends it to Prow's hook, and its signature."""

from __future__ import annotations

import hashlib
import hmac
import json
import urllib.request
from secrets import token_hex
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTHING = "0" * 40
"""What GitHub says in the place of an object where there is none."""


def push_event(owner: str, repository: str, ref: str, sha: str) -> dict[str, Any]:
    """The event of a ref that is pushed for the first time; one of a tag lists no commits.

    Args:
        owner: the organization.
        repository: its name there.
        ref: the full name.
        sha: what it names: of an annotated tag the tag object, not the commit.
    """
    link = f"https://github.com/{owner}/{repository}"
    return {
        "ref": ref,
        "before": NOTHING,
        "after": sha,
        "created": True,
        "deleted": sha == NOTHING,
        "compare": f"{link}/compare/{ref.removeprefix('refs/tags/').removeprefix('refs/heads/')}",
        "commits": [],
        "repository": {
            "name": repository,
            "full_name": f"{owner}/{repository}",
            "html_url": link,
            "owner": {"name": owner, "login": owner},
        },
        "sender": {"login": "octocat"},
    }


def signature(body: bytes, secret: str) -> str:
    """What GitHub says in X-Hub-Signature, the only signature that hook looks at (pkg/github/hmac.go)."""
    return f"sha1={hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()}"


def send(address: str, event: Mapping[str, Any], secret: str) -> int:
    """Send a push event to a hook and return the answer's status.

    Raises:
        OSError: nothing answers.
    """
    body = json.dumps(event).encode()
    request = urllib.request.Request(  # noqa: S310 - the loopback
        address,
        data=body,
        headers={
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": token_hex(8),
            "X-Hub-Signature": signature(body, secret),
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
            return int(answer.status)
    except HTTPError as refused:
        with refused:
            return refused.code
