"""Registries on this machine, on free loopback ports: crane's, alone and with referrers, and docker-registry."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.processes import started, tied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.processes import Argv

READY_SECONDS = 20.0
WRITE = re.compile(r" (?:POST|PUT|PATCH|DELETE) /v2/", re.MULTILINE)
PORT = re.compile(r"serving on port (\d+)")
SERVING = re.compile(r"serving on 127\.0\.0\.1:(\d+)")
LISTENING = re.compile(r"listening on 127\.0\.0\.1:(\d+)")


@dataclass(frozen=True)
class LocalRegistry:
    """A registry that answers. ``host`` is ``127.0.0.1:PORT``; ``log`` is the file of what it prints."""

    host: str
    log: Path

    def writes(self) -> int:
        """How many requests that write it has had, by the line that crane prints for each."""
        return len(WRITE.findall(self.log.read_text(encoding="utf-8")))


@contextlib.contextmanager
def serve(crane: Path, folder: Path) -> Iterator[LocalRegistry]:
    """Run crane's registry, with its blobs below ``folder``; it ends with the block.

    Raises:
        RuntimeError: as ``running``.
    """
    blobs = folder / "blobs"
    blobs.mkdir(parents=True)
    argv: Argv = [crane, "registry", "serve", "--address", "127.0.0.1:0", "--disk", blobs]
    with running(argv, folder / "log", PORT) as registry:
        yield registry


@contextlib.contextmanager
def serve_referrers_registry(program: Path, folder: Path) -> Iterator[LocalRegistry]:
    """Run crane's registry with the referrers API (``hack/tools/registry``), its blobs below ``folder``.

    Raises:
        RuntimeError: as ``running``.
    """
    blobs = folder / "blobs"
    blobs.mkdir(parents=True)
    with running([program, "--disk", blobs], folder / "log", SERVING) as registry:
        yield registry


@contextlib.contextmanager
def serve_docker_registry(program: Path, folder: Path, *, accounts: str | None = None) -> Iterator[LocalRegistry]:
    """Run docker-registry with its blobs below ``folder``; it ends with the block.

    Args:
        program: docker-registry.
        folder: for what it keeps.
        accounts: lines of an htpasswd file with bcrypt, without one of which nothing is answered; None for all.

    Raises:
        RuntimeError: as ``running``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    configuration: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": True}},
        "http": {"addr": "127.0.0.1:0"},
    }
    if accounts is not None:
        passwords = folder / "htpasswd"
        passwords.write_text(accounts, encoding="utf-8")
        configuration["auth"] = {"htpasswd": {"realm": "this machine", "path": str(passwords)}}
    file = folder / "config.yml"
    file.write_text(json.dumps(configuration), encoding="utf-8")
    with running([program, "serve", file], folder / "log", LISTENING) as registry:
        yield registry


@contextlib.contextmanager
def running(argv: Argv, log: Path, port: re.Pattern[str]) -> Iterator[LocalRegistry]:
    """Run a registry that picks a free port itself and prints it, which ``port`` finds; it ends with the block.

    Raises:
        RuntimeError: it ended or did not answer in time; the message holds what it printed.
    """
    with log.open("wb") as output, started(tied(argv), env={"PATH": os.environ["PATH"]}, output=output) as child:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and child.poll() is None:
            said = port.search(log.read_text(encoding="utf-8"))
            if said and _answers(int(said[1])):
                yield LocalRegistry(f"127.0.0.1:{said[1]}", log)
                return
            time.sleep(0.02)
        raise RuntimeError(f"the registry does not answer; it printed:\n{log.read_text(encoding='utf-8')}")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status in {http.client.OK, http.client.UNAUTHORIZED}
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
