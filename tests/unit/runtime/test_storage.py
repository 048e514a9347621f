from __future__ import annotations

import errno
import os
import shutil
import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import ExitCode, StorageUnusable
from runner.runtime import storage
from runner.runtime.storage import (
    FULL,
    VARIABLES,
    WORDS,
    Space,
    StorageProblem,
    check_child,
    in_words,
    problem_of_child,
    problem_of_error,
    reason_of,
    refusal_to_write,
    space_of,
    storage_error,
)

WORK, CACHE, TREE = Path("/scratch/ack-release-x/tmp"), Path("/cache/go-build"), Path("/scratch/ack-release-x/source")
ROOM = Space(free=10 << 30, size=20 << 30)
LITTLE = Space(free=2 << 20, size=2 << 20)
NONE_LEFT = Space(free=0, size=64 << 10)
FOLDERS = {CACHE: ROOM, WORK: LITTLE, TREE: ROOM}
ALL = sorted(WORDS)


@pytest.mark.parametrize("number", ALL, ids=errno.errorcode.get)
def test_an_error_of_a_path(number: int) -> None:
    """What is wrong with a place is told of the path that the error names."""
    error = OSError(number, os.strerror(number), "/some/file")
    assert problem_of_error(error, WORK) == StorageProblem(Path("/some/file"), WORDS[number])


@pytest.mark.parametrize("number", ALL, ids=errno.errorcode.get)
def test_an_error_without_a_path(number: int) -> None:
    """Writing to an open file names no path: it is told of the folder where it was."""
    assert problem_of_error(OSError(number, os.strerror(number)), WORK) == StorageProblem(WORK, WORDS[number])


def test_renaming_onto_a_full_disk() -> None:
    """Of two paths the one that is written is told."""
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/from", None, "/to")
    found = problem_of_error(error, WORK)
    assert found is not None
    assert found.folder == Path("/to")


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/x"),
        IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), "/x"),
        OSError(errno.ELOOP, os.strerror(errno.ELOOP), "/x"),
        ssl.SSLError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]"),
        ssl.SSLError(5, "EOF occurred in violation of protocol"),
        ValueError("no space left on device"),
        RuntimeError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    ],
    ids=repr,
)
def test_other_errors(error: BaseException) -> None:
    """What is no matter of storage stays what it is, whatever numbers and words are in it."""
    assert problem_of_error(error, WORK) is None
    assert storage_error(error, WORK) is None


def test_copying_a_tree() -> None:
    """The text that shutil collects is read: what it is about, and where it was to be written."""
    rows = [("/from/a", "/to/a", "[Errno 28] No space left on device: '/to/a'")]
    assert problem_of_error(shutil.Error(rows), WORK) == StorageProblem(Path("/to/a"), WORDS[errno.ENOSPC])
    assert problem_of_error(shutil.Error([("/from/a", "/to/a", "[Errno 2] No such file: '/from/a'")]), WORK) is None
    assert problem_of_error(shutil.Error("`/a` and `/a` are the same file"), WORK) is None


CHILDREN = {
    "go, cache that is read-only": (
        f"failed to initialize build cache at {CACHE}: mkdir {CACHE}/00: read-only file system",
        StorageProblem(CACHE, "read-only file system"),
    ),
    "go, work folder": (
        f"go: creating work dir: mkdir {WORK}/go-build1: permission denied",
        StorageProblem(WORK, "permission denied"),
    ),
    "go, linker": (
        "/usr/local/go/pkg/tool/linux_amd64/link: mapping output file failed: no space left on device",
        StorageProblem(WORK, "no space left on device"),
    ),
    "go, its name for its folder": (
        "write $WORK/b001/_pkg_.a: no space left on device",
        StorageProblem(WORK, "no space left on device"),
    ),
    "go, quota": (f"open {CACHE}/ab/x-d: disk quota exceeded", StorageProblem(CACHE, "disk quota exceeded")),
    "git, file": (
        f"error: unable to create file {TREE}/x: No space left on device",
        StorageProblem(TREE, "no space left on device"),
    ),
    "git, index": (
        f"fatal: Unable to create '{WORK}/index.lock': Read-only file system",
        StorageProblem(WORK, "read-only file system"),
    ),
    "helm": (
        f"Error: failed to save: write {WORK}/helm-1/chart.tgz: no space left on device",
        StorageProblem(WORK, "no space left on device"),
    ),
}
"""What programs print where their folders cannot be written."""


@pytest.mark.parametrize(("line", "problem"), CHILDREN.values(), ids=CHILDREN.keys())
def test_what_children_say(line: str, problem: StorageProblem) -> None:
    """Each names the folder that it means, and what is wrong with it."""
    assert problem_of_child(["# some/package", line], FOLDERS) == problem


