"""Stable moved back: by a commit that its job follows, and in the registry alone."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from testbed.author import CONFIGURATION, Author, make_author
from testbed.git import git
from testbed.monorepo import MONOREPO
from testbed.release_harness import PROGRAM, ReleaseHarness, open_harness
from tests.support.pages import commands_of
from tests.support.repositories import everything, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "ack/s3-chart:v0-stable"


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ReleaseHarness]:
    with open_harness(tmp_path, config=CONFIGURATION) as made:
        yield made


@pytest.fixture
def author(harness: ReleaseHarness, tmp_path: Path) -> Author:
    """An author of two services, of which 0.1.0 and 0.2.0 are released; stable was at both, and is at 0.2.0."""
    made = make_author(tmp_path / "author", f"{harness.host}/ack")
    harness.repository = replace(harness.repository, folder=made.remote, monorepo=MONOREPO)
    harness.config = made.config
    made.release_elsewhere("v0.2.0", "s3", "sns")
    git(made.remote, "tag", "v0.2.0", "main")
    for version in ("v0.1.0", "v0.2.0"):
        assert harness.run(version).code == 0
        git(made.remote, "branch", "--force", "stable", version)
        assert harness.run("stable").code == 0
    made.git("fetch", "--quiet", "--tags", "origin")
    return made


def history(author: Author) -> list[tuple[str, bool]]:
    """The versions that the stable chart of s3 had, newest first, and whether it has it now."""
    ended = author.call("stable", "history", "s3", "--json", "--config", str(author.config))
    document: dict[str, Any] = json.loads(ended.out)
    [name] = document["stable"]
    return [(move["version"], move["current"]) for move in name["moves"]]


def test_back_and_forward(harness: ReleaseHarness, author: Author) -> None:
    """The commit takes the files of the one service, its job moves the chart back, and history shows all of it."""
    before, there = everything(author.clone, author.remote), git(author.remote, "rev-parse", "stable")
    tried = author.call("rollback", "s3", "--dry-run")
    assert (tried.code, "would move stable of s3 back to v0.1.0" in tried.out) == (0, True), tried.err
    assert everything(author.clone, author.remote) == before

    done = author.call("rollback", "s3", "--yes", "--reason", "0.2.0 loses tags")
    assert (done.code, "Done: move stable of s3 back to v0.1.0" in done.out) == (0, True), done.err
    message = git(author.remote, "log", "-1", "--format=%B", "stable")
    assert message == "Move stable of s3 back to v0.1.0\n\n0.2.0 loses tags\n\nStable-Move: backwards"
    assert git(author.remote, "rev-parse", "stable^") == there
    changed = git(author.remote, "diff", "--name-only", "stable^", "stable").splitlines()
    assert changed
    assert all(path.startswith("services/s3/") for path in changed)
    assert git(author.remote, "diff", "--name-only", "v0.1.0", "stable", "--", "services/s3") == ""

    moved = harness.run("stable")
    assert (moved.code, moved.errors) == (0, []), moved.out
    assert history(author) == [("0.1.0", True), ("0.2.0", False), ("0.1.0", False)]
    again = author.call("rollback", "s3", "v0.1.0", "--yes")
    assert (again.code, "Nothing to do: stable of origin holds the files of v0.1.0" in again.out) == (0, True)
    assert harness.run("stable").actions[NAME] == "skip"
    assert "prepare --stable" in refusal(author.call("rollback", "s3", "v0.2.0", "--yes"), 2, "usage-invalid")

    # A revert of the commit undoes it, as the page says.
    undo = "git fetch --quiet origin; git checkout --quiet -B stable origin/stable; git revert --no-edit HEAD"
    commands = f"{undo}; git push --quiet origin stable"
    subprocess.run(["sh", "-ec", commands], cwd=author.clone, env=author.environment, check=True, capture_output=True)
    forward = harness.run("stable")
    assert (forward.code, forward.errors) == (0, []), forward.out
    assert history(author)[0] == ("0.2.0", True)


def test_a_hook_that_hides_the_trailer(author: Author) -> None:
    """A commit whose message a hook changed so that its job would refuse it is not pushed."""
    hook = author.clone / ".git" / "hooks" / "commit-msg"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\nprintf "\\n\\nsee the wiki\\n" >>"$1"\n', encoding="utf-8")
    hook.chmod(0o755)
    there = git(author.remote, "rev-parse", "stable")
    assert "Stable-Move" in refusal(author.call("rollback", "s3", "--yes"), 2, "commit-refused")
    assert git(author.remote, "rev-parse", "stable") == there


def test_in_the_registry_alone(harness: ReleaseHarness, author: Author) -> None:
    """The tag holds the earlier chart again, no commit and no history tag is made, and the next job undoes it."""
    before = everything(author.clone, author.remote)
    assert author.call("rollback", "s3", "--registry-only", "--dry-run").code == 0
    assert history(author)[0] == ("0.2.0", True)
    done = author.call("rollback", "s3", "v0.1.0", "--registry-only", "--yes")
    assert (done.code, "in the registry alone" in done.out) == (0, True), done.err
    assert everything(author.clone, author.remote) == before
    assert history(author) == [("0.2.0", False), ("0.1.0", True)]
    audit = author.call("audit", "--git-base", f"file://{author.remote.parent}", "--json", "--service", "s3")
    kinds = {finding["kind"] for finding in json.loads(audit.out)["findings"]}
    assert audit.code == 5
    assert "stable-move-unfinished" in kinds
    assert "moved back in the registry alone" in audit.out
    again = author.call("rollback", "s3", "v0.1.0", "--registry-only", "--yes")
    assert "holds v0.1.0 already" in refusal(again, 2, "usage-invalid")
    assert harness.run("stable").code == 0
    assert history(author)[0] == ("0.2.0", True)


def test_the_page(harness: ReleaseHarness, author: Author) -> None:
    """Every command of docs/rollback.md runs as it is printed there; somebody at the terminal says yes."""
    words = {"v1.2.3": "v0.1.0", "ack-release": str(PROGRAM)}
    commands = commands_of("rollback.md", words)
    assert len(commands) == 4
    for command in commands:
        said = f"{command} --config {author.config}"
        ours, theirs = pty.openpty()
        os.write(ours, b"y\n")
        try:
            ended = subprocess.run(
                ["sh", "-c", said],
                cwd=author.clone,
                env=author.environment,
                stdin=theirs,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
        finally:
            os.close(ours)
            os.close(theirs)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    assert harness.run("stable").code == 0


REFUSED = (
    (("s3", "v0.3.0"), 3, "not-a-release", "origin has no tag v0.3.0"),
    (("s3", "v0.1.0", "--offline"), 2, "usage-invalid", "--offline"),
    (("s3", "v0.1.0", "--reason", " "), 2, "usage-invalid", "--reason has no words"),
    (("s3", "v0.1.0", "--registry-only", "--reason", "x"), 2, "usage-invalid", "exclude each other"),
    (("ecr", "v0.1.0"), 2, "service-unknown", "lives in the repository ecr-controller"),
    (("s3", "0.1"), 2, "usage-invalid", "0.1"),
)


def test_what_is_refused(author: Author) -> None:
    """What is no release, no service of this repository or no move backwards is refused, and nothing is changed."""
    before = everything(author.clone, author.remote)
    for arguments, code, name, says in REFUSED:
        assert says in refusal(author.call("rollback", *arguments, "--yes"), code, name)
    asked = refusal(author.call("rollback", "s3"), 2, "usage-invalid")
    assert "no terminal" in asked
    git(author.remote, "branch", "--force", "stable", "v0.1.0")
    forward = refusal(author.call("rollback", "s3", "v0.2.0", "--yes"), 2, "usage-invalid")
    assert "prepare --stable" in forward
    git(author.remote, "branch", "--delete", "--force", "stable")
    assert "no branch stable" in refusal(author.call("rollback", "s3", "v0.1.0", "--yes"), 3, "not-a-release")
    git(author.remote, "branch", "stable", "v0.2.0")
    assert everything(author.clone, author.remote) == before
