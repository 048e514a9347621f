"""Small file systems, to be filled: in memory, mounted for as long as they are needed. Mounting needs root."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from testbed.processes import ProgramFailed, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK = 4096


class MountRefused(Exception):
    """This user, or this machine, mounts nothing; the message says why."""


@contextlib.contextmanager
def small_disk(folder: Path, size: int, *, files: int = 0) -> Iterator[Path]:
    """Mount a file system at a new folder; it is gone with the block.

    Args:
        folder: where.
        size: bytes that it holds.
        files: how many files and folders it holds; 0: as many as fit.

    Raises:
        MountRefused: it cannot be mounted.
    """
    folder.mkdir(parents=True)
    options = f"size={size},mode=0777" + (f",nr_inodes={files + 1}" if files else "")
    try:
        read(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], env=_environment())
    except (ProgramFailed, OSError) as error:
        raise MountRefused(str(error)) from error
    try:
        yield folder
    finally:
        # Lazily: a process that was killed may hold a file open for a moment longer.
        read(["umount", "--lazy", folder], env=_environment())


def make_read_only(folder: Path) -> None:
    """Mount a small disk anew, so that nothing can be written to it any more."""
    read(["mount", "-o", "remount,ro", folder], env=_environment())


def fill(folder: Path) -> None:
    """Write a file that leaves no byte free."""
    with (folder / "filler").open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(BLOCK))


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"]}
