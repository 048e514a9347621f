"""The files of a commit, as they are in it, written to a folder of their own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from runner.errors import CheckoutMissing, ToolUnusable
from runner.runtime.workspace import offline
from runner.source.git import git_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.runtime.process import Run

SHA256_LENGTH = 64

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
        CheckoutMissing: git cannot read the commit, or cannot write its files.
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
    for command in (("git", "read-tree", commit), ("git", "checkout-index", "--all")):
        try:
            finished = run(command, env=git, cwd=destination)
        except OSError as error:
            raise ToolUnusable(f"git cannot be started: {error.strerror}") from error
        if not finished.ok:
            raise CheckoutMissing(f"git cannot export {commit} from {clone}", detail=finished.tail())
    shutil.rmtree(own)
    return destination


def _make_git_folder(folder: Path, object_format: str) -> None:
    """Make what gitrepository-layout(5) asks for at least, without hooks and without anybody's configuration."""
    for name in ("refs", "info"):
        (folder / name).mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/heads/none\n")
    (folder / "config").write_text(
        f"[core]\nrepositoryformatversion = 1\n[extensions]\nobjectformat = {object_format}\n"
    )
    (folder / "info" / "attributes").write_text(AS_COMMITTED)