@pytest.mark.parametrize(
    "line",
    [
        "./x.go:7:2: undefined: foo",
        f"cmd/main.go:7:2: pattern {WORK}/x: no space left on device",
        "Error: execution error at (chart/templates/x.yaml:1:4): no space left on device",
        f"[ERROR] templates/: write {WORK}/x: no space left on device",
        "undefined: no space left on device in this program",
        "fatal: Could not read from remote repository: Permission denied (publickey)",
        "open /etc/shadow: permission denied",
        "this is about a read-only file system",
        "it was refused: permission denied",
    ],
)
def test_what_is_not_about_storage(line: str) -> None:
    """The author's words, other places and words in passing are not taken for it."""
    assert problem_of_child([line], FOLDERS) is None


def test_a_full_folder_explains_a_strange_failure() -> None:
    """A cache that holds no more makes go say that its library is not there: the folder is told, not the source."""
    strange = ["/usr/local/go/src/flag/flag.go:86:2: package encoding is not in std"]
    assert problem_of_child(strange, FOLDERS) is None
    for full in (NONE_LEFT, Space(free=1 << 30, size=2 << 30, files=False)):
        assert problem_of_child(strange, {**FOLDERS, CACHE: full}) == StorageProblem(CACHE, WORDS[errno.ENOSPC])


def test_a_child_that_says_nothing() -> None:
    """An exit code alone is an answer, even on a full disk."""
    assert problem_of_child([], {WORK: NONE_LEFT}) is None


@given(st.lists(st.text()), st.dictionaries(st.sampled_from([WORK, CACHE, TREE]), st.just(ROOM)))
def test_anything_that_is_printed(lines: list[str], folders: dict[Path, Space]) -> None:
    """Whatever is printed, the answer is a folder of the child's or none."""
    found = problem_of_child(lines, folders)
    assert found is None or found.folder in folders


@given(st.integers(min_value=0, max_value=1 << 50))
def test_numbers_of_bytes(count: int) -> None:
    """A number keeps its size within a twentieth in words."""
    number, unit = in_words(count).split(" ")
    power = ["B", "KiB", "MiB", "GiB", "TiB"].index(unit)
    assert abs(float(number) * (1 << (10 * power)) - count) <= count / 20


@pytest.mark.parametrize(("free", "full"), [(0, True), (FULL - 1, True), (FULL, False)])
def test_when_a_folder_is_full(free: int, *, full: bool) -> None:
    """It is when less fits than a file of a run needs."""
    assert Space(free=free, size=1 << 40).is_full is full


def test_space_of_a_folder_to_be_made(tmp_path: Path) -> None:
    """A folder that is not there has what the one above has."""
    there, missing = space_of(tmp_path), space_of(tmp_path / "not" / "there")
    assert there is not None
    assert missing is not None
    assert there.size == missing.size > 0
    assert there.writable


def test_space_that_nobody_knows() -> None:
    """A file system without a size is not taken for a full one."""
    assert space_of(Path("/proc")) is None
    assert refusal_to_write(Path("/proc")) is None


def test_the_error_to_end_with(tmp_path: Path) -> None:
    """It is exit 2, names the folder, what is wrong with it and its free space, and says what to give it."""
    error = storage_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), tmp_path)
    assert isinstance(error, StorageUnusable)
    assert error.exit_code is ExitCode.USAGE
    assert error.cause.startswith(f"{tmp_path}: no space left on device (")
    assert " free now)" in error.cause
    assert "rerun" in error.remedy


def test_a_childs_error(tmp_path: Path) -> None:
    """It names the command, and has what the child printed as its detail; one about something else is let through."""
    folder = str(tmp_path)
    environment = {**dict.fromkeys(VARIABLES, folder), "GOCACHE": "off"}
    check_child(("go", "build"), "x.go:1:1: wrong\n", environment)
    said = f"open {folder}/x: read-only file system"
    with pytest.raises(StorageUnusable, match=r"^go build: .*read-only file system \(") as caught:
        check_child(("/usr/bin/go", "build", "-o", "x"), f"\n{said}\n", environment)
    assert caught.value.detail == (said,)


def test_why_a_report_is_missing(tmp_path: Path) -> None:
    """The space is told where it matters, and only there."""
    full = reason_of(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/other"), tmp_path)
    assert full.startswith(f"{tmp_path}: no space left on device (")
    assert reason_of(OSError(errno.EISDIR, "Is a directory"), tmp_path) == f"{tmp_path}: Is a directory"


def test_a_folder_that_is_not_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whether it is mounted read-only or belongs to somebody else is told; one that can be written is not refused."""
    assert refusal_to_write(tmp_path) is None
    for space, words in (
        (Space(1, 2, read_only=True, writable=False), "read-only file system"),
        (Space(1, 2, writable=False), "permission denied"),
    ):
        monkeypatch.setattr(storage, "space_of", lambda _, space=space: space)
        error = refusal_to_write(tmp_path)
        assert error is not None
        assert f"{words} (1 B of 2 B free now)" in error.cause
