"""Git objects written as they are, without git: also those that git would not make, and that a repository can hold.

Formats: gitformat-loose(5), and the objects of ``git help gitglossary``: a tree lists mode, name and id of its entries.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE, PROGRAM, LINK, FOLDER, SUBMODULE = "100644", "100755", "120000", "40000", "160000"

Entry = tuple[str, bytes]
"""Mode, and content: of a link its target; of a submodule nothing that is looked at."""


@dataclass(frozen=True)
class RawRepository:
    """A repository without a work tree of its own making: objects, refs and HEAD are written one by one."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> RawRepository:
        """Make what gitrepository-layout(5) asks for at least."""
        for name in ("objects/info", "objects/pack", "refs/heads", "refs/tags"):
            (folder / ".git" / name).mkdir(parents=True)
        (folder / ".git" / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
        return cls(folder)

    def write(self, kind: str, body: bytes, *, kept: bool = True) -> str:
        """Write an object and return its id; one that is not ``kept`` has an id, and is absent."""
        whole = f"{kind} {len(body)}\0".encode() + body
        name = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
        path = self.folder / ".git" / "objects" / name[:2] / name[2:]
        if kept and not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(zlib.compress(whole, 1))
        return name

    def tree(self, files: Mapping[bytes, Entry], absent: frozenset[bytes] = frozenset()) -> str:
        """Write files and the trees above them; the blobs of ``absent`` are not there. Returns the root's id."""
        below: dict[bytes, dict[bytes, Entry]] = {}
        entries: list[tuple[bytes, bytes, str]] = []
        for path, (mode, body) in files.items():
            first, slash, rest = path.partition(b"/")
            if slash:
                below.setdefault(first, {})[rest] = mode, body
            elif mode == SUBMODULE:
                entries.append((first, mode.encode(), "1" * 40))
            else:
                entries.append((first, mode.encode(), self.write("blob", body, kept=path not in absent)))
        for name, inside in below.items():
            gone = frozenset(path.removeprefix(name + b"/") for path in absent if path.startswith(name + b"/"))
            entries.append((name, FOLDER.encode(), self.tree(inside, gone)))
        # Git sorts a folder as if its name ended with a slash.
        entries.sort(key=lambda entry: entry[0] + (b"/" if entry[1] == FOLDER.encode() else b""))
        body = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(to) for name, mode, to in entries)
        return self.write("tree", body)

    def ref(self, name: str, to: str) -> None:
        """Let a ref, or HEAD, name an object (or ``ref: …`` another ref)."""
        path = self.folder / ".git" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{to}\n")
