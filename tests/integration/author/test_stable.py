"""The branch stable at a release: what is refused before the registry is asked."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from testbed.author import FIRST
from testbed.git import git
from tests.support.repositories import refusal, state

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.author import Author

STABLE = "refs/heads/stable"


def newer(author: Author) -> None:
    author.commit_elsewhere({"README.md": "# Newer\n"}, "stable")


def beside(author: Author) -> None:
    other = git(author.remote, "commit-tree", "-m", "Beside", "main^{tree}")
    git(author.remote, "update-ref", STABLE, other)


@pytest.mark.parametrize(
    ("setup", "name", "says"),
    [
        (newer, "stable-backwards", f"which contains v{FIRST} already"),
        (beside, "stable-diverged", f"which v{FIRST}, at "),
    ],
    ids=["newer", "beside"],
)
def test_where_stable_is(author: Author, setup: Callable[[Author], None], name: str, says: str) -> None:
    """A stable that is newer, or has commits of its own, is never overwritten."""
    setup(author)
    before = state(author)
    ended = author.call("prepare", "--stable", "s3", f"v{FIRST}")
    assert says in refusal(ended, 5, name)
    assert state(author) == before


def test_commits_of_its_own(author: Author) -> None:
    """The commands of the refusal keep the commits of a stable as real ones are; after them the release is there."""
    own = git(author.remote, "commit-tree", "-p", "main", "-m", "Stable chart", "main^{tree}")
    git(author.remote, "update-ref", STABLE, own)
    author.release_elsewhere("v0.2.0", "s3")
    git(author.remote, "tag", "v0.2.0", "main")
    line = refusal(author.call("prepare", "--stable", "s3", "v0.2.0"), 5, "stable-diverged")
    commands = line.partition("files (")[2].partition("), or")[0]
    subprocess.run(["sh", "-ec", commands], cwd=author.clone, env=author.environment, check=True, capture_output=True)
    again = author.call("prepare", "--stable", "s3", "v0.2.0")
    assert (again.code, "Nothing to do: stable of origin holds v0.2.0" in again.out) == (0, True), again.err
    assert git(author.remote, "merge-base", "--is-ancestor", own, "stable") == ""


REFUSED = (
    (("s3", "v0.2.0"), 3, "not-a-release", "origin has no tag v0.2.0"),
    (("s3", f"v{FIRST}", "--offline"), 2, "usage-invalid", "--offline and --stable exclude each other"),
    (("s3", f"v{FIRST}", "--no-push"), 2, "usage-invalid", "--stable and --no-push exclude each other"),
    (("s4", f"v{FIRST}"), 2, "service-unknown", "s4"),
)


def test_what_is_named(author: Author) -> None:
    """A version that is not released, a service that is not here, and options that do not fit are refused."""
    for arguments, code, name, says in REFUSED:
        assert says in refusal(author.call("prepare", "--stable", *arguments), code, name)
    assert STABLE not in author.refs()
