"""Processes as the kernel of this machine lists them (proc(5)): whether one runs, and what it was started with."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A process, by its id on this machine; what it says ends with it."""

    id: int

    @property
    def folder(self) -> Path:
        """Where the kernel tells of it."""
        return PROC / str(self.id)

    @property
    def argv(self) -> list[str]:
        """Program and arguments; nothing once it has ended."""
        with contextlib.suppress(OSError):
            return (self.folder / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        return []

    @property
    def status(self) -> dict[str, str]:
        """What proc(5) calls status."""
        lines = (self.folder / "status").read_text(encoding="utf-8").splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    @property
    def mounts(self) -> dict[str, set[str]]:
        """What it sees mounted, with the options of each mount (proc(5), mountinfo)."""
        lines = (self.folder / "mountinfo").read_text(encoding="utf-8").splitlines()
        return {line.split()[4]: set(line.split()[5].split(",")) for line in lines}


def process_tree(root: int) -> list[Process]:
    """A process and all that descend from it; what has ended and only waits to be asked how is left out."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The name of a program may hold anything, a bracket too; what follows the last one is the kernel's.
                state, parent = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[:2]
                if state != "Z":
                    children.setdefault(int(parent), []).append(int(entry.name))
    found = [root]
    for one in found:
        found += children.get(one, [])
    return [Process(one) for one in found if (PROC / str(one)).exists()]


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes_with(text: str, *, told: Literal["cmdline", "environ"] = "cmdline") -> list[str]:
    """The command lines of all processes that were started with this text: in their command line or environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        # A process may be gone by now; a zombie has no environment any more.
        with contextlib.suppress(OSError):
            if text.encode() in (entry / told).read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found
