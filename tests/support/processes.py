"""Processes of this machine: whether one runs, which of them name something, and waiting for what they do."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

LONG_SECONDS = 60.0
LOOK_SECONDS = 0.005


def until(condition: Callable[[], object], *, seconds: float = LONG_SECONDS) -> None:
    """Wait until something is so; it is a failure if it is not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not come within {seconds:.0f} s"
        time.sleep(LOOK_SECONDS)


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes_with(text: str, *, told: Literal["cmdline", "environ"] = "cmdline") -> list[str]:
    """The command lines of all processes that were told this text: in their command line, or their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        # A process may be gone by now; a zombie has no environment any more.
        with contextlib.suppress(OSError):
            if text.encode() in (entry / told).read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found
