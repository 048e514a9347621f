"""Whether a commit holds all that a program is made of: what Go reads, and what is put beside it."""

from __future__ import annotations

import json
import os
import posixpath
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from runner.builders.gomodule import GO_MOD
from runner.errors import BuildFailed
from runner.pointers import REMEDY, is_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from runner.builders.gomodule import GoModule
    from runner.pointers import Pointer

_FILES = ("GoFiles", "SFiles", "SysoFiles", "InvalidGoFiles", "EmbedFiles")
"""What Go reads without cgo, of the fields of ``go help list``."""

LISTED_FIELDS = f"-json=Dir,ImportPath,HFiles,EmbedPatterns,Error,{','.join(_FILES)}"
MODULE_FILES = (GO_MOD, "go.sum", "vendor/modules.txt")


@dataclass(frozen=True)
class Listed:
    """A package of the program.

    Attributes:
        folder: where it is, or should be, relative to the tree; None where that is not in the tree.
        files: those that Go reads, relative to the folder.
        patterns: of its embedded files.
        error: what Go says is wrong with it.
    """

    folder: str | None
    files: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()
    error: str = ""


def read_listed(source: Path, module: GoModule, output: str) -> tuple[Listed, ...]:
    """Read what ``go list -e -deps`` prints with LISTED_FIELDS."""
    base, decoder, found = _within(source, module.folder) or ".", json.JSONDecoder(), []
    rest = output.strip()
    while rest:
        document, end = decoder.raw_decode(rest)
        found.append(_listed(source, base, module.path, document))
        rest = rest[end:].lstrip()
    return tuple(found)


def check_held(
    source: Path, pointers: Sequence[Pointer], module: GoModule, listed: Iterable[Listed], printed: str = ""
) -> None:
    """Refuse a program that is made of what the commit only points to.

    Args:
        source: the exported tree.
        pointers: those in the tree.
        module: the main package's.
        listed: the packages of the program.
        printed: what Go prints of a module that it cannot load.

    Raises:
        BuildFailed: with every such file in its detail.
    """
    base = _within(source, module.folder) or "."
    named = {posixpath.normpath(posixpath.join(base, file)) for file in MODULE_FILES}
    packages = tuple(listed)
    said = "\n".join((printed, *(package.error for package in packages)))
    refuse_used(
        one
        for one in pointers
        if one.path in named or any(_uses(package, one) for package in packages) or _is_named(one, base, said)
    )


def check_main(pointers: Iterable[Pointer], main: str, licences: Iterable[str]) -> None:
    """Refuse a main package that lies in what is only pointed to, and licences that are pointers; raises likewise."""
    folder, files = posixpath.normpath(main), set(licences)
    refuse_used(one for one in pointers if one.path in files or (not one.is_file and is_at(folder, one.path)))


def refuse_used(used: Iterable[Pointer]) -> None:
    """Raise BuildFailed when there is any."""
    found = [one.below(".") for one in used]
    if found:
        raise BuildFailed(f"the program needs what is not there: {found[0]}", remedy=REMEDY, detail=found)


def _uses(package: Listed, pointer: Pointer) -> bool:
    if package.folder is None:
        return False
    if not pointer.is_file and is_at(package.folder, pointer.path):
        return True
    if not is_at(pointer.path, package.folder):
        return False
    path = posixpath.relpath(pointer.path, package.folder)
    if path in package.files:
        return True
    # Go passes over links and empty folders in what is embedded.
    return not pointer.is_file and any(_embeds(pattern, path) for pattern in package.patterns)


def _embeds(pattern: str, path: str) -> bool:
    """Whether a pattern of go:embed takes in a path, or a folder above it (``go doc embed``)."""
    wanted, parts = pattern.removeprefix("all:").split("/"), path.split("/")
    if wanted == ["."]:
        wanted = []
    if len(parts) < len(wanted) or not all(map(fnmatchcase, parts, wanted)):
        return False
    hidden = any(part.startswith((".", "_")) for part in parts[len(wanted) :])
    return not hidden or pattern.startswith("all:")


def _is_named(pointer: Pointer, base: str, printed: str) -> bool:
    if pointer.is_file:
        return False
    path = posixpath.relpath(pointer.path, base)
    return re.search(rf"(?<![\w.-]){re.escape(path)}(?![\w.-])", printed) is not None


def _listed(source: Path, base: str, module: str, document: dict[str, Any]) -> Listed:
    def names(key: str) -> Iterator[str]:
        yield from document.get(key) or ()

    path, folder = str(document.get("ImportPath")), document.get("Dir")
    if folder:
        place = _within(source, folder)
    else:
        # Go gives no folder to what it does not find, such as a package in a submodule.
        place = (
            posixpath.normpath(posixpath.join(base, path.removeprefix(f"{module}/"))) if is_at(path, module) else None
        )
    files = {name for key in _FILES for name in names(key)}
    if document.get("SFiles"):
        files.update(names("HFiles"))
    error = document.get("Error") or {}
    return Listed(place, frozenset(files), tuple(names("EmbedPatterns")), str(error.get("Err") or ""))


def _within(source: Path, folder: Path | str) -> str | None:
    """Where a folder is, relative to the tree; None outside of it."""
    relative = os.path.relpath(os.path.realpath(folder), os.path.realpath(source))
    return None if relative == ".." or relative.startswith("../") else relative
