"""Folders that cannot hold what a run writes: told from an error of this process, or from how a child failed.

What a full disk or a read-only mount does shows in many ways: in an ``OSError`` of our own, in the words of a child
(at the end of a line, as strerror(3) has them), or in nothing but a strange failure of one whose cache holds no more
(go then says that its standard library has no packages). All of them are one error here, which names the folder and
its free space, since only the administrator can mend it.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import StorageUnusable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WORDS: Mapping[int, str] = {
    errno.ENOSPC: "no space left on device",
    errno.EDQUOT: "disk quota exceeded",
    errno.EROFS: "read-only file system",
    errno.EACCES: "permission denied",
    errno.EPERM: "operation not permitted",
    errno.EIO: "input/output error",
    errno.ESTALE: "stale file handle",
}
"""What is wrong with a place rather than with what is read from it, as glibc and Go say it, in lower case."""

FULL = 64 * 1024
"""Bytes: where fewer are free, nothing of a run can be written (a file system gives them out in blocks of some KiB)."""

VARIABLES = ("GOCACHE", "GOMODCACHE", "GOTMPDIR", "TMPDIR", "GIT_WORK_TREE", "HOME")
"""The variables that name the folders in which children write."""

_AT_END = re.compile(rf"(?P<before>.*?)(?:^|(?<=[:\s]))(?P<words>{'|'.join(WORDS.values())})\.?\s*$", re.IGNORECASE)
_PATH = re.compile(r"(?:^|(?<=[\s'\"]))(?P<path>\$WORK|/)[^\s'\":]*")
_TOOL = re.compile(r"go: |go [a-z]+: |\S*/pkg/tool/\S+: ")
"""How a line begins that go or one of its tools says of itself, and not of the source."""
_AUTHORS = re.compile(r"\S+\.go:\d+|execution error at \(|\[(?:ERROR|WARNING|INFO)\] ")
"""Marks of lines that tell what is wrong with the source, in words that may be the author's own."""


@dataclass(frozen=True)
class Space:
    """What a folder's file system has.

    Attributes:
        free: bytes that this user may still write.
        size: bytes in all.
        files: whether a file more fits.
        read_only: whether it is mounted so.
        writable: whether this user may write into the folder.
    """

    free: int
    size: int
    files: bool = True
    read_only: bool = False
    writable: bool = True

    @property
    def is_full(self) -> bool:
        """Whether nothing can be written there."""
        return self.free < FULL or not self.files

    def __str__(self) -> str:
        files = "" if self.files else ", no file more fits"
        return f"{in_words(self.free)} of {in_words(self.size)} free{files}"


@dataclass(frozen=True)
class StorageProblem:
    """A folder, and what is wrong with it, in words."""

    folder: Path
    words: str


def in_words(count: int) -> str:
    """A number of bytes, as ``0 B``, ``64.0 KiB`` or ``1.5 GiB``."""
    if count < 1 << 10:
        return f"{count} B"
    power = next(power for power in (4, 3, 2, 1) if count >= 1 << (10 * power))
    return f"{count / (1 << (10 * power)):.1f} {'KMGT'[power - 1]}iB"


def space_of(folder: Path) -> Space | None:
    """What there is at a folder, or at the nearest one above that exists.

    None when nobody can say: a file system without a size, such as one in memory without a limit, reports zeros.
    """
    try:
        above = next(one for one in (folder, *folder.parents) if one.exists())
        found = os.statvfs(above)
    except (OSError, StopIteration):
        return None
    if not found.f_blocks:
        return None
    return Space(
        free=found.f_bavail * found.f_frsize,
        size=found.f_blocks * found.f_frsize,
        files=found.f_files == 0 or found.f_favail > 0,
        read_only=bool(found.f_flag & os.ST_RDONLY),
        writable=os.access(above, os.W_OK),
    )


def problem_of_error(error: BaseException, folder: Path) -> StorageProblem | None:
    """What an error says of a folder; None when it is about something else. Pure.

    Args:
        error: anything that was raised.
        folder: where it was, if the error does not name a path: writing to an open file does not.
    """
    if not isinstance(error, OSError):
        return None
    if isinstance(error, shutil.Error):
        return _problem_of_copies(error, folder)
    if error.errno is None or error.errno not in WORDS:
        return None
    named = next((name for name in (error.filename2, error.filename) if isinstance(name, str | os.PathLike)), None)
    if named is None and error.strerror != os.strerror(error.errno):
        return None  # numbers of OpenSSL, which stand in the same place
    return StorageProblem(folder if named is None else Path(named), WORDS[error.errno])


