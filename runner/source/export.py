"""The files of a commit, as they are in it, written to a folder of their own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from runner.errors import CheckoutMissing, CommitUnusable, ToolUnusable
from runner.runtime.workspace import offline
from runner.source.git import git_folder, refuse_objects

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.runtime.process import Run

SHA256_LENGTH = 64

DEEPEST = 200
"""Folders above a file: what walks a tree by calling itself comes to its end at less than a thousand."""

AS_COMMITTED = "* -text -ident !filter !working-tree-encoding\n"
"""gitattributes(5) under which git writes the very bytes that are in a commit."""


def export(clone: Path, commit: str, destination: Path, run: Run, environment: Mapping[str, str]) -> Path:
    """Write the files of a commit to ``destination``, which must not exist, and return it.

    The bytes are those of the commit, whatever its .gitattributes and the clone's configuration say: git works with a
    folder of its own beside ``destination``, which only borrows the clone's objects. The work tree is not read.
    Symbolic links and executable bits are kept; submodules are empty folders.

    Args:
        clone: the top of the work tree of the clone that has the commit.
        commit: its full id.
        destination: where to.
        run: how git is started.
        environment: git's environment, but for what makes it use the folder of its own.

    Raises:
        CheckoutMissing: git cannot read the commit, or the clone does not hold all of it.
        CommitUnusable: a name or a link in it is none that can be written, or it is nested too deep.
        ToolUnusable: there is no git.
    """
    own = destination.with_name(f"{destination.name}.git")
    destination.mkdir(parents=True)
    _make_git_folder(own, "sha256" if len(commit) == SHA256_LENGTH else "sha1")
    git = {
        **offline(environment),
        "GIT_DIR": str(own),
        "GIT_WORK_TREE": str(destination),
        "GIT_INDEX_FILE": str(own / "index"),
        "GIT_OBJECT_DIRECTORY": str(git_folder(clone) / "objects"),
    }
    for command in (("git", "read-tree", commit), ("git", "ls-files", "-z"), ("git", "checkout-index", "--all")):
        try:
            finished = run(command, env=git, cwd=destination)
        except OSError as error:
            raise ToolUnusable(f"git cannot be started: {error.strerror}") from error
        if not finished.ok:
            refuse_objects(finished, clone)
            raise CheckoutMissing(f"git cannot export {commit} from {clone}", detail=finished.tail())
        _refuse_depth(commit, finished.stdout)
    shutil.rmtree(own)
    return destination


def _refuse_depth(commit: str, listed: str) -> None:
    deepest = max(listed.split("\0"), key=lambda path: path.count("/"))
    if deepest.count("/") > DEEPEST:
        start = "/".join(deepest.split("/")[:3])
        raise CommitUnusable(
            f"commit {commit[:12]} holds a file {deepest.count('/')} folders deep, below {start}, and at most {DEEPEST}"
            " are taken"
        )


def _make_git_folder(folder: Path, object_format: str) -> None:
    """Make what gitrepository-layout(5) asks for at least, without hooks and without anybody's configuration."""
    for name in ("refs", "info"):
        (folder / name).mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/heads/none\n")
    (folder / "config").write_text(
        f"[core]\nrepositoryformatversion = 1\n[extensions]\nobjectformat = {object_format}\n"
    )
    (folder / "info" / "attributes").write_text(AS_COMMITTED)
