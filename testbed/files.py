"""Trees of files as values: written, and read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below ``folder`` and return it."""
    for path, body in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    return folder


def tree_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return everything below a folder but ``.git``: path to mode and bytes (of a symbolic link its target)."""
    return dict(_walk(folder, folder))


def _walk(top: Path, folder: Path) -> Iterator[tuple[str, tuple[int, bytes]]]:
    for path in sorted(folder.iterdir()):
        if path.name == ".git":
            continue
        name = path.relative_to(top).as_posix()
        mode = path.lstat().st_mode
        if path.is_symlink():
            yield name, (mode, os.fsencode(path.readlink()))
        elif path.is_dir():
            yield f"{name}/", (mode, b"")
            yield from _walk(top, path)
        else:
            yield name, (mode, path.read_bytes())
