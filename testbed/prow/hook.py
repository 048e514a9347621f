"""Prow's hook, and the pushes that are sent to it as GitHub sends them."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING

from testbed.prow import components
from testbed.prow.components import Ports, Shared
from testbed.prow.push import push_event, send
from testbed.prow.servers import answers, free_ports
from testbed.sample_controller import OWNER

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.prow.servers import Servers


@dataclass(frozen=True)
class Hook:
    """A hook: the address that takes events, and the file with what signs them."""

    address: str
    secret_file: Path

    def push(self, repository: str, ref: str, sha: str, *, secret: str | None = None) -> int:
        """Send the event of a push, and return the answer's status.

        Args:
            repository: its name in the organization.
            ref: the full name.
            sha: what it names now: of an annotated tag the tag object.
            secret: what signs the event in the place of hook's own.

        Raises:
            OSError: nothing answers.
        """
        event = push_event(OWNER, repository, ref, sha)
        return send(self.address, event, secret or self.secret_file.read_text("utf-8"))


def start_hook(servers: Servers, folder: Path, program: Path, shared: Shared, plugins: Path) -> Hook:
    """Start hook, as ``hook``; it takes events once it answers, and has handled them all when it has ended.

    Args:
        servers: where it is started.
        folder: for its secret.
        program: hook.
        shared: what every program of Prow's reads.
        plugins: plugins.yaml.
    """
    health, metrics, profiles, port = free_ports(4)
    file = folder / "hook-secret"
    file.touch(mode=0o600)
    file.write_text(token_hex(16), encoding="utf-8")
    servers.start(
        "hook",
        components.hook(program, shared, Ports(health, metrics, profiles), port=port, secret=file, plugins=plugins),
        ready=answers(health, "/healthz/ready"),
        environment={"HOME": str(folder)},
    )
    return Hook(f"http://127.0.0.1:{port}/hook", file)
