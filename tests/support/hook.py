"""Prow's hook, and the signed push events that GitHub would send it."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import time
import urllib.request
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import yaml

from hack.processes import Argv, started
from tests.support.apiserver import free_ports
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READY_SECONDS = 60.0
OWNER = "aws-controllers-k8s"


@dataclass(frozen=True)
class Hook:
    """A hook that listens. ``address`` is where events go, ``secret`` signs them."""

    address: str
    secret: str

    def push(self, repository: str, ref: str, sha: str, *, secret: str | None = None) -> int:
        """Send the event of a push to a full ref name, as GitHub does, and return the answer's status.

        A tag's push lists no commits. ``secret`` is one that GitHub does not have.
        """
        link = f"https://github.com/{OWNER}/{repository}"
        event = {
            "ref": ref,
            "before": "0" * 40,
            "after": sha,
            "created": True,
            "deleted": False,
            "compare": f"{link}/compare/{ref.removeprefix('refs/tags/').removeprefix('refs/heads/')}",
            "commits": [],
            "repository": {
                "name": repository,
                "full_name": f"{OWNER}/{repository}",
                "html_url": link,
                "owner": {"name": OWNER, "login": OWNER},
            },
            "sender": {"login": "octocat"},
        }
        body = json.dumps(event).encode()
        signature = hmac.new((secret or self.secret).encode(), body, hashlib.sha1).hexdigest()
        request = urllib.request.Request(  # noqa: S310 - the loopback
            self.address,
            data=body,
            headers={
                "Content-Type": "application/json",
                "X-GitHub-Event": "push",
                "X-GitHub-Delivery": token_hex(8),
                "X-Hub-Signature": f"sha1={signature}",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
                return int(answer.status)
        except HTTPError as refused:
            with refused:
                return refused.code


@contextlib.contextmanager
def hook(folder: Path, kubeconfig: Path, config: Path, jobs: Path, repositories: list[str]) -> Iterator[Hook]:
    """Run hook with the plugin that starts jobs for pushes; at the end of the block it has handled what it was sent."""
    port, health, metrics, profile = free_ports(4)
    secret = token_hex(16)
    (folder / "secret").write_text(secret, encoding="utf-8")
    plugins = folder / "plugins.yaml"
    plugins.write_text(
        yaml.safe_dump({"plugins": {f"{OWNER}/{name}": {"plugins": ["trigger"]} for name in repositories}}),
        encoding="utf-8",
    )
    argv: Argv = [
        *(
            require_tool("hook"),
            "--dry-run=false",
            f"--kubeconfig={kubeconfig}",
            f"--hmac-secret-file={folder / 'secret'}",
        ),
        *(f"--config-path={config}", f"--job-config-path={jobs}", f"--plugin-config={plugins}"),
        *(f"--port={port}", f"--health-port={health}", f"--metrics-port={metrics}", f"--pprof-port={profile}"),
        # Nothing that a push needs is asked of GitHub, and nothing answers here.
        *("--github-endpoint=http://127.0.0.1:1", "--grace-period=10s"),
    ]
    with (
        (folder / "hook.log").open("wb") as log,
        started(argv, env={"PATH": os.environ["PATH"], "HOME": str(folder)}, output=log) as child,
    ):
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(health, "/healthz/ready"):
            if child.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((folder / "hook.log").read_text()[-4000:])
            time.sleep(0.1)
        yield Hook(f"http://127.0.0.1:{port}/hook", secret)


def _answers(port: int, path: str) -> bool:
    try:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as asked:
            asked.request("GET", path)
            return asked.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
