"""Calls git as an author does: with their own configuration, credentials and hooks, within time, without prompts.

A job reads a clone that nobody configured; these commands run on the author's machine, and what git does there by
itself (signing, ``includeIf``, credential helpers, ``url.insteadOf``) it does here, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.errors import (
    CheckoutMissing,
    CredentialsRefused,
    PushRefused,
    ReleaseError,
    RemoteFailed,
    TagChanged,
    ToolUnusable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from runner.runtime.process import Finished, Run

LOCAL_SECONDS = 120.0
"""How long git may take for what is on this machine, hooks and signing included."""

REMOTE_SECONDS = 300.0
"""How long it may take for a remote: a fetch of a whole history is a matter of a minute or two."""

OF_A_REPOSITORY = (
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_OBJECT_DIRECTORY", "GIT_DIR", "GIT_WORK_TREE"),
    *("GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE", "GIT_INDEX_FILE", "GIT_NO_REPLACE_OBJECTS", "GIT_PREFIX"),
    *("GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_COMMON_DIR", "GIT_INTERNAL_SUPER_PREFIX", "GIT_NAMESPACE"),
)
"""Variables that speak of another repository, as a hook has them (git rev-parse --local-env-vars)."""

WITHOUT_HOOKS = ("-c", "core.hooksPath=/dev/null")

NO_SUCH_PLACE = re.compile(r"does not appear to be a git repository|repository .* not found|Repository not found")
SAYS_NOTHING = re.compile(
    r"Could not read from remote|Please make sure you have the correct|^and the repository exists"
)
"""What git adds to whatever ssh says."""

REFUSED_LOGIN = re.compile(
    r"Authentication failed|Permission denied \(|could not read (?:Username|Password)|terminal prompts disabled"
    r"|HTTP Basic: Access denied|The requested URL returned error: 40[13]|Host key verification failed"
)
"""How git and ssh say that it is the author's credentials that are not accepted."""

_REJECTED = re.compile(
    r"^!\t[^\t]*\t\[(?P<kind>rejected|remote rejected|remote failure)\](?: \((?P<why>.*)\))?$", re.MULTILINE
)
_REMOTE_LINE = re.compile(r"^remote: ?(.*?)\s*$", re.MULTILINE)
_MOVED = frozenset({"fetch first", "non-fast-forward", "already exists", "stale info", "needs force"})
"""Why git itself, and no rule of the remote, rejects: what is there is not what was read (git-push(1))."""


