"""A tool of ``hack/tools``, built if it is not there: what Go prints of that goes into a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from testbed.paths import BUILT, ROOT
from testbed.processes import started

if TYPE_CHECKING:
    from pathlib import Path

BUILDER = ROOT / "hack" / "build-tool"
LAST_LINES = 15


class ToolFailed(Exception):
    """A tool could not be built; the message says which, where all of the output is, and its last lines."""


def built_tool(name: str, log: Path, *, builder: Path = BUILDER) -> Path:
    """Return a tool's program.

    Args:
        name: its folder in ``hack/tools``.
        log: gets what is printed while it is built; not there afterwards when nothing was.
        builder: what builds it.

    Raises:
        ToolFailed: it could not be built.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output, started([builder, name], env=os.environ, output=output) as child:
        code = child.wait()
    printed = log.read_text(encoding="utf-8", errors="replace").splitlines()
    if code != 0:
        last = "\n".join(f"  | {line}" for line in printed[-LAST_LINES:])
        raise ToolFailed(f"{name} could not be built; all of the output is in {log}, which ends so:\n{last}")
    if not printed:
        log.unlink()
    return BUILT / name
