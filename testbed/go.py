"""Go as it is set up on this machine."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from testbed.processes import read

if TYPE_CHECKING:
    from pathlib import Path

ANYBODY = 0o777
CACHES = ("GOCACHE", "GOMODCACHE", "GOPROXY")


def go_caches(go: Path | str = "go") -> dict[str, str]:
    """Where compiled packages and modules are kept, and modules fetched from: runs that share them compile once.

    Raises:
        ProgramFailed: go failed.
    """
    said = read([go, "env", *CACHES], env={**os.environ, "GOTOOLCHAIN": "local"})
    return dict(zip(CACHES, said.split("\n"), strict=True))


def make_shared_cache(folder: Path) -> Path:
    """Make a folder for GOCACHE that every user may write, unless it is there, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    # Go makes these folders itself, but for its own user only.
    for one in (folder, *(folder / f"{number:02x}" for number in range(256))):
        one.mkdir(exist_ok=True)
        with contextlib.suppress(PermissionError):
            one.chmod(ANYBODY)
    return folder
