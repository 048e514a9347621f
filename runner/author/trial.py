"""A copy of the author's clone in which a release is tried: all that the remote has, and nothing that only they have.

It borrows the clone's objects and adds its own, so that whatever happens in it leaves the clone as it was. What the
clone lacks is fetched by the clone's configuration, but into the copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.author.git import AuthorGit
from runner.errors import RemoteFailed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.author.clone import AuthorClone

NAME = "author.clone"
"""Its folder in the work folder: no service's name has a dot, so none is the same."""

FETCH = (
    *("fetch", "--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head", "--no-auto-maintenance"),
    *("--no-recurse-submodules", "--refmap=", "--stdin"),
)
"""Fetches objects, and changes no ref and no file of the clone."""

NOBODY = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{role}_NAME": "ack-release" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "ack-release@localhost" for role in ("AUTHOR", "COMMITTER")},
}
"""Git without the author's configuration: what is tried must not depend on it, and nobody sees these commits."""


@dataclass(frozen=True)
class Trial:
    """The copy; ``git`` calls git in it, without the author's configuration."""

    git: AuthorGit
    clone: AuthorClone

    @property
    def folder(self) -> Path:
        """The top of its work tree."""
        return self.git.folder

    def fetch(self, remote: str, commits: Mapping[str, str]) -> None:
        """Make objects of a remote available here.

        Args:
            remote: where they are.
            commits: the object that each full ref holds there.

        Raises:
            RemoteFailed, CredentialsRefused: they cannot be fetched, or the remote has changed meanwhile.
        """
        missing = self._missing(commits)
        if not missing:
            return
        git = self.clone.git
        objects = {
            "GIT_OBJECT_DIRECTORY": str(self.folder / ".git" / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": _quoted(_objects_of(git)),
        }
        git.remote(remote, *FETCH, remote, stdin="".join(f"{ref}\n" for ref in missing), extra=objects)
        if left := self._missing(commits):
            raise RemoteFailed(
                f"{remote} was changed while it was read: {min(left)} is no longer at {commits[min(left)]}",
                remedy="Run the command again.",
            )

    def check_out(self, commit: str, branch: str | None = None) -> None:
        """Check a commit out, with this branch at it, or with none."""
        how = ("--detach", commit) if branch is None else ("-B", branch, commit)
        self.git("-c", "advice.detachedHead=false", "checkout", "--quiet", "--force", *how)

    def contains(self, commit: str, ancestor: str) -> bool:
        """Whether a commit is the same as another one, or comes after it."""
        return self.git("merge-base", "--is-ancestor", ancestor, commit, may_fail=True).ok

    def take(self, commit: str, folder: str) -> None:
        """Let a folder of the work tree, relative to its top, hold what it holds in a commit, and nothing else."""
        # Where the commit has no such folder, nothing is left of it.
        self.git("rm", "-r", "--quiet", "--force", "--ignore-unmatch", "--", f":(top,literal){folder}")
        if self.git.line("rev-parse", "--verify", "--quiet", f"{commit}:{'' if folder == '.' else folder}"):
            self.git("checkout", "--quiet", "--force", commit, "--", f":(top,literal){folder}")

    def commit(self, message: str) -> str:
        """Commit all that is in the work tree and is not ignored; return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--no-verify", "--allow-empty", "--message", message)
        return self.head()

    def head(self) -> str:
        """Return the commit that is checked out."""
        return self.git("rev-parse", "HEAD").stdout.strip()

    def differing(self, first: str, second: str) -> frozenset[str]:
        """Return the paths at which two commits differ, both names of what was moved."""
        said = self.git("diff", "--name-only", "--no-renames", "-z", first, second, "--").stdout
        return frozenset(path for path in said.split("\0") if path)

    def files_in(self, folder: str) -> tuple[str, ...]:
        """Return the files of HEAD in a folder, relative to it; none where there is no such folder."""
        place = "HEAD" if folder == "." else f"HEAD:{folder}"
        said = self.git("ls-tree", "-r", "-z", "--name-only", "--full-tree", place, may_fail=True)
        return tuple(path for path in said.stdout.split("\0") if path) if said.ok else ()

    def changed_since_merge(self, commit: str, base: str) -> frozenset[str]:
        """Return the paths that a commit changed since it left the history of a base."""
        left = self.git.line("merge-base", commit, base)
        return self.differing(left, commit) if left else self.differing(base, commit)

    def set_refs(self, commits: Mapping[str, str]) -> None:
        """Point full refs at commits."""
        if commits:
            lines = "".join(f"update {ref} {commit}\n" for ref, commit in commits.items())
            self.git("update-ref", "--stdin", stdin=lines)

    def _missing(self, commits: Mapping[str, str]) -> tuple[str, ...]:
        """The refs whose commits, or anything that these need, may not be here."""
        asked = "".join(f"{commit}\n" for commit in commits.values())
        said = self.git("cat-file", "--batch-check=%(objecttype)", stdin=asked).stdout.splitlines()
        return tuple(ref for ref, line in zip(commits, said, strict=True) if line.endswith(" missing"))


def open_trial(clone: AuthorClone) -> Trial:
    """Make the copy, with the base branch and every tag of the remote; nothing is checked out.

    Raises:
        CheckoutMissing: git cannot make it.
        RemoteFailed, CredentialsRefused: what the clone lacks cannot be fetched.
    """
    folder = clone.session.folder / NAME
    folder.mkdir()
    git = AuthorGit(folder, clone.session.run, {**clone.environment, **NOBODY})
    kind = clone.git.line("rev-parse", "--show-object-format") or "sha1"
    git("init", "--quiet", "--template=", f"--object-format={kind}", "--initial-branch=none")
    borrowed = folder / ".git" / "objects" / "info" / "alternates"
    borrowed.parent.mkdir(parents=True, exist_ok=True)
    borrowed.write_text(f"{_objects_of(clone.git)}\n", encoding="utf-8")
    trial = Trial(git, clone)
    tags = {f"refs/tags/{tag}": commit for tag, commit in clone.refs.objects.items()}
    trial.fetch(clone.remote, {f"refs/heads/{clone.base}": clone.base_commit, **tags})
    trial.set_refs({f"refs/heads/{clone.base}": clone.base_commit, **tags})
    return trial


def _objects_of(git: AuthorGit) -> Path:
    return (git.folder / git("rev-parse", "--git-path", "objects").stdout.rstrip("\n")).resolve()


def _quoted(place: Path) -> str:
    """Write a path as git reads it in a list of paths, where a colon separates two unless it is in quotes (git(1))."""
    escaped = str(place).replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'
