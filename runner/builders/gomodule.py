"""What a Go module asks for, and where it keeps the version that the linker writes into the program."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import BuildFailed
from runner.pointers import real_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GO_MOD = "go.mod"
GO_WORK = "go.work"
VERSION_PACKAGE = "pkg/version"
VARIABLES = ("GitVersion", "GitCommit", "BuildDate")
"""What the linker sets: the release's version, its commit, the commit's time."""

_GO_DIRECTIVE = re.compile(r"^[ \t]*go[ \t]+([^\s/]+)[ \t]*(?://.*)?$", re.MULTILINE)
_MODULE_DIRECTIVE = re.compile(r"^[ \t]*module[ \t]+([^\s(]+)", re.MULTILINE)
_LINE_COMMENT = re.compile(r"//[^\n]*")
_USE_BLOCK = re.compile(r"^[ \t]*use[ \t]*\(([^()]*)\)", re.MULTILINE)
_USE_LINE = re.compile(r"^[ \t]*use[ \t]+([^\s(][^\n]*)$", re.MULTILINE)
_GO_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+)|(rc|beta)(\d+))?")
_COMMENT_OR_TEXT = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))|"(?:\\.|[^"\\\n])*"?|`[^`]*`?|(?P<rune>'(?:\\.|[^'\\\n])*'?)""",
    re.DOTALL,
)
"""What does not end, which no compiler takes, reaches to the end: to look for that again and again takes long."""
_BRACES = re.compile(r"([{}])")
_PARENTHESES = re.compile(r"[()]")
_VAR = re.compile(r"(?:^|;)[ \t]*var\b[ \t]*", re.MULTILINE)
_SPEC = re.compile(r"(?P<names>\w+(?:[ \t]*,[ \t]*\w+)*)(?P<type>[ \t]+string)?[ \t]*(?:=(?P<values>.*))?")
_END_OF_SPEC = re.compile(r"[\n;]")
_TEXT, _RUNE = '""', "0"


@dataclass(frozen=True)
class GoModule:
    """A module in the exported tree.

    ``main`` is the main package's folder relative to ``folder``, as Go wants it (``./cmd/controller``); ``go`` is what
    go.mod asks for, None where it does not say; ``vendored`` is whether the modules it needs lie beside it; ``path`` is
    its own, and ``work`` the go.work that it is built by, None where go.mod alone says what it is made of.
    """

    folder: Path
    main: str
    go: str | None
    vendored: bool
    path: str = ""
    work: Path | None = None

    @property
    def mode(self) -> str:
        """The option that says where Go takes modules from; go.mod is never changed."""
        return "-mod=vendor" if self.vendored else "-mod=readonly"


class Reach(Enum):
    """How near a package is to the main package: what says which release a program is, is looked for in this order."""

    OWN = "in the module of the main package"
    HELD = "in another module of the repository"
    REQUIRED = "in a module that is required, vendored or not"


@dataclass(frozen=True)
class GoPackage:
    """A package that a program is made of.

    Attributes:
        path: its import path.
        name: its name.
        module: the path of its module.
        version: of its module; empty where the module is a folder that go.mod or go.work names.
        folder: where it is.
        held: whether that is in the exported tree.
        variables: the string variables that the linker can set in it, as far as they are known.
    """

    path: str
    name: str
    module: str
    version: str = ""
    folder: Path = Path()
    held: bool = True
    variables: frozenset[str] = frozenset()

    def with_variables(self, variables: frozenset[str]) -> GoPackage:
        """The same package, with what the linker can set in it."""
        return replace(self, variables=variables)

    def reach(self, own: str) -> Reach:
        """How near it is to a module of this path."""
        if self.version or not self.held:
            return Reach.REQUIRED
        return Reach.OWN if self.module == own else Reach.HELD

    @property
    def linked_as(self) -> str:
        """What the package is called by the linker's ``-X``."""
        return "main" if self.name == "main" else self.path

    def symbol(self, variable: str) -> str:
        """What a variable is called in the program's symbol table (``cmd/internal/objabi``, PathToPrefix)."""
        folder, slash, last = self.linked_as.rpartition("/")
        return f"{folder}{slash}{last.replace('.', '%2e')}.{variable}"


def find_module(source: Path, main: str) -> GoModule:
    """Find the module of a main package: the one whose go.mod is nearest above it.

    Args:
        source: the exported tree.
        main: the package's folder relative to ``source``.

    Raises:
        BuildFailed: the folder is not in the tree, or no go.mod is above it.
    """
    root = source.resolve()
    package = real_path(root / main)
    if not package.is_relative_to(root) or not package.is_dir():
        raise BuildFailed(
            f"there is no folder {main} in the repository, where the main package should be",
            remedy="Correct main: of the service in jobs.yaml, or commit the package and tag that commit.",
        )
    folder = next((place for place in (package, *package.parents) if (place / GO_MOD).is_file()), None)
    if folder is None or not folder.is_relative_to(root):
        raise BuildFailed(f"there is no {GO_MOD} in {main} or above it")
    text = (folder / GO_MOD).read_text(encoding="utf-8", errors="replace")
    return GoModule(
        folder=folder,
        main=f"./{package.relative_to(folder).as_posix()}",
        go=go_directive(text),
        vendored=(folder / "vendor" / "modules.txt").is_file(),
        path=module_path(text),
    )


