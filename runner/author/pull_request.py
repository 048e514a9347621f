"""Opens the pull request through GitHub's own program, where the author has it and is logged in."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.author.clone import AuthorClone
    from runner.author.remotes import Repository
    from runner.runtime.process import Finished

SECONDS = 60.0
"""How long gh may take for each request."""


@dataclass(frozen=True)
class PullRequest:
    """What is proposed: a branch of a repository, the author's fork or the canonical one."""

    head: Repository
    branch: str
    title: str
    body: str


class GitHub:
    """Calls gh.

    Args:
        clone: whose canonical repository pull requests are opened in.
    """

    def __init__(self, clone: AuthorClone) -> None:
        self._clone = clone
        self._environment: Mapping[str, str] = {
            **clone.environment,
            "GH_PROMPT_DISABLED": "1",
            "GH_NO_UPDATE_NOTIFIER": "1",
            "NO_COLOR": "1",
        }

    def open(self, proposed: PullRequest) -> str | None:
        """Open a pull request, unless it is open already, and return its address; None where it cannot be.

        Without gh, a login or a token this is silent; what goes wrong beyond that is told, and stops nothing: the
        branch is pushed, and the page to open it by hand is printed.
        """
        repository = self._clone.repository
        if repository.url is None or shutil.which("gh", path=self._environment.get("PATH")) is None:
            return None
        if self._call("auth", "status", "--hostname", repository.host) is None:
            return None
        at = ("--repo", f"{repository.host}/{repository.owner}/{repository.name}")
        own = (proposed.head.owner, proposed.head.name) == (repository.owner, repository.name)
        # gh looks a branch up by its name alone: one of the same name in another fork has another owner.
        query = f'[.[] | select(.headRepositoryOwner.login == "{proposed.head.owner}")][0].url // empty'
        listed = self._call(
            *("pr", "list", *at, "--state", "open", "--head", proposed.branch),
            *("--json", "url,headRepositoryOwner", "--jq", query),
        )
        if listed is not None and listed.ok and (url := listed.stdout.strip()):
            return url
        opened = self._call(
            *("pr", "create", *at, "--base", self._clone.base, "--title", proposed.title, "--body", proposed.body),
            *("--head", proposed.branch if own else f"{proposed.head.owner}:{proposed.branch}"),
        )
        address = _address(opened.stdout) if opened is not None and opened.ok else None
        if address is None:
            said = opened.tail(1) if opened is not None else ("gh does not answer",)
            self._clone.output.warn(f"gh did not open the pull request: {' '.join(said)}")
        return address

    def _call(self, *arguments: str) -> Finished | None:
        """What gh says; None where it cannot be started or does not answer in time, or there is no login."""
        try:
            finished = self._clone.session.run(
                ("gh", *arguments), env=self._environment, cwd=self._clone.git.folder, seconds=SECONDS
            )
        except (OSError, TimeoutError):
            return None
        return None if arguments[0] == "auth" and not finished.ok else finished


def _address(printed: str) -> str | None:
    """The last line that is an address: gh prints the new pull request's."""
    found: Sequence[str] = [line.strip() for line in printed.splitlines() if line.startswith(("https://", "http://"))]
    return found[-1] if found else None
