"""A registry on this machine: ``crane registry serve`` on a free loopback port, with a log of every request."""

from __future__ import annotations

import contextlib
import http.client
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hack.processes import started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hack.processes import Argv

READY_SECONDS = 20.0
WRITE = re.compile(r" (?:POST|PUT|PATCH|DELETE) /v2/", re.MULTILINE)
PORT = re.compile(r"serving on port (\d+)")


@dataclass(frozen=True)
class LocalRegistry:
    """A registry that answers. ``host`` is ``127.0.0.1:PORT``; ``log`` is the file of its requests."""

    host: str
    log: Path

    def writes(self) -> int:
        """How many requests that write it has had, by its own log."""
        return len(WRITE.findall(self.log.read_text(encoding="utf-8")))


@contextlib.contextmanager
def serve(crane: Path, folder: Path) -> Iterator[LocalRegistry]:
    """Run a registry that keeps its blobs below ``folder``; it picks a free port itself, and ends with the block.

    Raises:
        RuntimeError: it ended or did not answer in time; the message holds what it printed.
    """
    blobs = folder / "blobs"
    blobs.mkdir(parents=True)
    log = folder / "log"
    argv: Argv = [crane, "registry", "serve", "--address", "127.0.0.1:0", "--disk", blobs]
    with log.open("wb") as output, started(argv, env={}, output=output) as child:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and child.poll() is None:
            port = PORT.search(log.read_text(encoding="utf-8"))
            if port and _answers(int(port[1])):
                yield LocalRegistry(f"127.0.0.1:{port[1]}", log)
                return
            time.sleep(0.02)
        raise RuntimeError(f"the registry does not answer; it printed:\n{log.read_text(encoding='utf-8')}")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
