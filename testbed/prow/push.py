"""The event of a push, as GitHub sends it to Prow's hook, and its signature.

``python -m testbed.prow.push ADDRESS SECRET-FILE OWNER REPOSITORY`` sends one for each line of its input: the old
object, the new one and the full ref, as git gives them to its hook post-receive (githooks(5)).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import urllib.request
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTHING = "0" * 40
"""What GitHub says in the place of an object where there is none."""


def push_event(owner: str, repository: str, ref: str, sha: str, *, before: str = NOTHING) -> dict[str, Any]:
    """The event of a pushed ref; it lists no commits, as that of a tag does.

    Args:
        owner: the organization.
        repository: its name there.
        ref: the full name.
        sha: what it names now: of an annotated tag the tag object, not the commit.
        before: what it named until now.
    """
    link = f"https://github.com/{owner}/{repository}"
    return {
        "ref": ref,
        "before": before,
        "after": sha,
        "created": before == NOTHING,
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
    """What GitHub says in X-Hub-Signature, the only signature that hook checks (pkg/github/hmac.go)."""
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


def main(arguments: list[str]) -> int:
    """Send the events of what was pushed."""
    address, secret, owner, repository = arguments
    for line in sys.stdin:
        before, sha, ref = line.split()
        status = send(address, push_event(owner, repository, ref, sha, before=before), Path(secret).read_text("utf-8"))
        print(f"hook answered {status} to the push of {ref}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