def author_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of programs that work for an author: their own, but for what speaks of a repository."""
    return {key: value for key, value in inherited.items() if key not in OF_A_REPOSITORY}


class AuthorGit:
    """Calls git in one folder.

    Args:
        folder: where it is started; the top of a work tree.
        run: how programs are started.
        environment: that of the author's programs.
    """

    def __init__(self, folder: Path, run: Run, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._run = run
        self._environment = {
            **environment,
            "LC_ALL": "C",
            "LANGUAGE": "",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_EDITOR": ":",
            "GIT_PAGER": "cat",
            "GIT_OPTIONAL_LOCKS": "0",
        }

    def __call__(
        self,
        *arguments: str,
        stdin: str | None = None,
        seconds: float = LOCAL_SECONDS,
        extra: Mapping[str, str] | None = None,
        may_fail: bool = False,
    ) -> Finished:
        """Run git to its end.

        Args:
            arguments: the command and its options.
            stdin: what it reads; nothing when left out.
            seconds: how long it may take.
            extra: further variables.
            may_fail: whether an exit code other than 0 is an answer.

        Raises:
            CheckoutMissing: git fails, and may not.
            RemoteFailed: it takes too long.
            ToolUnusable: there is no git.
        """
        try:
            finished = self._run(
                ("git", *arguments),
                env={**self._environment, **(extra or {})},
                cwd=self.folder,
                stdin=None if stdin is None else stdin.encode(errors="surrogateescape"),
                seconds=seconds,
            )
        except TimeoutError as error:
            raise RemoteFailed(
                f"git {_command(arguments)} was ended: it took longer than {seconds:.0f} s",
                remedy="Run that git command by hand to see what it waits for, then run this one again.",
            ) from error
        except OSError as error:
            raise ToolUnusable(
                f"git cannot be started in {self.folder}: {error.strerror}", remedy="Put git on your PATH."
            ) from error
        if not finished.ok and not may_fail:
            raise CheckoutMissing(
                f"git {_command(arguments)} failed in {self.folder}",
                remedy="Do what git says here, then run the command again.",
                detail=finished.tail(),
            )
        return finished

    def line(self, *arguments: str) -> str | None:
        """Return what git prints, without white space around it; None where it fails or prints nothing."""
        finished = self(*arguments, may_fail=True)
        return (finished.stdout.strip() or None) if finished.ok else None

    def remote(
        self, remote: str, *arguments: str, stdin: str | None = None, extra: Mapping[str, str] | None = None
    ) -> Finished:
        """Run git on what is at a remote.

        Raises:
            CredentialsRefused: the author's credentials are missing or not accepted.
            RemoteFailed: the remote is not there, does not answer, or answers with an error.
        """
        finished = self(*arguments, stdin=stdin, seconds=REMOTE_SECONDS, extra=extra, may_fail=True)
        if not finished.ok:
            raise remote_problem(remote, finished)
        return finished

    def push(self, remote: str, source: str, ref: str, *, before: str | None) -> None:
        """Push one object to one full ref of a remote, by this refspec alone, and never by force.

        More than three tags in one push start no job (GitHub's documentation of the push event), so whatever else the
        author's configuration would push along stays here. Where git fails after the remote took it, it is pushed.

        Args:
            remote: where to.
            source: what is pushed, as git names it.
            ref: to which full ref.
            before: what that held when it was read; None where it was not there.

        Raises:
            TagChanged: the ref has moved, or is there by now, and holds something else.
            PushRefused: a rule of the remote forbids it; its words are in the cause.
            CredentialsRefused, RemoteFailed: as with ``remote``.
        """
        pushed = self(
            "push",
            "--porcelain",
            "--no-follow-tags",
            "--recurse-submodules=no",
            remote,
            f"{source}:{ref}",
            seconds=REMOTE_SECONDS,
            may_fail=True,
        )
        if pushed.ok:
            return
        held = self("ls-remote", remote, ref, seconds=REMOTE_SECONDS, may_fail=True)
        holds = next((line.split("\t")[0] for line in held.stdout.splitlines() if line.endswith(f"\t{ref}")), None)
        if holds is None or holds != self.line("rev-parse", "--verify", "--quiet", source):
            raise push_problem(remote, ref, None if holds == before else holds, pushed)


def push_problem(remote: str, ref: str, holds: str | None, pushed: Finished) -> ReleaseError:
    """Say why a push failed. Pure.

    Args:
        remote: where to.
        ref: what was pushed to.
        holds: what that ref was changed to by somebody else; None where it was not, or cannot be read.
        pushed: what git printed, with ``--porcelain``.
    """
    rejected = _REJECTED.search(pushed.stdout)
    if rejected is None:
        if "fatal:" in pushed.stderr or "failed to push some refs" not in pushed.stderr:
            return remote_problem(remote, pushed)
        # Git says nothing else where the hook that it asks before a push refuses.
        words = " ".join(line for line in pushed.tail() if not line.startswith("error: failed to push"))
        return PushRefused(f"a pre-push hook of this clone refused {ref}: {words}", detail=pushed.tail())
    why = rejected["why"] or rejected["kind"]
    # A remote that notices it only while it writes says so in words of its own; what the ref holds is what counts.
    if holds is not None or (rejected["kind"] == "rejected" and why in _MOVED):
        return TagChanged(
            f"{ref} of {remote} was changed meanwhile{f': it holds {holds}' if holds else ''}",
            remedy="Run the command again: it looks at what is there now, and finishes or refuses.",
            detail=pushed.tail(),
        )
    words = " ".join(line for line in _REMOTE_LINE.findall(pushed.complaint) if line)
    return PushRefused(f"{remote} refused {ref} ({why}){f': {words}' if words else ''}", detail=pushed.tail())


def remote_problem(remote: str, finished: Finished) -> ReleaseError:
    """Say why git cannot work with a remote. Pure."""
    detail = finished.tail()
    said = finished.complaint
    telling = [line for line in detail if not SAYS_NOTHING.search(line)]
    words = next((line for line in telling if line.startswith(("fatal:", "error:", "ssh:"))), None)
    words = words or (telling[-1] if telling else f"git ended with {finished.returncode}")
    if REFUSED_LOGIN.search(said):
        return CredentialsRefused(
            f"{remote} does not accept your credentials: {words}",
            remedy=f"Log in to it (git ls-remote {remote} must work without asking), then run the command again.",
            detail=detail,
        )
    remedy = f"Correct its address (git remote set-url {remote} ADDRESS)." if NO_SUCH_PLACE.search(said) else None
    return RemoteFailed(f"git cannot work with {remote}: {words}", remedy=remedy, detail=detail)


def _command(arguments: Iterable[str]) -> str:
    """The git command that these arguments name, without the options before it."""
    rest = iter(arguments)
    for argument in rest:
        if argument == "-c":
            next(rest, None)
        elif not argument.startswith("-"):
            return argument
    return ""
