"""The machine: memory, processors and disk, against what a build needs."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runner.doctor.finding import Finding
from runner.errors import StorageUnusable
from runner.runtime.storage import in_words, space_of
from runner.runtime.workspace import DEFAULT_TEMPORARY_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GIB: Final = 1 << 30
MEMORY_OF_A_BUILD: Final = 5 * GIB
"""What a job of one service is given in config/jobs.yaml: the kernel was seen to end the compiler of a large controller
in a pod of 4 GiB."""
DISK_OF_A_BUILD: Final = 4 * GIB
"""For two platforms of a large controller: some 1 GiB of compiled packages, 2 GiB of modules, and the image."""
_UNUSABLE: Final = StorageUnusable.exit_code
_ROOM: Final = "Give this folder more space (ephemeral-storage, the volume's sizeLimit), or name another one."
_WRITABLE: Final = "Let the runner's user write this folder (fs_group), or name another one."

CACHES: Final[Mapping[str, str]] = {
    "GOCACHE": "compiled packages",
    "GOMODCACHE": "modules",
}

_CGROUP_LIMITS: Final = ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where a container sees its limit: version 2 and version 1 of control groups (kernel's admin-guide)."""
_CPU_LIMIT: Final = "sys/fs/cgroup/cpu.max"
_CPU_QUOTA, _CPU_PERIOD = "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "sys/fs/cgroup/cpu/cpu.cfs_period_us"
"""The same of processors: how long all together may run in a period, both in microseconds."""
_NO_LIMIT: Final = 1 << 60
"""Version 1 has no word for "no limit" but a number near 2^63."""


def memory_limit(root: Path = Path("/")) -> int | None:
    """The bytes of memory that a process here may use: the container's limit, else the machine's; None if unknown."""
    limits = [_number(root / place) for place in _CGROUP_LIMITS]
    limits.append(_total(root / "proc/meminfo"))
    return min((limit for limit in limits if limit is not None and limit < _NO_LIMIT), default=None)


def processors(root: Path = Path("/")) -> float:
    """How many processors a process here may use: the container's limit, else what this one may run on."""
    here = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    match _words(root / _CPU_LIMIT):
        case [quota, period] if quota.isdigit() and period.isdigit():
            return min(here, int(quota) / max(int(period), 1))
    old, every = _number(root / _CPU_QUOTA), _number(root / _CPU_PERIOD)
    return min(here, old / every) if old is not None and every and old > 0 else here


def judge_memory(limit: int | None, parallel: int) -> Finding:
    """Compare the memory that is there with what builds need. Pure.

    Args:
        limit: bytes; None where nobody can say.
        parallel: how many services are built at once.
    """
    needed = MEMORY_OF_A_BUILD * parallel
    if limit is None:
        return Finding("memory", "note", "cannot be read")
    words = f"{in_words(limit)}; {parallel} build{'s' * (parallel != 1)} at once may need {in_words(needed)}"
    if limit >= needed:
        return Finding("memory", "good", words)
    return Finding("memory", "warning", words, "Raise prow.resources, or lower build.parallel in jobs.yaml.")


def judge_disk(about: str, folder: Path) -> Finding:
    """Compare what is free at a folder with what a build writes there."""
    space = space_of(folder)
    if space is None:
        return Finding(about, "note", f"{folder}: its size cannot be read")
    words = f"{folder}: {space}"
    if not space.writable:
        return Finding(
            about, "bad", f"{folder}: {'read-only' if space.read_only else 'not writable'}", _WRITABLE, _UNUSABLE
        )
    if space.is_full:
        return Finding(about, "bad", words, _ROOM, _UNUSABLE)
    if space.free < DISK_OF_A_BUILD:
        return Finding(about, "warning", f"{words}; a build may need {in_words(DISK_OF_A_BUILD)}", _ROOM)
    return Finding(about, "good", words)


def judge_caches(environment: Mapping[str, str]) -> Iterable[Finding]:
    """Say of each of Go's caches whether runs share it."""
    for variable, what in CACHES.items():
        given = environment.get(variable, "")
        if not given:
            words = f"not set: each run gets its {what} anew"
            yield Finding(variable, "note", words, f"Set {variable} to a folder that is kept.")
        elif not given.startswith("/"):
            yield Finding(
                variable, "warning", f"{given!r} is no absolute path, which Go demands", f"Correct {variable}."
            )
        else:
            yield judge_disk(variable, Path(given))


def machine(environment: Mapping[str, str], parallel: int) -> tuple[Finding, ...]:
    """Examine the machine.

    Args:
        environment: the process's own.
        parallel: how many services are built at once.
    """
    count = processors()
    return (
        Finding("processors", "good" if count > 1 else "note", f"{count:g}"),
        judge_memory(memory_limit(), parallel),
        judge_disk("work folder", Path(environment.get("TMPDIR") or DEFAULT_TEMPORARY_FOLDER)),
        *judge_caches(environment),
    )


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return []


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return None


def _total(path: Path) -> int | None:
    try:
        found = re.search(r"^MemTotal:\s+(\d+) kB", path.read_text(encoding="ascii"), re.MULTILINE)
    except (OSError, ValueError):
        return None
    return None if found is None else int(found[1]) * 1024
