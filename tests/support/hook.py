"""Prow's hook, and the signed push events that GitHub would send it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING

import yaml

from testbed.prow import components
from testbed.prow.components import Ports, Shared
from testbed.prow.documents import plugins
from testbed.prow.push import push_event, send
from testbed.prow.servers import Servers, answers, free_ports
from testbed.sample_controller import OWNER
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Hook:
    """A hook that listens. ``address`` is where events go, ``secret`` signs them."""

    address: str
    secret: str

    def push(self, repository: str, ref: str, sha: str, *, secret: str | None = None) -> int:
        """Send the event of a push to a full ref name, as GitHub does, and return the answer's status.

        A tag's push lists no commits. ``secret`` is one that GitHub does not have.
        """
        return send(self.address, push_event(OWNER, repository, ref, sha), secret or self.secret)


@contextlib.contextmanager
def hook(folder: Path, kubeconfig: Path, config: Path, jobs: Path, repositories: list[str]) -> Iterator[Hook]:
    """Run hook with the plugin that starts jobs for pushes; at the end of the block it has handled what it was sent."""
    port, health, metrics, profile = free_ports(4)
    secret = token_hex(16)
    (folder / "secret").write_text(secret, encoding="utf-8")
    file = folder / "plugins.yaml"
    file.write_text(yaml.safe_dump(plugins(repositories)), encoding="utf-8")
    argv = components.hook(
        require_tool("hook"),
        Shared(kubeconfig, config, jobs),
        Ports(health, metrics, profile),
        port=port,
        secret=folder / "secret",
        plugins=file,
    )
    with Servers(folder) as servers:
        servers.start("hook", argv, ready=answers(health, "/healthz/ready"), environment={"HOME": str(folder)})
        servers.wait()
        yield Hook(f"http://127.0.0.1:{port}/hook", secret)
