"""How git is called for an author, and what its failures mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.author.git import AuthorGit, author_environment, push_problem, remote_problem
from runner.errors import (
    CheckoutMissing,
    CredentialsRefused,
    PushRefused,
    ReleaseError,
    RemoteFailed,
    TagChanged,
    ToolUnusable,
)
from runner.runtime.process import OUTPUT_LIMIT, Finished

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REF = "refs/tags/v1.3.0"


def finished(code: int = 0, out: str = "", err: str = "") -> Finished:
    return Finished(("git",), code, out, err, 0.1, out.encode())


@dataclass
class Programs:
    """Starts nothing: answers with what it was given, and remembers what was asked for."""

    answers: list[Finished | Exception]
    asked: list[tuple[tuple[str, ...], Mapping[str, str], float | None]] = field(default_factory=list)

    def __call__(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdin: bytes | None = None,
        log: Path | None = None,
        seconds: float | None = None,
        limit: int = OUTPUT_LIMIT,
    ) -> Finished:
        """Take the next answer."""
        del cwd, stdin, log, limit
        self.asked.append((tuple(map(str, argv)), env, seconds))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def git(programs: Programs, **environment: str) -> AuthorGit:
    return AuthorGit(Path("/clone"), programs, environment)


def test_environment() -> None:
    """An author's programs have all of their environment, but for what names another repository."""
    given = {
        "HOME": "/me",
        "SSH_AUTH_SOCK": "/agent",
        "GIT_DIR": "/other",
        "GIT_INDEX_FILE": "x",
        "GIT_SSH_COMMAND": "s",
    }
    assert author_environment(given) == {"HOME": "/me", "SSH_AUTH_SOCK": "/agent", "GIT_SSH_COMMAND": "s"}


def test_call() -> None:
    """Git is started with the author's environment, asks nothing, speaks English, and has a time limit."""
    programs = Programs([finished(out="x\n")])
    assert git(programs, HOME="/me").line("rev-parse", "HEAD") == "x"
    [(argv, env, seconds)] = programs.asked
    assert argv == ("git", "rev-parse", "HEAD")
    assert (env["HOME"], env["GIT_TERMINAL_PROMPT"], env["LC_ALL"]) == ("/me", "0", "C")
    assert seconds is not None


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (finished(1, err="fatal: bad\n"), CheckoutMissing, "git status failed in /clone"),
        (TimeoutError(), RemoteFailed, "git status was ended: it took longer than 120 s"),
        (FileNotFoundError(2, "No such file"), ToolUnusable, "git cannot be started in /clone: No such file"),
    ],
)
def test_failing_call(answer: Finished | Exception, error: type[ReleaseError], says: str) -> None:
    """A git that fails, takes too long or is not there is told apart; the options before the command are left out."""
    with pytest.raises(error, match=says):
        git(Programs([answer]))("-c", "a=b", "status")


def test_push() -> None:
    """One object is pushed to one ref, and nothing that the author's configuration would push along."""
    programs = Programs([finished()])
    git(programs).push("origin", REF, REF, before=None)
    [(argv, _, _)] = programs.asked
    assert argv[-2:] == ("origin", f"{REF}:{REF}")
    assert "--no-follow-tags" in argv
    assert not [word for word in argv if word.startswith(("--force", "-f", "+", "--tags"))]


@pytest.mark.parametrize(("holds", "pushed"), [("a" * 40, True), ("b" * 40, False), (None, False)])
def test_push_whose_answer_is_lost(holds: str | None, pushed: bool) -> None:  # noqa: FBT001 - a table's column
    """A push that fails after the remote took it is a push; what the ref holds decides."""
    listed = f"{holds}\t{REF}\n{'c' * 40}\t{REF}^{{}}\n" if holds else ""
    answers: list[Finished | Exception] = [finished(128, err="fatal: the remote end hung up unexpectedly\n")]
    programs = Programs([*answers, finished(out=listed), finished(out=f"{'a' * 40}\n")])
    if pushed:
        git(programs).push("origin", REF, REF, before=None)
        return
    with pytest.raises(RemoteFailed, match="hung up"):
        git(programs).push("origin", REF, REF, before=None)


NO_LOGIN = "origin does not accept your credentials"
HOOK = (
    "remote: tags are made by the robot only        \nremote: \nremote: see the wiki\nerror: failed to push some refs\n"
)


MEANWHILE = f"{REF} of origin was changed meanwhile"
LOCKED = "remote: error: cannot lock ref 'refs/tags/v1.3.0': reference already exists\n"


@pytest.mark.parametrize(
    ("rejected", "err", "holds", "error", "says"),
    [
        (
            "[remote rejected] (pre-receive hook declined)",
            HOOK,
            None,
            PushRefused,
            f"origin refused {REF} (pre-receive hook declined): tags are made by the robot only see the wiki",
        ),
        ("[remote rejected] (protected)", "", None, PushRefused, f"origin refused {REF} (protected)"),
        ("[remote failure]", "", None, PushRefused, f"origin refused {REF} (remote failure)"),
        ("[rejected] (already exists)", "", "x", TagChanged, f"{MEANWHILE}: it holds x"),
        ("[rejected] (fetch first)", "", None, TagChanged, MEANWHILE),
        ("[remote rejected] (failed to update ref)", LOCKED, "x", TagChanged, f"{MEANWHILE}: it holds x"),
        ("[rejected] (shallow update)", "", None, PushRefused, f"origin refused {REF} (shallow update)"),
        (
            "",
            "no\nerror: failed to push some refs to 'x'\n",
            None,
            PushRefused,
            f"a pre-push hook of this clone refused {REF}: no",
        ),
        ("", "fatal: Authentication failed\n", None, CredentialsRefused, f"{NO_LOGIN}: fatal: Authentication failed"),
    ],
)
def test_push_that_fails(rejected: str, err: str, holds: str | None, error: type[ReleaseError], says: str) -> None:
    """A rule of the remote, a ref that has moved, a hook of the clone and missing credentials are told apart."""
    problem = push_problem("origin", REF, holds, finished(1, f"!\t{REF}:{REF}\t{rejected}\n" if rejected else "", err))
    assert isinstance(problem, error)
    assert problem.cause == says


@pytest.mark.parametrize(
    ("err", "error"),
    [
        (
            "git@github.com: Permission denied (publickey).\nfatal: Could not read from remote repository.\n",
            CredentialsRefused,
        ),
        ("fatal: could not read Username for 'https://github.com': terminal prompts disabled\n", CredentialsRefused),
        ("fatal: unable to access 'https://h/': The requested URL returned error: 403\n", CredentialsRefused),
        ("fatal: unable to access 'https://h/': Could not resolve host: h\n", RemoteFailed),
        ("fatal: '/gone' does not appear to be a git repository\n", RemoteFailed),
        ("", RemoteFailed),
    ],
)
def test_remote_that_fails(err: str, error: type[ReleaseError]) -> None:
    """Credentials are told from a remote that is not there or does not answer; git's own words are in the cause."""
    problem = remote_problem("origin", finished(128, err=err))
    assert isinstance(problem, error)
    assert problem.cause.endswith(err.splitlines()[0] if err else "git ended with 128")


def test_address_that_is_wrong() -> None:
    """A remote that is no repository is remedied by its address."""
    problem = remote_problem("origin", finished(128, err="fatal: '/gone' does not appear to be a git repository\n"))
    assert "git remote set-url origin" in problem.remedy