def problem_of_child(printed: Sequence[str], folders: Mapping[Path, Space]) -> StorageProblem | None:
    """What a child that failed says of the folders in which it writes; None when it failed for another reason. Pure.

    Args:
        printed: the lines that it printed.
        folders: the folders in which it writes, with what they have now. It may have removed what filled them.
    """
    own = [line for line in printed if not _AUTHORS.search(line)]
    said = [found for line in own if (found := _AT_END.match(line))]
    for found in said:
        for path in _PATH.finditer(found["before"]):
            text = path[0]
            inside = next((one for one in folders if Path(text).is_relative_to(one)), None)
            if inside is not None or text.startswith("$WORK"):
                return StorageProblem(inside or _tightest(folders), found["words"].lower())
    full = [folder for folder, space in folders.items() if space.is_full]
    if full and printed:
        return StorageProblem(full[0], WORDS[errno.ENOSPC])
    tools = [found for found in said if _TOOL.match(found["before"])]
    return StorageProblem(_tightest(folders), tools[0]["words"].lower()) if tools and folders else None


def storage_error(error: BaseException, folder: Path) -> StorageUnusable | None:
    """The error to end with where another one comes from a folder that cannot be used; None for any other.

    Args:
        error: anything that was raised.
        folder: as of ``problem_of_error``.
    """
    problem = problem_of_error(error, folder)
    return None if problem is None else _unusable(problem, "")


def refusal_to_write(folder: Path) -> StorageUnusable | None:
    """The error to end with where this user may not write into a folder that is there, or nobody may."""
    space = space_of(folder)
    if space is None or space.writable:
        return None
    return _unusable(StorageProblem(folder, WORDS[errno.EROFS if space.read_only else errno.EACCES]), "")


def check_child(argv: Sequence[str], printed: str, environment: Mapping[str, str]) -> None:
    """Look whether a child failed because of a folder in which it writes.

    Args:
        argv: program and arguments.
        printed: all that it printed for people.
        environment: its own.

    Raises:
        StorageUnusable: it did.
    """
    named = dict.fromkeys(Path(environment[name]) for name in VARIABLES if environment.get(name, "").startswith("/"))
    folders = {folder: space for folder in named if (space := space_of(folder)) is not None}
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    problem = problem_of_child(lines, folders)
    if problem is not None:
        words = [Path(argv[0]).name, *(word for word in argv[1:] if not word.startswith(("-", "/")))]
        raise _unusable(problem, f"{' '.join(words[:2])}: ", detail=lines[-20:])


def reason_of(error: OSError, folder: Path) -> str:
    """Why a folder cannot be used, in words: what is wrong with its storage comes with the space that it has."""
    problem = problem_of_error(error, folder)
    return f"{folder}: {error.strerror}" if problem is None else _in_words(StorageProblem(folder, problem.words))


def _in_words(problem: StorageProblem) -> str:
    space = space_of(problem.folder)
    return f"{problem.folder}: {problem.words}" + ("" if space is None else f" ({space} now)")


def _unusable(problem: StorageProblem, who: str, detail: Sequence[str] = ()) -> StorageUnusable:
    return StorageUnusable(f"{who}{_in_words(problem)}", detail=detail)


def _problem_of_copies(error: shutil.Error, folder: Path) -> StorageProblem | None:
    """What copying a tree says: it goes on after each failure, and collects them as text."""
    rows = error.args[0] if error.args and isinstance(error.args[0], list) else []
    for row in rows:
        found = re.match(r"\[Errno (\d+)\]", str(row[-1]))
        if found and int(found[1]) in WORDS:
            return StorageProblem(Path(row[1]) if len(row) > 1 else folder, WORDS[int(found[1])])
    return None


def _tightest(folders: Mapping[Path, Space]) -> Path:
    return min(folders, key=lambda folder: folders[folder].free)
