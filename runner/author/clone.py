"""The author's clone: which repository it is of, what its remote holds now, and whether its work tree is clean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.author.git import AuthorGit, author_environment
from runner.author.remotes import RemoteRefs, Repository, choose_remote, read_refs, read_repository, without_user
from runner.config.settings import DEFAULT_ARTIFACTS
from runner.errors import CheckoutMissing, CloneUnclean, HistoryMissing, UsageInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.author.outcome import Output
    from runner.session import Session

SHOWN_AT_MOST = 20


@dataclass(frozen=True)
class Where:
    """Which repository an author releases in; None where they leave it to the clone.

    ``remote`` is that of the canonical repository, ``base`` the branch that releases are made from, ``repository`` is
    OWNER/NAME.
    """

    remote: str | None = None
    base: str | None = None
    repository: str | None = None


@dataclass(frozen=True)
class AuthorClone:
    """A clone on the author's machine, and what its remote holds now.

    Attributes:
        git: calls git in it; its folder is the top of the work tree.
        remote: the remote of the canonical repository.
        repository: which one that is.
        refs: what it holds.
        base: the short name of the branch that releases are made from.
        environment: that of the author's programs.
        session: what the command works in.
        output: where the author sees what is done.
    """

    git: AuthorGit
    remote: str
    repository: Repository
    refs: RemoteRefs
    base: str
    environment: Mapping[str, str]
    session: Session
    output: Output

    @property
    def base_commit(self) -> str:
        """The commit that the base branch is at, at the remote."""
        return self.refs.branches[self.base]

    def local(self, ref: str) -> str | None:
        """Return the commit that a full ref of the clone is at; None without such a ref."""
        return self.git.line("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")

    def changed(self) -> tuple[str, ...]:
        """Return what is changed in the work tree, or new and not ignored; the reports of a plan do not count."""
        said = self.git(
            *("status", "--porcelain=v1", "-z", "--untracked-files=normal", "--no-renames"),
            *("--", ":(top)", f":(exclude,top,literal){DEFAULT_ARTIFACTS}"),
        ).stdout
        return tuple(entry[3:] for entry in said.split("\0") if entry)

    def check_clean(self) -> None:
        """Check that nothing in the work tree waits to be committed.

        Raises:
            CloneUnclean: a file is changed, or new and not ignored.
        """
        if changed := self.changed():
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise CloneUnclean(
                f"the work tree of {self.git.folder} is not clean: {changed[0]}{more}", detail=changed[:SHOWN_AT_MOST]
            )


def open_author_clone(session: Session, where: Where, output: Output) -> AuthorClone:
    """Find the clone around the current folder, and ask its remote what it holds. Nothing is changed.

    Raises:
        CheckoutMissing: there is no clone here, git cannot read it, or it has not all files.
        HistoryMissing: it is shallow, so nobody can tell what was merged.
        UsageInvalid: it is not clear which remote, repository or branch is meant, or it is not there.
        CredentialsRefused, RemoteFailed: the remote cannot be read.
    """
    environment = author_environment(session.environment)
    here = AuthorGit(Path.cwd(), session.run, environment)
    top = here.line("rev-parse", "--show-toplevel")
    if top is None:
        raise CheckoutMissing(
            f"{here.folder} is in no git work tree", remedy="Start the command inside your clone of the repository."
        )
    git = AuthorGit(Path(top), session.run, environment)
    if git.line("rev-parse", "--is-shallow-repository") == "true":
        raise HistoryMissing(
            f"the clone {top} is shallow, so it cannot be told what it contains",
            remedy="Complete it (git fetch --unshallow), then run the command again.",
        )
    if git.line("config", "--get-regexp", r"^remote\..*\.promisor$"):
        raise CheckoutMissing(
            f"the clone {top} is a partial one (--filter), and a copy of it would lack files",
            remedy="Clone the repository again without --filter, and start the command there.",
        )
    remote = choose_remote(git("remote").stdout.split(), where.remote)
    repository = repository_of(git, remote, where.repository)
    output.tell(f"asking {remote} ({without_user(address_of(git, remote))}) what it holds")
    refs = list_remote(git, remote)
    base = where.base or refs.default
    if base is None or base not in refs.branches:
        what = f"has no branch {base}" if base else "does not say which branch is its default"
        raise UsageInvalid(
            f"{remote} {what}; it has {', '.join(sorted(refs.branches)) or 'none'}",
            remedy="Name the branch that releases are made from with --base.",
        )
    return AuthorClone(git, remote, repository, refs, base, environment, session, output)


def address_of(git: AuthorGit, remote: str) -> str:
    """Return a remote's address as git uses it, ``url.insteadOf`` applied."""
    return git("remote", "get-url", remote).stdout.strip()


def repository_of(git: AuthorGit, remote: str, named: str | None = None) -> Repository:
    """Return which repository a remote is of: the one that is named, else the one in its address.

    Raises:
        UsageInvalid: the name is not OWNER/NAME, or the address has none.
    """
    if named is None:
        return read_repository(address_of(git, remote))
    owner, _, name = named.partition("/")
    if not owner or not name or "/" in name:
        raise UsageInvalid(f"--repo {named} is not OWNER/NAME")
    return read_repository(f"https://github.com/{owner}/{name}")


def list_remote(git: AuthorGit, remote: str) -> RemoteRefs:
    """Return what a remote holds now.

    Raises:
        CredentialsRefused, RemoteFailed: it cannot be read.
    """
    # refs/tags/* lists what tags peel to, too; HEAD says which branch is the default.
    listed = git.remote(remote, "ls-remote", "--symref", remote, "HEAD", "refs/heads/*", "refs/tags/*")
    return read_refs(listed.stdout)
