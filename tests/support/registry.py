"""Real registries on free loopback ports: crane's, and Debian's docker-registry, which can want credentials."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from testbed.registries import LocalRegistry, serve, serve_docker_registry
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.token_server import Trust

USERNAME = "tester"
PASSWORD = "correct horse"  # noqa: S105  # the account of registries that live as long as one test
HTPASSWD = f"{USERNAME}:$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n"  # bcrypt of PASSWORD


@contextlib.contextmanager
def crane_registry(folder: Path) -> Iterator[LocalRegistry]:
    """Run ``crane registry serve``: blobs in ``folder``, manifests in memory; ended at the end of the block."""
    with serve(require_tool("crane"), folder) as registry:
        yield registry


@contextlib.contextmanager
def docker_registry(folder: Path, *, basic: bool = False, tokens: Trust | None = None) -> Iterator[LocalRegistry]:
    """Run Debian's ``docker-registry``; with ``basic`` it wants USERNAME and PASSWORD for everything, else tokens."""
    program = require_tool("docker-registry")
    accounts = HTPASSWD if basic else None
    with serve_docker_registry(program, folder, accounts=accounts, tokens=tokens) as registry:
        yield registry
