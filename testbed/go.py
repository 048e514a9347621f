"""Go as it is set up on this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from testbed.processes import read

if TYPE_CHECKING:
    from pathlib import Path

CACHES = ("GOCACHE", "GOMODCACHE", "GOPROXY")


def go_caches(go: Path | str = "go") -> dict[str, str]:
    """Where compiled packages and modules are kept, and modules fetched from: runs that share them compile once.

    Raises:
        ProgramFailed: go failed.
    """
    said = read([go, "env", *CACHES], env={**os.environ, "GOTOOLCHAIN": "local"})
    return dict(zip(CACHES, said.split("\n"), strict=True))
