"""Calls git on one clone: the only place that does, but for the export. Nothing in the clone is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.errors import CheckoutMissing, CommitUnusable, ToolUnusable
from runner.runtime.workspace import offline

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.runtime.process import Finished, Run

OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""The full id of an object, of SHA-1 or SHA-256."""

NO_NETWORK = {"GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1"}
"""Variables under which git fetches nothing, not even what a partial clone lacks (git(1))."""


INCOMPLETE = (
    "Let the clone have all that its commit holds: remove blobless_fetch and sparse_checkout_files from the job (by"
    " hand: clone without --filter), then rerun."
)
"""What helps where objects of the commit are not in the clone: nothing is fetched here."""

_ABSENT = re.compile(
    r"unable to read (?:sha1 file|tree|blob|object)|missing (?:blob|tree|object)|lazy fetching disabled|could not fetch"
    r"|promisor|bad object|failed to unpack tree object|could not get object info",
    re.IGNORECASE,
)
"""How git says that an object that it needs is not in the clone."""

_NO_FILE = re.compile(
    r"invalid path|unable to create|cannot create directory|malformed|(?:empty|too-short) \w+ in tree"
    r"|too-short tree|File name too long"
)
"""How git says that a tree, or a name or a link in it, is none for a file system."""


def refuse_objects(finished: Finished, folder: Path) -> None:
    """Look whether git failed because of what is, or is not, in the clone.

    Args:
        finished: git's end.
        folder: the clone.

    Raises:
        CheckoutMissing: the clone lacks an object of its commit.
        CommitUnusable: the commit holds what git can write to no folder.
    """
    lines = [line.strip() for line in finished.complaint.splitlines()]
    absent = next((line for line in lines if _ABSENT.search(line)), None)
    if absent is not None:
        raise CheckoutMissing(
            f"the clone in {folder} lacks a part of its commit: {absent}", remedy=INCOMPLETE, detail=finished.tail()
        )
    refused = next((line for line in lines if _NO_FILE.search(line)), None)
    if refused is not None:
        raise CommitUnusable(f"the commit holds what cannot be written to a folder: {refused}", detail=finished.tail())


@dataclass(frozen=True)
class GitObject:
    """An object that git was asked for; nothing but None when it is not there."""

    id: str | None = None
    type: str | None = None


class Git:
    """Calls git on one clone.

    The repository is named outright: git would search the folders above when ``.git`` is not usable, and find another
    one; and the owner of the tree does not matter then.

    Args:
        folder: the top of the work tree.
        run: how programs are started.
        environment: git's whole environment.
    """

    def __init__(self, folder: Path, run: Run, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._run = run
        self._environment = {**offline(environment), **NO_NETWORK}

    def __call__(self, *arguments: str, stdin: bytes | None = None, may_fail: bool = False) -> Finished:
        """Run git to its end.

        Args:
            arguments: the command and its options.
            stdin: what git reads; nothing when left out.
            may_fail: whether an exit code other than 0 is an answer.

        Raises:
            CheckoutMissing, CommitUnusable: git fails, and may not.
            ToolUnusable: there is no git.
        """
        named = (f"--git-dir={self._folder / '.git'}", f"--work-tree={self._folder}")
        try:
            finished = self._run(
                ("git", *named, *arguments),
                env=self._environment,
                cwd=self._folder,
                stdin=stdin,
            )
        except OSError as error:
            raise ToolUnusable(
                f"git cannot be started in {self._folder}: {error.strerror}",
                remedy="Put git on the PATH of the runner.",
            ) from error
        if not finished.ok and not may_fail:
            refuse_objects(finished, self._folder)
            raise CheckoutMissing(
                f"git cannot read the clone in {self._folder}",
                remedy="Clone again with a commit checked out that the runner's user can read (run_as_user, fs_group).",
                detail=finished.tail(),
            )
        return finished

    def look_up(self, *names: str) -> tuple[GitObject, ...]:
        """Return the object behind each name (gitrevisions(7)), nothing for an empty name."""
        lines = (
            self(
                "cat-file",
                "--batch-check=%(objectname) %(objecttype)",
                stdin="".join(f"{name}\n" for name in names).encode(),
            )
            .stdout.removesuffix("\n")
            .split("\n")
        )
        return tuple(GitObject() if line.endswith(" missing") else GitObject(*line.split(" ")) for line in lines)

    def tags(self, which: str) -> tuple[str, ...]:
        """Return the short names of tags; ``which`` is an option of git-for-each-ref(1)."""
        listed = self("for-each-ref", which, "--format=%(refname:lstrip=2)", "refs/tags/").stdout
        # Not splitlines: a tag's name may hold what Unicode takes for the end of a line, but no newline.
        return tuple(name for name in listed.split("\n") if name)


def git_folder(folder: Path) -> Path:
    """Return where git keeps a work tree's objects and refs (gitrepository-layout(5)): mostly its folder ``.git``."""
    found = folder / ".git"
    if found.is_file():
        found = folder / found.read_text().removeprefix("gitdir:").strip()
    common = found / "commondir"
    return (found / common.read_text().strip() if common.exists() else found).resolve()
