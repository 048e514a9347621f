"""Files that a commit only points to without holding them: what stands in their place would be published.

Each kind is recognised in an exported tree, where nothing has put the real content in the pointer's place.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LONGEST = 1024
"""Bytes of a pointer of Git LFS at most (git-lfs, docs/spec.md); the others are shorter."""

_TEXTS: Mapping[str, re.Pattern[bytes]] = {
    "a Git LFS pointer": re.compile(
        rb"version https?://(?:git-lfs\.github\.com/spec|hawser\.github\.com/spec|git-media\.io/v)/?v?\d+\r?\n"
        rb"(?:[a-z0-9.-]+ [^\n]*\n)*?oid [a-z0-9]+:[0-9a-f]+\r?\n(?:[a-z0-9.-]+ [^\n]*\n)*?size \d+\s*(?:\n|\Z)"
    ),
    "a pointer of git-annex": re.compile(rb"(?:[^\n]*[/\\])?annex[/\\]objects[/\\][^\n]*[A-Z0-9_]+-[^\n]*\n?"),
    "a pointer of git-fat": re.compile(rb"#\$# git-fat [0-9a-f]{40} +\d+\s*\Z"),
}
"""How a file begins that stands for another one, which is kept outside of Git."""

_ANNEXED = re.compile(r"(?:^|/)\.git/annex/objects/")

REMEDY = "Commit the content itself in the place of what points to it, then tag that commit with the next version."


@dataclass(frozen=True)
class Pointer:
    """``path`` is relative to the tree; ``what`` says what stands there, e.g. ``a Git LFS pointer``.

    ``is_file`` is whether a regular file stands there: neither a link nor an empty folder, which programs pass over.
    """

    path: str
    what: str
    is_file: bool = True

    def below(self, folder: str) -> str:
        """A sentence about it, with its path from above the folder that it was found in."""
        path = self.path if folder in {"", "."} else f"{folder}/{self.path}"
        return f"{path} is {self.what}: the commit does not hold its content"


def pointer_in(body: bytes) -> str | None:
    """What a file is that stands for another one; None where it is the content itself."""
    if len(body) > LONGEST:
        return None
    return next((what for what, pattern in _TEXTS.items() if pattern.match(body)), None)


def find_pointers(tree: Path) -> tuple[Pointer, ...]:
    """Return every pointer in an exported tree, in the order of their paths.

    Links that stay in the tree are no pointers; a submodule is an empty folder, which Git itself cannot hold.
    """
    return tuple(sorted(_below(tree.resolve()), key=lambda pointer: pointer.path))


def is_at(path: str, folder: str) -> bool:
    """Whether a path is a folder's or below it."""
    return folder in {"", "."} or path == folder or path.startswith(f"{folder}/")


def real_path(path: Path) -> Path:
    """Where a path of a foreign tree leads; unlike ``Path.resolve`` it takes links that lead to themselves."""
    return Path(os.path.realpath(path))


def _below(root: Path) -> Iterator[Pointer]:
    folders = [root]
    while folders:
        folder = folders.pop()
        with os.scandir(folder) as scanned:
            entries = list(scanned)
        if not entries and folder != root:
            yield Pointer(folder.relative_to(root).as_posix(), "a submodule", is_file=False)
        for entry in entries:
            path = folder / entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
                continue
            what = _link(root, path) if entry.is_symlink() else _file(entry)
            if what is not None:
                yield Pointer(path.relative_to(root).as_posix(), what, is_file=not entry.is_symlink())


def _file(entry: os.DirEntry[str]) -> str | None:
    if not entry.is_file() or not 0 < entry.stat().st_size <= LONGEST:
        return None
    return pointer_in(Path(entry.path).read_bytes())


def _link(root: Path, path: Path) -> str | None:
    target, end = str(path.readlink()), real_path(path)
    if _ANNEXED.search(target):
        return f"a link of git-annex to {target}"
    if not end.is_relative_to(root):
        return f"a link to {target}, outside of the repository"
    return None if os.access(end, os.F_OK) else f"a link to {target}, which is not there"
