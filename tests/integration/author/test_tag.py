"""A release tagged in real clones of real remotes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from typing import TYPE_CHECKING

import pytest

from testbed.author import FIRST
from testbed.git import git
from testbed.release_harness import PROGRAM
from tests.support.repositories import everything, make_hook, refusal, state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testbed.author import Author
    from testbed.release_harness import Ended

TAG = "refs/tags/v0.2.0"
S3 = "services/s3/helm/Chart.yaml"


@pytest.fixture
def merged(author: Author) -> Author:
    """An author whose release of s3 is merged, and pulled."""
    author.release_elsewhere("v0.2.0", "s3")
    return author


def tag(author: Author, *arguments: str) -> Ended:
    """Tag without asking anybody, nor a registry."""
    return author.call("tag", *arguments, "--offline", "--yes")


def test_a_release(merged: Author) -> None:
    """The tag is annotated, at the merged commit, and all that is pushed, whatever git would push along."""
    merged.git("tag", "--annotate", "--message", "mine", "v9.9.9")
    merged.git("config", "push.followTags", "true")
    before = merged.refs()
    ended = tag(merged, "v0.2.0")
    assert ended.code == 0, ended.err
    after = merged.refs()
    assert {ref for ref in after if before.get(ref) != after[ref]} == {TAG}
    assert git(merged.remote, "cat-file", "-t", TAG) == "tag"
    assert git(merged.remote, "rev-parse", f"{TAG}^{{commit}}") == before["refs/heads/main"]
    said = git(merged.remote, "for-each-ref", "--format=%(contents:subject) %(taggername) %(taggeremail)", TAG)
    assert said == "v0.2.0 An Author <author@example.invalid>"
    assert after[TAG] == merged.refs(merged.clone)[TAG]
    assert f"Done: tagged {before['refs/heads/main']} as v0.2.0." in ended.lines


def test_again(merged: Author) -> None:
    """A tag that is there at this commit is exit 0 and left as it is, whoever made it."""
    git(merged.remote, "tag", "v0.2.0", "main")
    before = state(merged)
    ended = tag(merged, "v0.2.0")
    assert (ended.code, "Nothing to do: v0.2.0 is in origin already" in ended.out) == (0, True), ended.err
    assert state(merged) == before


def test_dry_run(merged: Author) -> None:
    """A dry run leaves clone and remote byte for byte, and says which services would be released."""
    before = everything(merged.clone, merged.remote)
    ended = merged.call("tag", "v0.2.0", "--offline", "--dry-run")
    assert ended.code == 0, ended.err
    assert everything(merged.clone, merged.remote) == before
    assert "Dry run: would tag " in ended.out
    assert "as v0.2.0 in origin, which releases s3." in ended.out


def test_what_is_left_of_an_earlier_try(merged: Author) -> None:
    """A tag that is in the clone alone, at this commit, is pushed as it is."""
    merged.git("tag", "--annotate", "--message", "v0.2.0", "v0.2.0")
    made = merged.git("rev-parse", TAG)
    assert tag(merged, "v0.2.0").code == 0
    assert merged.refs()[TAG] == made


def test_from_chart(merged: Author) -> None:
    """The version of the charts that has no tag is tagged; once it is, there is nothing to tag, and why."""
    ended = tag(merged, "--from-chart", "--json")
    assert ended.code == 0, ended.err
    document = json.loads(ended.out)
    assert (document["did"], document["version"], document["services"]) == ("done", "0.2.0", ["s3"])
    assert document["commit"] == git(merged.remote, "rev-parse", f"{TAG}^{{commit}}")
    again = tag(merged, "--from-chart")
    assert again.code == 0, again.err
    assert (
        "Nothing to do: no chart has a version to tag (s3: v0.2.0 is already tagged, with this chart; sns:" in again.out
    )


def test_several_versions_in_charts(merged: Author) -> None:
    """A tag is of the whole repository, so charts of several versions without a tag are refused."""
    merged.commit_elsewhere({"services/sns/helm/Chart.yaml": "name: sns-chart\nversion: v0.3.0\n"})
    merged.git("pull", "--quiet", "--ff-only")
    assert "several versions without a tag: 0.2.0, 0.3.0" in refusal(tag(merged, "--from-chart"), 4, "chart-disagrees")
    assert TAG not in merged.refs()


def commit_only_here(author: Author) -> None:
    author.git("commit", "--quiet", "--allow-empty", "--message", "Not merged")


def tag_at_remote(author: Author) -> None:
    git(author.remote, "tag", "v0.2.0", "main~1")


def tag_in_clone(author: Author) -> None:
    author.git("tag", "--annotate", "--message", "v0.2.0", "v0.2.0", "HEAD~1")


def light_tag_in_clone(author: Author) -> None:
    author.git("tag", "v0.2.0")


def newer(author: Author) -> None:
    git(author.remote, "tag", "v0.3.0", "main")


def other_chart(author: Author) -> None:
    author.commit_elsewhere({"services/s3/helm/values.yaml": "image: {repository: other, tag: v0.2.0}\n"})
    author.git("pull", "--quiet", "--ff-only")


def remote_hook(author: Author) -> None:
    make_hook(author.remote / "hooks" / "update", "echo tags are made by the robot >&2", "exit 1")


def nobody(author: Author) -> None:
    (author.folder / "home" / ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n", encoding="utf-8")


REFUSED: dict[str, tuple[Callable[[Author], None], int, str, str]] = {
    "not merged": (commit_only_here, 3, "not-a-release", "which the branch main of origin does not contain"),
    "tagged elsewhere": (tag_at_remote, 5, "version-taken", "v0.2.0 is already tagged at"),
    "tagged elsewhere in the clone": (tag_in_clone, 5, "version-taken", "and only in this clone"),
    "tagged without annotation": (light_tag_in_clone, 5, "version-taken", "not as an annotated tag"),
    "not the next version": (newer, 4, "version-not-next", "the next one is v0.3.1 or v0.4.0 or v1.0.0"),
    "a chart that its job would refuse": (other_chart, 4, "chart-disagrees", "services/s3/helm/values.yaml"),
    "a rule of the remote": (remote_hook, 2, "push-refused", "(hook declined): tags are made by the robot"),
    "no author": (nobody, 2, "commit-refused", "git did not tag"),
}


@pytest.mark.parametrize(("setup", "code", "name", "says"), REFUSED.values(), ids=REFUSED)
def test_refusals(merged: Author, setup: Callable[[Author], None], code: int, name: str, says: str) -> None:
    """What is refused says why, and leaves clone and remote as they were."""
    setup(merged)
    before = state(merged)
    assert says in refusal(tag(merged, "v0.2.0"), code, name)
    assert state(merged) == before


def test_versions_that_nothing_has(merged: Author) -> None:
    """A version that no chart has is refused in the words of its job."""
    git(merged.remote, "tag", "v0.2.0", "main")
    assert "no chart of community is released by v0.3.0" in refusal(tag(merged, "v0.3.0"), 4, "nothing-in-tag")


@pytest.mark.parametrize(("where", "code"), [("HEAD", 0), ("HEAD~1", 5)])
def test_race(merged: Author, where: str, code: int) -> None:
    """A tag that somebody pushes meanwhile is done at this commit, and a conflict at another; it never moves."""
    # Git asks this hook after it has looked at the remote, and before it pushes.
    other = f"git --git-dir='{merged.remote}' tag --annotate --message other v0.2.0"
    make_hook(merged.clone / ".git" / "hooks" / "pre-push", f"{other} $(git rev-parse {where})")
    before = merged.refs(merged.clone)
    ended = tag(merged, "v0.2.0")
    assert ended.code == code, ended.err
    if code:
        assert "v0.2.0 is already tagged at" in refusal(ended, 5, "version-taken")
    assert git(merged.remote, "for-each-ref", "--format=%(contents:subject)", TAG) == "other"
    assert merged.refs(merged.clone) == before


@pytest.mark.parametrize(("answer", "tagged"), [("y", True), ("", False)])
def test_question(merged: Author, answer: str, tagged: bool) -> None:  # noqa: FBT001 - a table's column
    """At a terminal it asks, and only a yes is one."""
    ours, theirs = pty.openpty()
    argv: list[str | Path] = [PROGRAM, "tag", "v0.2.0", "--offline", "--config", merged.config]
    with subprocess.Popen(
        argv, cwd=merged.clone, env=merged.environment, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        os.write(ours, f"{answer}\n".encode())
        out, err = process.communicate(timeout=120)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, err
    assert b"as v0.2.0 in origin, which releases s3? [y/N]" in err
    assert (TAG in merged.refs()) is tagged
    assert (b"Done: tagged" in out) is tagged
    assert (b"Nothing done: v0.2.0 is not tagged." in out) is not tagged


def test_usage(author: Author) -> None:
    """Without a terminal it wants --yes; and either a version or --from-chart."""
    assert "nobody can be asked" in refusal(author.call("tag", "v0.2.0"), 2, "usage-invalid")
    for arguments in ([], ["v0.2.0", "--from-chart"]):
        assert "either a VERSION or --from-chart" in refusal(
            author.call("tag", *arguments, "--yes"), 2, "usage-invalid"
        )
    unknown = author.call("tag", f"v{FIRST}", "--commit", "no-such", "--yes")
    assert "this clone has no commit no-such" in refusal(unknown, 2, "usage-invalid")
