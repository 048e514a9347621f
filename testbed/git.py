"""Git with an identity and dates of its own: the same calls give the same ids on any machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from testbed.processes import read

if TYPE_CHECKING:
    from pathlib import Path

FIRST_COMMIT = datetime(2026, 1, 5, 10, tzinfo=UTC)


@dataclass(frozen=True)
class GitRepository:
    """A repository that clones fetch from, with a work tree in which its history is made."""

    folder: Path

    @property
    def url(self) -> str:
        """What clones fetch from."""
        return self.folder.as_uri()

    def git(self, *arguments: str) -> str:
        """Run git here and return what it printed, without white space at the end.

        Raises:
            ProgramFailed: git failed.
        """
        return git(self.folder, *arguments)

    def resolve(self, ref: str) -> str:
        """Return the object that a full ref names: for an annotated tag the tag object."""
        return self.git("rev-parse", "--verify", ref)

    def commit_all(self, message: str) -> str:
        """Commit the work tree, dated an hour later for every commit that is there already; return the commit."""
        self.git("add", "--all")
        date = FIRST_COMMIT + timedelta(hours=int(self.git("rev-list", "--all", "--count")))
        git(self.folder, "commit", "--quiet", "--allow-empty", "--message", message, date=date.isoformat())
        return self.resolve("HEAD")


def git(folder: Path, *arguments: str, date: str = FIRST_COMMIT.isoformat()) -> str:
    """Run git in a folder with an identity of its own and nobody's configuration.

    Returns:
        What it printed, without white space at the end.

    Raises:
        ProgramFailed: git failed.
    """
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file:git",
    }
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {
            f"GIT_{role}_NAME": "ACK Release Sample",
            f"GIT_{role}_EMAIL": "sample@example.invalid",
            f"GIT_{role}_DATE": date,
        }
    return read(["git", *arguments], env=environment, cwd=folder)
