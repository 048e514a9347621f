"""What people look at before they commit: the files of a folder as a tree. Pure."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def tree_lines(folder: str, paths: Iterable[str]) -> tuple[str, ...]:
    """Draw the files below a folder as tree(1) does, by name.

    Args:
        folder: the first line.
        paths: of files, relative to it.
    """
    split = sorted(tuple(part for part in path.split("/") if part) for path in set(paths))
    return (folder, *_below([parts for parts in split if parts], ""))


def _below(paths: Sequence[tuple[str, ...]], indent: str) -> Iterator[str]:
    groups = [(name, [parts[1:] for parts in group]) for name, group in groupby(paths, key=lambda parts: parts[0])]
    for place, (name, rest) in enumerate(groups):
        last = place == len(groups) - 1
        yield f"{indent}{'└── ' if last else '├── '}{name}"
        yield from _below([parts for parts in rest if parts], f"{indent}{'    ' if last else '│   '}")
