"""What is compared where a command must leave repositories as they were."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.author import Author
    from testbed.release_harness import Ended


def everything(*folders: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and folder below these, git's own included: mode and bytes, of a symbolic link its target."""
    found: dict[str, tuple[int, bytes]] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            mode = path.lstat().st_mode
            body = os.fsencode(path.readlink()) if path.is_symlink() else b"" if path.is_dir() else path.read_bytes()
            found[str(path)] = (mode, body)
    return found


def state(author: Author) -> tuple[object, ...]:
    """What an author sees of their clone and of its remote: refs, what is checked out, its state, and the files."""
    status = author.git("status", "--porcelain", "--ignored")
    head = author.git("rev-parse", "--symbolic-full-name", "HEAD")
    work_trees = author.git("worktree", "list")
    return author.refs(), author.refs(author.clone), status, head, work_trees, everything(author.clone / "services")


def refusal(ended: Ended, code: int, name: str) -> str:
    """The line that ends a command that was refused, with this exit code and this name."""
    assert ended.code == code, ended.out + ended.err
    line = ended.err.splitlines()[-1]
    assert line.startswith("ERROR: ")
    assert f"exit={code} code={name}" in line
    return line


def make_hook(file: Path, *lines: str) -> None:
    """Make a hook of a repository."""
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(("#!/bin/sh", *lines, "")), encoding="utf-8")
    file.chmod(0o755)
