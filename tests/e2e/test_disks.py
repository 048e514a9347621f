"""Disks that are full or cannot be written, wherever a run meets them: exit 2 naming folder and free space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.programs import find_program
from testbed.release_harness import ReleaseHarness, go_environment, open_harness
from testbed.sample_controller import CONFIGURATION
from testbed.small_disk import fill, make_read_only
from tests.support.disks import SPACE, check_storage, disk_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KIB, MIB = 1 << 10, 1 << 20
ROOM = 64 * MIB
"""More than a whole run writes."""

TAGS = r"/manifests/(?!sha256:)"

FILLING = """#!/bin/sh
case " $* " in
  *" {words} "*) head -c {room} /dev/zero >> {disk}/filler 2>/dev/null ;;
esac
exec {real} "$@"
"""
"""Stands in a program's place, and fills the disk before one of its commands."""

COMMANDS = {
    "git, first": ("git", "status"),
    "git, read the index": ("git", "read-tree"),
    "git, write the tree": ("git", "checkout-index"),
    "helm, first": ("helm", "version"),
    "helm, lint": ("helm", "lint"),
    "helm, render": ("helm", "template"),
    "helm, package": ("helm", "package"),
    "go, first": ("go", "env"),
    "go, modules": ("go", "list"),
    "go, compile": ("go", "build"),
}


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ReleaseHarness]:
    """A harness whose releases are for one platform."""
    with open_harness(tmp_path, config=CONFIGURATION.replace("[linux/amd64, linux/arm64]", "[linux/amd64]")) as made:
        yield made


@pytest.mark.parametrize("size", [16 * KIB, 256 * KIB, 2 * MIB])
def test_a_small_temporary_folder(harness: ReleaseHarness, tmp_path: Path, size: int) -> None:
    """At whatever point a small TMPDIR is full, it is named; nothing has been written to the registry."""
    with disk_of(tmp_path / "small", size) as disk:
        check_storage(harness.run("v1.2.3", extra={"TMPDIR": str(disk)}), disk)
    assert harness.proxy.writes == ()


@pytest.mark.parametrize(("program", "words"), COMMANDS.values(), ids=COMMANDS.keys())
def test_a_temporary_folder_that_is_full_from_one_command_on(
    harness: ReleaseHarness, tmp_path: Path, program: str, words: str
) -> None:
    """Whoever meets the full disk first, a child or the runner itself, the folder is named, and nothing is written."""
    wrappers = tmp_path / "wrappers"
    wrappers.mkdir()
    with disk_of(tmp_path / "small", ROOM) as disk:
        for name in ("git", "go", "helm"):
            real, file = find_program("helm4" if name == "helm" else name), wrappers / name
            if name == program:
                file.write_text(FILLING.format(words=words, disk=disk, room=ROOM, real=real))
                file.chmod(0o755)
            else:
                file.symlink_to(real)
        config = tmp_path / "wrapped.yaml"
        config.write_text(harness.config.read_text().replace(f"helm: {find_program('helm4')}", "helm: helm"))
        extra = {"TMPDIR": str(disk), "PATH": f"{wrappers}:{go_environment()['PATH']}"}
        check_storage(harness.run("v1.2.3", extra=extra, config=config), disk)
    assert harness.proxy.writes == ()


@pytest.mark.parametrize("files", [3, 12, 40])
def test_a_temporary_folder_for_few_files(harness: ReleaseHarness, tmp_path: Path, files: int) -> None:
    """A file system that has bytes and no file more is told as a full one."""
    with disk_of(tmp_path / "small", ROOM, files=files) as disk:
        ended = harness.run("v1.2.3", extra={"TMPDIR": str(disk)})
        check_storage(ended, disk)


def test_a_temporary_folder_that_is_read_only(harness: ReleaseHarness, tmp_path: Path) -> None:
    """It is named at the start."""
    with disk_of(tmp_path / "small", ROOM) as disk:
        make_read_only(disk)
        check_storage(harness.run("v1.2.3", extra={"TMPDIR": str(disk)}), disk, "read-only file system")


def test_a_cache_that_is_full(harness: ReleaseHarness, tmp_path: Path) -> None:
    """Go's strange words about its library are not taken for the source's fault."""
    with disk_of(tmp_path / "small", 64 * KIB) as disk:
        check_storage(harness.run("v1.2.3", extra={"GOCACHE": str(disk)}), disk)
    assert harness.proxy.writes == ()


def test_a_cache_that_is_read_only(harness: ReleaseHarness, tmp_path: Path) -> None:
    """It is named when go first writes to it."""
    with disk_of(tmp_path / "small", 64 * KIB) as disk:
        make_read_only(disk)
        check_storage(harness.run("v1.2.3", extra={"GOCACHE": str(disk)}), disk, "read-only file system")


@pytest.mark.parametrize("size", [16 * KIB, 256 * KIB, MIB])
def test_a_layout_folder_that_is_full(harness: ReleaseHarness, tmp_path: Path, size: int) -> None:
    """--to-layout onto a full disk is told as such, whichever blob comes first."""
    with disk_of(tmp_path / "small", size) as disk:
        check_storage(harness.run("v1.2.3", "--to-layout", str(disk)), disk)
        assert not (disk / "index.json").exists()


def test_a_layout_folder_that_is_read_only(harness: ReleaseHarness, tmp_path: Path) -> None:
    """It is told before anything is built."""
    with disk_of(tmp_path / "small", ROOM) as disk:
        make_read_only(disk)
        ended = harness.run("v1.2.3", "--to-layout", str(disk))
        check_storage(ended, disk, "read-only file system")
        assert ended.record["tools"] == {}


@pytest.mark.parametrize("how", ["full", "full before", "read-only"])
def test_artifacts_that_cannot_be_written(harness: ReleaseHarness, tmp_path: Path, how: str) -> None:
    """The release goes on and ends with 0; what is missing is told with its folder and free space."""
    clone = harness.clone("v1.2.3")
    with disk_of(tmp_path / "small", 16 * KIB) as disk:
        if how == "full before":
            fill(disk)
        if how == "read-only":
            make_read_only(disk)
        ended = harness.run("v1.2.3", extra={"ARTIFACTS": str(disk)}, clone=clone)
    assert ended.code == 0, ended.out
    assert ended.lines[-1].startswith("RELEASED:")
    told = [line for line in ended.lines if "report" in line and str(disk) in line]
    assert told, ended.out
    assert all(SPACE.search(line) for line in told), told
    assert harness.proxy.count("PUT", TAGS) == 3
