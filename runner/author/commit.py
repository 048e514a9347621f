"""The author's own commit on a branch of their clone, made by git as they configured it: with hooks and signature.

It is made in a work tree of its own, gone afterwards, so that the author's is not touched before all went well.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from runner.author.git import WITHOUT_HOOKS, AuthorGit
from runner.errors import BranchTaken, CommitRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.author.trial import Trial

NO_COMMIT = ""
"""What git-update-ref(1) takes for a ref that must not be there yet."""


def commit_artifacts(trial: Trial, branch: str, message: str) -> str:
    """Commit what the copy holds on a new branch of the author's clone; return the commit. Nothing is checked out.

    Raises:
        CommitRefused: git or a hook of the clone refuses, or a hook changes what is committed; no branch was made.
        BranchTaken: the branch is there by now.
    """
    clone = trial.clone
    made = commit_as_author(trial, clone.base_commit, message)
    ref = f"refs/heads/{branch}"
    if not clone.git("update-ref", ref, made, NO_COMMIT, may_fail=True).ok:
        raise BranchTaken(f"the branch {branch} cannot be made in {clone.git.folder}: it, or one below it, is there")
    return made


def commit_as_author(trial: Trial, parent: str, message: str) -> str:
    """Commit what the copy holds after another commit, as the author's own; return it. No ref is made.

    Raises:
        CommitRefused: git or a hook of the clone refuses, or a hook changes what is committed.
    """
    clone, wanted = trial.clone, trial.head()
    # What is there is fetched by its path, whichever protocols the author allows.
    clone.git(
        *("fetch", "--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head", "--no-auto-maintenance"),
        *("--no-recurse-submodules", "--refmap=", str(trial.folder), "HEAD"),
        extra={"GIT_ALLOW_PROTOCOL": "file"},
    )
    with _work_tree(trial, parent) as git:
        git(*WITHOUT_HOOKS, "read-tree", "--reset", "-u", wanted)
        done = git("commit", "--quiet", "--message", message, may_fail=True)
        if not done.ok:
            said = done.tail()
            raise CommitRefused(f"git did not commit: {said[-1] if said else 'it does not say why'}", detail=said)
        made = git("rev-parse", "HEAD").stdout.strip()
        if git("rev-parse", f"{made}^{{tree}}").stdout != git("rev-parse", f"{wanted}^{{tree}}").stdout:
            changed = git("diff", "--name-only", wanted, made, "--").stdout.splitlines()
            raise CommitRefused(
                f"a hook of the clone changed what is committed: {', '.join(changed)}",
                remedy="Let prepare.command in jobs.yaml write what the hook wants, then run the command again.",
                detail=tuple(changed),
            )
    return made


def remove_branch(trial: Trial, branch: str, commit: str) -> None:
    """Remove a branch that this command made, if it is still where it was made."""
    trial.clone.git("update-ref", "-d", f"refs/heads/{branch}", commit, may_fail=True)


@contextmanager
def _work_tree(trial: Trial, commit: str) -> Iterator[AuthorGit]:
    """A work tree of the clone at a commit; removed without git, which an ended command can no longer start."""
    clone, session = trial.clone.git, trial.clone.session
    # Git names what it keeps of a work tree by the last part of its path.
    folder = session.folder / f"{session.folder.name}-commit"
    kept = Path(clone("rev-parse", "--path-format=absolute", "--git-common-dir").stdout.rstrip("\n")) / "worktrees"
    try:
        clone(*WITHOUT_HOOKS, "worktree", "add", "--quiet", "--detach", str(folder), commit)
        yield AuthorGit(folder, session.run, trial.clone.environment)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(kept / folder.name, ignore_errors=True)
        # Git, too, removes the folder of all work trees with the last one.
        with suppress(OSError):
            kept.rmdir()
