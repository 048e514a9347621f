from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.doctor import machine as machine_module
from runner.doctor.machine import (
    DISK_OF_A_BUILD,
    GIB,
    MEMORY_OF_A_BUILD,
    judge_caches,
    judge_disk,
    judge_memory,
    machine,
    memory_limit,
    processors,
)
from runner.runtime.storage import Space

if TYPE_CHECKING:
    from pathlib import Path

V2 = "sys/fs/cgroup/memory.max"
V1 = "sys/fs/cgroup/memory/memory.limit_in_bytes"
MEMINFO = "proc/meminfo"
KERNEL = "MemTotal:       24109120 kB\nMemFree:        1 kB\n"
TOTAL = 24109120 * 1024


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({V2: "4294967296\n", MEMINFO: KERNEL}, 4 * GIB),
        ({V1: "4294967296\n", MEMINFO: KERNEL}, 4 * GIB),
        ({V2: "max\n", MEMINFO: KERNEL}, TOTAL),
        ({V1: "9223372036854771712\n", MEMINFO: KERNEL}, TOTAL),
        ({V2: "99999999999999\n", MEMINFO: KERNEL}, TOTAL),
        ({MEMINFO: KERNEL}, TOTAL),
        ({MEMINFO: "nothing known"}, None),
        ({}, None),
    ],
)
def test_limit(tmp_path: Path, files: dict[str, str], limit: int | None) -> None:
    """The container's limit counts where it has one, of either version; else what the machine has."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="ascii")
    assert memory_limit(tmp_path) == limit


@given(st.integers(1, 1 << 50), st.integers(1, 32))
def test_memory(limit: int, parallel: int) -> None:
    """Less than the builds at once may need is a warning that says what to change; enough is none."""
    found = judge_memory(limit, parallel)
    enough = limit >= MEMORY_OF_A_BUILD * parallel
    assert found.state == ("good" if enough else "warning")
    assert ("build.parallel" in found.remedy) != enough
    assert found.exit == 0


@pytest.mark.parametrize(
    ("files", "share"),
    [
        ({"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 0.5),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"sys/fs/cgroup/cpu.max": "what?\n"}, None),
        ({}, None),
    ],
)
def test_processors(tmp_path: Path, files: dict[str, str], share: float | None) -> None:
    """The container's limit counts where it has one, of either version; else what this process may run on."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="ascii")
    found = processors(tmp_path)
    assert found == share if share is not None else found >= 1


def test_memory_that_is_unknown() -> None:
    """A machine that does not tell is no reason to worry."""
    assert judge_memory(None, 2).state == "note"


@pytest.mark.parametrize(
    ("space", "state", "code"),
    [
        (Space(DISK_OF_A_BUILD, 2 * DISK_OF_A_BUILD), "good", 0),
        (Space(DISK_OF_A_BUILD - 1, DISK_OF_A_BUILD), "warning", 0),
        (Space(0, DISK_OF_A_BUILD), "bad", 2),
        (Space(DISK_OF_A_BUILD, DISK_OF_A_BUILD, files=False), "bad", 2),
        (Space(DISK_OF_A_BUILD, DISK_OF_A_BUILD, writable=False), "bad", 2),
        (Space(DISK_OF_A_BUILD, DISK_OF_A_BUILD, read_only=True, writable=False), "bad", 2),
        (None, "note", 0),
    ],
    ids=["room", "little", "full", "no-files", "not-ours", "read-only", "unknown"],
)
def test_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, space: Space | None, state: str, code: int) -> None:
    """A folder that cannot be written fails a release, one with little room is a warning; both are named."""
    monkeypatch.setattr(machine_module, "space_of", lambda _: space)
    found = judge_disk("work folder", tmp_path)
    assert (found.state, found.exit) == (state, code)
    assert str(tmp_path) in found.found
    assert bool(found.remedy) == (state in {"bad", "warning"})


def test_caches(tmp_path: Path) -> None:
    """A cache that is not set is noted with what it costs; one that is set is judged as a folder."""
    unset, given_ = judge_caches({"GOMODCACHE": str(tmp_path)})
    assert (unset.about, unset.state) == ("GOCACHE", "note")
    assert "compiled packages" in unset.found
    assert given_.about == "GOMODCACHE"
    assert str(tmp_path) in given_.found
    assert next(iter(judge_caches({"GOCACHE": "relative"}))).state == "warning"


def test_whole_machine(tmp_path: Path) -> None:
    """This machine is examined without an exception, and the work folder is the one that runs use."""
    found = {finding.about: finding for finding in machine({"TMPDIR": str(tmp_path)}, 1)}
    assert [*found] == ["processors", "memory", "work folder", "GOCACHE", "GOMODCACHE"]
    assert str(tmp_path) in found["work folder"].found