def find_workspace(source: Path, module: GoModule) -> GoModule | None:
    """Return the module as the nearest go.work above it builds it; None where there is none that names it.

    With a workspace, Go takes vendored modules from beside go.work (https://go.dev/ref/mod#workspaces).
    """
    root = source.resolve()
    folders = (folder for folder in (module.folder, *module.folder.parents) if folder.is_relative_to(root))
    work = next((folder / GO_WORK for folder in folders if (folder / GO_WORK).is_file()), None)
    if work is None:
        return None
    used = {real_path(work.parent / name) for name in used_modules(work.read_text("utf-8", "replace"))}
    if module.folder not in used:
        return None
    return replace(module, work=work, vendored=(work.parent / "vendor" / "modules.txt").is_file())


def module_path(text: str) -> str:
    """The path that a go.mod gives its module; empty where it gives none."""
    found = _MODULE_DIRECTIVE.search(text)
    return found[1].strip('"`') if found else ""


def used_modules(text: str) -> tuple[str, ...]:
    """The folders that a go.work names, relative to its own."""
    bare = _LINE_COMMENT.sub("", text)
    blocks = [line for block in _USE_BLOCK.findall(bare) for line in block.splitlines()]
    return tuple(name.strip().strip('"`') for name in (*blocks, *_USE_LINE.findall(bare)) if _is_path(name))


def _is_path(text: str) -> bool:
    """Whether a line of go.work may name a folder: no path holds a NUL, and the system would not even look for one."""
    return bool(text.strip()) and "\0" not in text


def go_directive(text: str) -> str | None:
    """The Go version that a go.mod asks for, e.g. ``1.25.0``; None where it does not say."""
    found = _GO_DIRECTIVE.search(text)
    return found[1] if found else None


def go_order(version: str) -> tuple[int, int, int, str, int]:
    """Return what Go versions are ordered by: ``1.26`` before ``1.26rc1`` before ``1.26.0`` (https://go.dev/doc/toolchain).

    What follows the version proper, as a distribution's own suffix, does not count.

    Raises:
        ValueError: it is none.
    """
    found = _GO_VERSION.match(version)
    if found is None:
        raise ValueError(f"{version!r} is not a version of Go")
    major, minor, patch, kind, number = found.groups()
    return int(major), int(minor), -1 if patch is None else int(patch), kind or "", int(number or 0)


def string_variables(source: str) -> frozenset[str]:
    """The package-level variables of a Go file that the linker's ``-X`` can set.

    These are strings that are declared without a value or with a constant text (``go doc cmd/link``).
    """
    bare = _COMMENT_OR_TEXT.sub(lambda found: " " if found["comment"] else _RUNE if found["rune"] else _TEXT, source)
    bare = _outside_braces(bare)
    closing = _closing_parentheses(bare)
    declared = (_declared(bare, found.end(), closing) for found in _VAR.finditer(bare))
    specs = [spec.strip() for text in declared for spec in _END_OF_SPEC.split(text)]
    return frozenset(name for spec in specs for name in _settable(spec))


def _outside_braces(bare: str) -> str:
    kept: list[str] = []
    opened: list[int] = []
    for part in _BRACES.split(bare):
        if part == "}" and opened:
            del kept[opened.pop() :]
            continue
        if part == "{":
            opened.append(len(kept))
        kept.append(part)
    return "".join(kept)


def _closing_parentheses(bare: str) -> Mapping[int, int]:
    """Where each parenthesis that is closed is closed."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for found in _PARENTHESES.finditer(bare):
        if found[0] == "(":
            opened.append(found.start())
        elif opened:
            closing[opened.pop()] = found.start()
    return closing


def _declared(bare: str, start: int, closing: Mapping[int, int]) -> str:
    """What follows the word ``var``: all between its parentheses, or the rest of the line."""
    if bare[start : start + 1] == "(":
        return bare[start + 1 : closing.get(start, start)]
    end = _END_OF_SPEC.search(bare, start)
    return bare[start : end.start() if end else len(bare)]


def _settable(spec: str) -> tuple[str, ...]:
    """The names in ``A, B string``, ``A = ""`` and the like."""
    found = _SPEC.fullmatch(spec)
    if found is None or not (found["type"] or found["values"]):
        return ()
    if found["values"] and any(value.strip() != _TEXT for value in found["values"].split(",")):
        return ()
    return tuple(name.strip() for name in found["names"].split(","))


def version_packages(packages: Iterable[GoPackage]) -> tuple[GoPackage, ...]:
    """The packages whose variables say which release the program is; none where no package has all of them.

    ``pkg/version`` of a module is the one, as in every controller that ACK's generator writes; else every package that
    declares all of VARIABLES.

    Args:
        packages: those among which they are looked for, all as near to the main package.
    """
    found = tuple(package for package in packages if package.variables.issuperset(VARIABLES))
    usual = tuple(package for package in found if package.path == f"{package.module}/{VERSION_PACKAGE}")
    return usual or found
