"""What is left to do for a branch, a tag and stable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.author.decide import (
    Branch,
    BranchTask,
    LocalTag,
    Stable,
    StableTask,
    TagTask,
    after_dry_run,
    after_prepare,
    check_merged,
    commit_message,
    judge_branch,
    judge_stable,
    judge_tag,
    release_branch,
    to_push,
)
from runner.errors import BranchTaken, NotARelease, ReleaseError, StableBackwards, StableDiverged, VersionTaken
from runner.versions import ReleaseVersion

VERSION = ReleaseVersion(1, 3, 0)
A, B = "a" * 40, "b" * 40
COMMITS = st.sampled_from([A, B])
BRANCHES = st.none() | st.builds(Branch, COMMITS, st.frozensets(st.sampled_from(["helm/a", "helm/b"])))
TAGS = st.none() | st.builds(LocalTag, COMMITS, st.booleans())


def test_names() -> None:
    """The branch and the message of its commit are those of the release process."""
    assert release_branch(VERSION) == "release-v1.3.0"
    assert commit_message(VERSION) == "release artifacts for release v1.3.0"


@given(BRANCHES, BRANCHES)
def test_branch(there: Branch | None, local: Branch | None) -> None:
    """A branch with other content is refused, wherever it is; one with the same is never made anew."""
    first = there or local
    if first is not None and first.differing:
        with pytest.raises(BranchTaken) as refused:
            judge_branch("release-v1.3.0", "origin", there, local)
        assert first.commit in refused.value.cause
        assert set(refused.value.detail) == set(first.differing)
        return
    task = judge_branch("release-v1.3.0", "origin", there, local)
    assert task is (BranchTask.NOTHING if there else BranchTask.PUSH if local else BranchTask.COMMIT)


def test_branch_taken_in_words() -> None:
    """The refusal says where the branch is, what differs first, and how it is deleted there."""
    with pytest.raises(BranchTaken) as there:
        judge_branch("release-v1.3.0", "fork", Branch(A, {"b", "a"}), None)
    assert there.value.cause == f"release-v1.3.0 is already on fork, at {A}, with other content: a and 1 more"
    assert "git push --delete fork release-v1.3.0" in there.value.remedy
    with pytest.raises(BranchTaken) as local:
        judge_branch("release-v1.3.0", "fork", None, Branch(A, {"a"}))
    assert "git branch --delete --force release-v1.3.0" in local.value.remedy


@given(COMMITS, st.none() | COMMITS, TAGS)
def test_tag(commit: str, there: str | None, local: LocalTag | None) -> None:
    """A tag at another commit is refused and never moved; one at this commit is not made a second time."""
    mine = LocalTag(commit, annotated=True)
    if there not in {None, commit} or (there is None and local not in {None, mine}):
        with pytest.raises(VersionTaken, match=r"v1\.3\.0 is already"):
            judge_tag(VERSION, commit, there, local)
        return
    task = judge_tag(VERSION, commit, there, local)
    assert task is (TagTask.NOTHING if there else TagTask.PUSH if local else TagTask.CREATE)


def test_tag_taken_in_words() -> None:
    """At another commit the words are those of a pull request's check; a tag of the clone alone says how it goes."""
    with pytest.raises(VersionTaken) as there:
        judge_tag(VERSION, A, B, None)
    assert there.value.cause == f"v1.3.0 is already tagged at {B}, but HEAD is {A}"
    with pytest.raises(VersionTaken) as local:
        judge_tag(VERSION, A, None, LocalTag(B, annotated=True))
    assert local.value.cause == f"{there.value.cause}, and only in this clone"
    assert "git tag --delete v1.3.0" in local.value.remedy
    with pytest.raises(VersionTaken, match="not as an annotated tag"):
        judge_tag(VERSION, A, None, LocalTag(A, annotated=False))


@pytest.mark.parametrize(
    ("stable", "expected"),
    [
        (None, StableTask.BEGIN),
        (Stable(A, ahead=True, behind=True, same_files=True), StableTask.NOTHING),
        (Stable(B, ahead=False, behind=True, same_files=True), StableTask.NOTHING),
        (Stable(B, ahead=True, behind=False, same_files=False), StableTask.FORWARD),
        (Stable(B, ahead=True, behind=False, same_files=True), StableTask.FORWARD),
        (Stable(B, ahead=False, behind=True, same_files=False), StableBackwards),
        (Stable(B, ahead=False, behind=False, same_files=False), StableDiverged),
        (Stable(B, ahead=False, behind=False, same_files=True), StableDiverged),
    ],
)
def test_stable(stable: Stable | None, expected: StableTask | type[ReleaseError]) -> None:
    """Stable begins or goes forwards; what is behind or beside it is refused, and what holds the release is left."""
    if isinstance(expected, StableTask):
        assert judge_stable(VERSION, A, "origin", stable) is expected
        return
    with pytest.raises(expected, match=f"stable is at {B}"):
        judge_stable(VERSION, A, "origin", stable)


def test_merged() -> None:
    """Only what the remote's branch contains is tagged."""
    check_merged("origin", "main", A, merged=True)
    with pytest.raises(NotARelease, match=f"HEAD is {A}, which the branch main of origin does not contain") as refused:
        check_merged("origin", "main", A, merged=False)
    assert "git switch main && git pull" in refused.value.remedy


def test_next_steps() -> None:
    """Each next step says in words what to do, with the command where there is one."""
    opened = after_prepare(VERSION, "main", pull_request="https://h/pull/7", page="https://h/compare")
    assert "have https://h/pull/7 reviewed and merged" in opened.words
    assert opened.command == ("ack-release", "tag", "v1.3.0")
    by_hand = after_prepare(VERSION, "main", pull_request=None, page="https://h/compare")
    assert "open a pull request into main at https://h/compare" in by_hand.words
    assert "open a pull request into main, have" in after_prepare(VERSION, "main", pull_request=None, page=None).words
    refspec = "refs/heads/release-v1.3.0:refs/heads/release-v1.3.0"
    assert to_push("origin", "release-v1.3.0").command == ("git", "push", "origin", refspec)
    assert after_dry_run(["tag", "v1.3.0"]).command == ("ack-release", "tag", "v1.3.0")
