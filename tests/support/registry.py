"""Real registries on free loopback ports: crane's, and Debian's docker-registry, which can want credentials."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

from hack.local_registry import LocalRegistry, running, serve
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USERNAME = "tester"
PASSWORD = "correct horse"  # noqa: S105  # the account of registries that live as long as one test
HTPASSWD = f"{USERNAME}:$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n"  # bcrypt of PASSWORD
PORT = re.compile(r"listening on 127\.0\.0\.1:(\d+)")


@contextlib.contextmanager
def crane_registry(folder: Path) -> Iterator[LocalRegistry]:
    """Run ``crane registry serve``: blobs in ``folder``, manifests in memory; ended at the end of the block."""
    with serve(require_tool("crane"), folder) as registry:
        yield registry


@contextlib.contextmanager
def docker_registry(folder: Path, *, basic: bool = False) -> Iterator[LocalRegistry]:
    """Run Debian's ``docker-registry``; with ``basic`` it wants USERNAME and PASSWORD for everything."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": True}},
        "http": {"addr": "127.0.0.1:0"},
    }
    if basic:
        passwords = folder / "htpasswd"
        passwords.write_text(HTPASSWD)
        configuration["auth"] = {"htpasswd": {"realm": "tests", "path": str(passwords)}}
    file = folder / "config.yml"
    file.write_text(json.dumps(configuration))
    with running([require_tool("docker-registry"), "serve", file], folder / "log", PORT) as registry:
        yield registry
